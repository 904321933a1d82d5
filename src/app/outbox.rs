//! Sends notices: in order to each place, one at a time there, again and again until they are taken.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::task::JoinSet;

use super::{App, Result};
use crate::domain::{Form, Message, Timestamp};
use crate::ops::{self, Sent};
use crate::store::{NoticeReads, Tray};
use crate::webhook::{Answer, Error};

/// How many notices are read together.
const PAGE: usize = 64;
/// How often to look whether it is time to send something again.
const PAUSE: Duration = Duration::from_secs(1);

/// What waits for one place.
#[derive(Default)]
struct Lane {
    numbers: VecDeque<u64>,
    /// When the first one is sent, and when that was said.
    due: Timestamp,
    said: Timestamp,
    busy: bool,
}

/// What waits, by place, and the last notice that was seen.
#[derive(Default)]
struct Outbox {
    lanes: HashMap<String, Lane>,
    seen: u64,
}

/// What became of the first one of a lane: when it is sent again, if it is.
type Attempt = (String, Option<Timestamp>);

impl App {
    /// Whether events are written down and sent later.
    #[must_use]
    pub fn keeps_events(&self) -> bool {
        self.0.parts.keep_events
    }

    /// Writes an event down that goes to this URL, if the site allows it.
    ///
    /// # Errors
    /// The inner one when the site does not allow the URL.
    pub async fn keep_event(
        &self,
        url: String,
        body: String,
    ) -> Result<std::result::Result<(), Error>> {
        if let Err(refused) = self.0.parts.webhooks.allows(&url) {
            return Ok(Err(refused));
        }
        let message = Message { form: Form::Event, url, body };
        self.write(move |tx, now| ops::notify(tx, now, message.clone())).await?;
        self.new_notices();
        Ok(Ok(()))
    }

    /// Tells whoever sends notices that there are new ones.
    pub fn new_notices(&self) {
        self.0.notices.notify_one();
    }

    /// Sends notices until the server stops.
    pub async fn send_notices(&self) {
        let (mut outbox, mut attempts) = (Outbox::default(), JoinSet::new());
        loop {
            let news = self.0.notices.notified();
            // What cannot be read now is read when there is something new.
            if self.look_for_notices(&mut outbox).await.is_err() {
                tokio::time::sleep(PAUSE).await;
            }
            for (place, number) in outbox.due(self.now()) {
                let app = self.clone();
                attempts.spawn(async move { (place, app.attempt(number).await) });
            }
            tokio::select! {
                () = news => {}
                Some(done) = attempts.join_next() => {
                    if let Ok(done) = done {
                        outbox.note(done, self.now());
                    }
                }
                () = tokio::time::sleep(PAUSE), if !outbox.lanes.is_empty() => {}
                () = self.stopping().cancelled() => break,
            }
        }
        // What is under way is waited for and noted, so that it is not sent again after the next start.
        while attempts.join_next().await.is_some() {}
    }

    async fn look_for_notices(&self, outbox: &mut Outbox) -> Result<()> {
        loop {
            let seen = outbox.seen;
            let found = self.scan(move |tx| tx.notices_after(Tray::Waiting, seen, PAGE)).await?;
            if found.is_empty() {
                return Ok(());
            }
            for notice in found {
                outbox.seen = notice.number;
                // After a start everything is tried at once, because the reason to wait may be gone.
                let lane = outbox.lanes.entry(notice.message.origin().to_owned()).or_default();
                lane.numbers.push_back(notice.number);
            }
        }
    }

    /// Sends a notice, and says when it is sent again if it was not taken.
    async fn attempt(&self, number: u64) -> Option<Timestamp> {
        // It may have been dropped, or given way to newer ones.
        let found = self.scan(move |tx| tx.notice(Tray::Waiting, number)).await;
        let later = || Some(self.now().plus(PAUSE));
        let notice = match found {
            Ok(Some(notice)) => notice,
            Ok(None) => return None,
            Err(_) => return later(),
        };
        let sent = match self.send(notice.message).await {
            Ok(answer) => outcome(answer),
            Err(_) => return later(),
        };
        // When this cannot be written, the notice is sent once more: its reader must bear that.
        let noted = self.write(move |tx, now| ops::note_sent(tx, now, number, &sent)).await;
        noted.unwrap_or_else(|_| later())
    }
}

impl Outbox {
    /// What is to be sent now, one for each place.
    fn due(&mut self, now: Timestamp) -> Vec<(String, u64)> {
        let mut due = Vec::new();
        for (place, lane) in &mut self.lanes {
            // Otherwise a clock that is set back would put it off by as much.
            let is_due = lane.due <= now || now < lane.said;
            if let (false, true, Some(first)) = (lane.busy, is_due, lane.numbers.front()) {
                lane.busy = true;
                due.push((place.clone(), *first));
            }
        }
        due
    }

    fn note(&mut self, (place, again): Attempt, now: Timestamp) {
        let Some(lane) = self.lanes.get_mut(&place) else { return };
        lane.busy = false;
        if again.is_none() {
            lane.numbers.pop_front();
        }
        (lane.due, lane.said) = (again.unwrap_or_default(), now);
        if lane.numbers.is_empty() {
            self.lanes.remove(&place);
        }
    }
}

fn outcome(answer: std::result::Result<Answer, Error>) -> Sent {
    match answer {
        Err(Error::Refused(why)) => Sent::Refused(why.to_owned()),
        Err(error) => Sent::Failed(error.to_string()),
        Ok(Answer { status: 200..=299, .. }) => Sent::Taken,
        Ok(Answer { status, .. }) => {
            let said = format!("it answered {status}");
            // These may end: a wrong token is replaced, a busy or broken webhook recovers.
            match status {
                401 | 403 | 408 | 425 | 429 | 500.. => Sent::Failed(said),
                _ => Sent::Refused(said),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_puts_nothing_off() {
        let at = Timestamp::from_micros;
        let lane = Lane { numbers: [7].into(), ..Lane::default() };
        let mut outbox = Outbox { lanes: [("hook".to_owned(), lane)].into(), seen: 7 };
        let first = vec![("hook".to_owned(), 7)];
        assert_eq!(outbox.due(at(100)), first);
        outbox.note(("hook".to_owned(), Some(at(200))), at(100));
        assert_eq!(outbox.due(at(199)), []);
        assert_eq!(outbox.due(at(50)), first);
        outbox.note(("hook".to_owned(), Some(at(150))), at(50));
        assert_eq!(outbox.due(at(51)), []);
        assert_eq!(outbox.due(at(150)), first);
    }
}
