//! Watching: what changes is told to whoever watches, after it is on disk.
//!
//! Nothing is buffered for a watcher. Who watches a job is woken and reads what was added since the place where it has
//! arrived. Who watches the lab reads from one ring of the newest changes, and is sent away when it lags behind the ring.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::bells::Bells;
use super::{App, Error, Result, Share, Shares};
use crate::domain::{Change, Event, JobId, Subject};
use crate::store::News;

/// How many changes the ring holds ..
const RING: usize = 4096;
/// .. and about how many bytes.
const RING_BYTES: usize = 4 << 20;
/// How many changes a watcher of the lab is told together.
const TOGETHER: usize = 256;

/// A change of a job or an agent.
#[derive(Debug)]
pub struct Told {
    /// Its number, which grows over all subjects.
    pub number: u64,
    /// What changed.
    pub subject: Subject,
    /// How.
    pub event: Event,
}

impl Told {
    /// About how many bytes it takes.
    fn size(&self) -> usize {
        let texts = match &self.event.change {
            Change::Member { from, to, .. } => {
                [from, to].map(|text| text.as_ref().map_or(0, String::len))
            }
            _ => [0; 2],
        };
        size_of::<Self>() + texts.iter().sum::<usize>() + self.event.why.len()
    }
}

/// Tells watchers what has changed.
pub(super) struct Publisher {
    ring: Mutex<Ring>,
    lab: Notify,
    jobs: Bells<JobId>,
    places: usize,
    taken: Shares,
}

/// The newest changes of the lab.
#[derive(Default)]
struct Ring {
    /// The place of the first one, counted since the start of the server.
    first: u64,
    told: VecDeque<Arc<Told>>,
    bytes: usize,
}

impl Ring {
    fn push(&mut self, told: Told) {
        self.bytes += told.size();
        self.told.push_back(Arc::new(told));
        while (self.told.len() > RING || self.bytes > RING_BYTES)
            && let Some(oldest) = self.told.pop_front()
        {
            self.bytes -= oldest.size();
            self.first += 1;
        }
    }

    /// The next ones from a place on; `None` when some of them are gone.
    fn from(&self, place: u64) -> Option<Vec<Arc<Told>>> {
        let from = usize::try_from(place.checked_sub(self.first)?).ok()?;
        Some(self.told.range(from..).take(TOGETHER).cloned().collect())
    }

    fn end(&self) -> u64 {
        self.first + self.told.len() as u64
    }
}

impl Publisher {
    /// For so many watchers.
    pub(super) fn new(watchers: usize) -> Self {
        Self {
            ring: Mutex::default(),
            lab: Notify::new(),
            jobs: Bells::default(),
            places: watchers,
            taken: Shares::default(),
        }
    }

    /// Tells what is on disk now.
    pub(super) fn publish(&self, news: &[News]) {
        let mut changed = false;
        for one in news {
            match one {
                News::Written(job) => self.jobs.ring(job),
                News::Changed(subject, number, event) => {
                    if let Subject::Job(job) = subject {
                        self.jobs.ring(job);
                    }
                    let (subject, event) = (subject.clone(), event.clone());
                    self.ring().push(Told { number: *number, subject, event });
                    changed = true;
                }
            }
        }
        if changed {
            self.lab.notify_waiters();
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) const fn jobs(&self) -> &Bells<JobId> {
        &self.jobs
    }

    /// A place for one more watcher. No address gets more than half of them.
    pub(super) fn place(&self, address: Option<IpAddr>) -> Result<Share> {
        let share = self.taken.take(address, self.places, self.places.div_ceil(2));
        share.ok_or(Error::TooManyWatchers)
    }
}

/// Somebody watches the lab.
pub struct LabWatch {
    app: App,
    at: u64,
    missed: bool,
    _place: Share,
}

/// What a watcher of the lab is told.
#[derive(Debug)]
pub enum LabNews {
    /// What happened since the watcher's last visit is not known any more: it must look for itself.
    Missed,
    /// These changes.
    Told(Vec<Arc<Told>>),
}

impl App {
    /// The number of the newest change; 0 when there was none yet, after which a watcher has missed whatever came.
    #[must_use]
    pub fn newest_change(&self) -> u64 {
        self.publisher().ring().told.back().map_or(0, |told| told.number)
    }

    /// Watches the lab, from now on or from after the change with this number, for somebody at this address.
    ///
    /// # Errors
    /// [`Error::TooManyWatchers`].
    pub fn watch_lab(&self, after: Option<u64>, address: Option<IpAddr>) -> Result<LabWatch> {
        let place = self.publisher().place(address)?;
        let ring = self.publisher().ring();
        let known = after.map(|after| ring.told.iter().rposition(|told| told.number == after));
        let (at, missed) = match known {
            None => (ring.end(), false),
            Some(None) => (ring.end(), true),
            Some(Some(index)) => (ring.first + index as u64 + 1, false),
        };
        drop(ring);
        Ok(LabWatch { app: self.clone(), at, missed, _place: place })
    }
}

impl LabWatch {
    /// Waits for what comes next; `None` when the watcher lags behind, or the server stops.
    pub async fn next(&mut self) -> Option<LabNews> {
        if std::mem::take(&mut self.missed) {
            return Some(LabNews::Missed);
        }
        let app = self.app.clone();
        loop {
            let heard = app.publisher().lab.notified();
            tokio::pin!(heard);
            heard.as_mut().enable();
            let told = self.told()?;
            if !told.is_empty() {
                return Some(LabNews::Told(told));
            }
            tokio::select! {
                () = heard => {}
                () = app.stopping().cancelled() => return None,
            }
        }
    }

    /// What was told since; `None` when some of it is gone.
    fn told(&mut self) -> Option<Vec<Arc<Told>>> {
        let told = self.app.publisher().ring().from(self.at)?;
        self.at += told.len() as u64;
        Some(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Actor, AgentName, Timestamp};

    fn told(number: u64, size: usize) -> Told {
        let change =
            Change::Member { name: "c".to_owned(), from: None, to: Some("x".repeat(size)) };
        let at = Timestamp::from_micros(0);
        let event = Event { at, actor: Actor::Server, change, why: String::new() };
        Told { number, subject: Subject::Agent(AgentName::trusted("a")), event }
    }

    #[test]
    fn the_ring_holds_so_many_changes_and_so_many_bytes() {
        let mut ring = Ring::default();
        (0..10_000).for_each(|number| ring.push(told(number, 0)));
        assert_eq!((ring.told.len(), ring.end()), (RING, 10_000));
        (0..100).for_each(|number| ring.push(told(number, 1 << 20)));
        assert!(ring.bytes <= RING_BYTES && ring.told.len() < 4, "{}", ring.told.len());
        assert_eq!(ring.end(), 10_100);
    }

    #[test]
    fn whoever_lags_behind_the_ring_is_told_nothing_more() {
        let mut ring = Ring::default();
        (0..5_000).for_each(|number| ring.push(told(number, 0)));
        assert!(ring.from(0).is_none());
        let first = ring.from(5_000 - RING as u64).unwrap();
        assert_eq!((first.len(), first[0].number), (TOGETHER, 5_000 - RING as u64));
        assert_eq!(ring.from(5_000).unwrap().len(), 0);
    }
}
