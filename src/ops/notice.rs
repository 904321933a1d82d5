//! Notices are written down, sent until they are taken, and given up after a day. Nobody who causes one waits for that.

use std::time::Duration;

use super::{Error, Page};
use crate::domain::{Message, Notice, Timestamp};
use crate::store::{NoticeReads, Tray, WriteTx};

/// How many notices wait at most, and how many bytes they have together: the oldest gives way.
const WAITING: Most = Most { count: 10_000, bytes: 64 << 20 };
/// The same of those that were given up.
const DEAD: Most = Most { count: 1_000, bytes: 16 << 20 };
/// When a notice is sent again that was not taken: after this, and then after twice as long each time ..
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// .. but at least so often ..
const LONGEST_PAUSE: Duration = Duration::from_hours(1);
/// .. until it has waited so long.
const GIVE_UP: Duration = Duration::from_hours(24);

struct Most {
    count: u64,
    bytes: u64,
}

/// What became of a notice that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It was taken.
    Taken,
    /// It was not, and may be another time.
    Failed(String),
    /// It was not, and never will be.
    Refused(String),
}

/// Writes down what is to be sent. When too much waits, the oldest is given up.
pub fn notify(tx: &mut WriteTx<'_>, now: Timestamp, message: Message) -> Result<(), Error> {
    let size = message.size();
    make_room(tx, now, Tray::Waiting, (&WAITING, size))?;
    let number = tx.next_place()?;
    let notice = Notice { number, message, at: now, tries: 0, next_at: now, error: String::new() };
    Ok(tx.put_notice(Tray::Waiting, &notice)?)
}

/// Notes what became of a notice; says when it is sent again, if it is.
pub fn note_sent(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    number: u64,
    sent: &Sent,
) -> Result<Option<Timestamp>, Error> {
    let Some(old) = tx.notice(Tray::Waiting, number)? else { return Ok(None) };
    match sent {
        Sent::Taken => {
            tx.remove_notice(Tray::Waiting, number)?;
            Ok(None)
        }
        Sent::Refused(error) => {
            give_up(tx, now, Notice { tries: old.tries.saturating_add(1), ..old }, error)?;
            Ok(None)
        }
        Sent::Failed(error) => {
            let tries = old.tries.saturating_add(1);
            if now.since(old.at) >= GIVE_UP {
                give_up(tx, now, Notice { tries, ..old }, error)?;
                return Ok(None);
            }
            let pause = FIRST_PAUSE.saturating_mul(1 << (tries - 1).min(16)).min(LONGEST_PAUSE);
            let next_at = now.plus(pause);
            tx.put_notice(Tray::Waiting, &Notice { tries, next_at, error: error.clone(), ..old })?;
            Ok(Some(next_at))
        }
    }
}

fn give_up(tx: &mut WriteTx<'_>, now: Timestamp, notice: Notice, why: &str) -> Result<(), Error> {
    tx.remove_notice(Tray::Waiting, notice.number)?;
    make_room(tx, now, Tray::Dead, (&DEAD, notice.message.size()))?;
    tracing::warn!(
        number = notice.number,
        to = notice.message.origin(),
        why,
        "a notice was given up; it stays in the list of: testflinger-server notice-admin list"
    );
    let dead = Notice { next_at: now, error: why.to_owned(), ..notice };
    Ok(tx.put_notice(Tray::Dead, &dead)?)
}

/// Takes the oldest away until there is room for so many bytes more.
fn make_room(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    tray: Tray,
    (most, more): (&Most, u64),
) -> Result<(), Error> {
    loop {
        let (count, bytes) = tx.notices_size(tray)?;
        if count < most.count && bytes + more <= most.bytes {
            return Ok(());
        }
        let Some(oldest) = tx.notices_after(tray, 0, 1)?.pop() else { return Ok(()) };
        match tray {
            Tray::Waiting => give_up(tx, now, oldest, "too many others waited")?,
            Tray::Dead => {
                tx.remove_notice(tray, oldest.number)?;
                tracing::warn!(
                    number = oldest.number,
                    to = oldest.message.origin(),
                    "the oldest notice that was given up is forgotten, because there are too many"
                );
            }
        }
    }
}

/// Sends a notice again that was given up; says whether there was one.
pub fn retry_notice(tx: &mut WriteTx<'_>, now: Timestamp, number: u64) -> Result<bool, Error> {
    let Some(dead) = tx.remove_notice(Tray::Dead, number)? else { return Ok(false) };
    notify(tx, now, dead.message)?;
    Ok(true)
}

/// Forgets a notice, whether it waits or was given up; says whether there was one.
pub fn drop_notice(tx: &mut WriteTx<'_>, number: u64) -> Result<bool, Error> {
    let dead = tx.remove_notice(Tray::Dead, number)?;
    Ok(dead.is_some() || tx.remove_notice(Tray::Waiting, number)?.is_some())
}

/// A part of the list of notices.
type NoticePage = Page<(Tray, Notice), (Tray, u64)>;

/// All notices: first those that were given up, then those that wait.
pub fn notices(
    tx: &impl NoticeReads,
    after: Option<(Tray, u64)>,
    limit: usize,
) -> Result<NoticePage, Error> {
    let (tray, number) = after.unwrap_or((Tray::Dead, 0));
    let found = tx.notices_after(tray, number, limit)?;
    let next = match (found.last(), tray) {
        (Some(last), tray) => Some((tray, last.number)),
        (None, Tray::Dead) => Some((Tray::Waiting, 0)),
        (None, Tray::Waiting) => None,
    };
    Ok(Page { items: found.into_iter().map(|notice| (tray, notice)).collect(), next })
}
