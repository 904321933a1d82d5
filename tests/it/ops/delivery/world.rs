//! The server's storage through all its lives: it is written to, its power goes, and it comes back.

use std::ops::AddAssign;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use testflinger_server::app::Presence;
use testflinger_server::domain::{Job, JobId, ManualClock, Timestamp};
use testflinger_server::ops::{self, Claimed, Patience};
use testflinger_server::store::{Error, HeldRequest, Options, Store, Where, WriteTx};

use super::ledger::{Kind, Ledger, Verdict, changed, violation};
use super::picture::Picture;
use super::plan::{CALLERS, Fate, Queues};
use super::sabotage::Sabotage;
use crate::support::disk::{Cut, Disk};
use crate::support::{START, queues as names};

pub(super) const PATIENCE: Patience = Patience {
    began: Timestamp::from_micros(0),
    acknowledge: Duration::from_mins(2),
    suspect: Duration::from_secs(150),
    lost: Duration::from_mins(30),
};

/// How a write ended.
#[derive(Debug)]
pub(super) enum Outcome<T> {
    /// It was acknowledged.
    Done(T),
    /// It was refused, so nothing changed.
    Refused,
    /// The power went, and what was written is on the disk all the same.
    Landed,
    /// The power went, and nothing of it is there.
    Undone,
}

/// A request that is held until there is a job.
pub(super) struct Held {
    pub(super) caller: usize,
    pub(super) queues: Queues,
    pub(super) fate: Fate,
    pub(super) wanted: Arc<AtomicBool>,
    pub(super) receiver: Receiver<Result<Option<Claimed>, ops::Error>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.wanted.store(false, Ordering::Release);
    }
}

/// What happened, in numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) interleavings: u64,
    pub(crate) writes: u64,
    pub(crate) handed_out: u64,
    pub(crate) restarts: u64,
    /// Power cuts, of which so many while the server was starting.
    pub(crate) cuts: u64,
    pub(crate) cuts_in_recovery: u64,
    /// Power cuts during a write that was on the disk all the same.
    pub(crate) landed: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.interleavings += 1;
        self.writes += other.writes;
        self.handed_out += other.handed_out;
        self.restarts += other.restarts;
        self.cuts += other.cuts;
        self.cuts_in_recovery += other.cuts_in_recovery;
        self.landed += other.landed;
    }
}

/// A server, the people and agents around it, and its disk.
pub(super) struct World<'w> {
    pub(super) sabotage: Option<Sabotage>,
    pub(super) disk: Disk,
    /// The cut after the next one.
    pub(super) again: Option<Cut>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) agents: Arc<Presence>,
    pub(super) ledger: Ledger,
    /// What is stored.
    pub(super) picture: Picture,
    /// The jobs that callers know to have.
    pub(super) has: [Option<JobId>; CALLERS.len()],
    pub(super) held: Vec<Held>,
    pub(super) submissions: u64,
    pub(super) counts: Counts,
    store: Option<Store>,
    /// The database was whole once.
    pub(super) is_made: bool,
    blobs: &'w Path,
    /// What will be stored once the write that is under way is on disk.
    coming: Arc<Mutex<Option<Picture>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'w> World<'w> {
    pub(super) fn new(blobs: &'w Path, disk: Disk, sabotage: Option<Sabotage>) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(START)));
        Self {
            agents: Arc::new(Presence::new(&*clock)),
            clock,
            sabotage,
            disk,
            again: None,
            ledger: Ledger::default(),
            picture: Picture::default(),
            has: [None; CALLERS.len()],
            held: Vec::new(),
            submissions: 0,
            counts: Counts::default(),
            store: None,
            is_made: false,
            blobs,
            coming: Arc::default(),
        }
    }

    pub(super) fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    /// Starts the server, again and again while its power goes, and looks whether the disk has kept its word. Says
    /// whether the write that was under way when the power went is there.
    pub(super) fn start(&mut self) -> Verdict<bool> {
        let store = loop {
            if let Some(again) = self.again.take() {
                self.disk.arm(Some(again));
            }
            let options =
                Options { cache: 1 << 20, clock: self.clock.clone(), on_fatal: Box::new(|_| ()) };
            let [database, journal] = self.disk.power_on();
            match Store::with_backends(database, journal, self.blobs, options) {
                Ok(store) => break store,
                Err(_) if !self.disk.is_on() => {
                    self.counts.cuts_in_recovery += 1;
                    if !self.is_made {
                        // A database is made aside, and made anew until it is whole.
                        self.disk.wipe();
                    }
                }
                Err(error) => return violation(Kind::Broken, format!("it cannot start: {error}")),
            }
        };
        let found = store.read().and_then(|tx| {
            let found = Picture::of(&tx)?;
            let whole = found.is_whole(&tx, &store.lines()?)?;
            Ok((found, whole))
        });
        self.store = Some(store);
        self.is_made = true;
        self.agents = Arc::new(Presence::new(&*self.clock));
        let (found, whole) = match found {
            Ok(found) => found,
            Err(error) => return violation(Kind::Broken, error.to_string()),
        };
        if !whole {
            return violation(Kind::Lost, "an index says something else than the records");
        }
        let coming = lock(&self.coming).take();
        let landed = coming.as_ref() == Some(&found) && found != self.picture;
        if !landed && found != self.picture {
            let text = format!(
                "after a restart there is\n{found:#?}\nand not\n{:#?}\nnor\n{coming:#?}",
                self.picture
            );
            return violation(Kind::Lost, text);
        }
        self.picture = found;
        Ok(landed)
    }

    /// Ends this life of the server, by a clean stop or because its power went. Held requests end with it.
    pub(super) fn stop(&mut self) -> Verdict {
        self.counts.restarts += 1;
        let Some(store) = self.store.take() else { return Ok(()) };
        let closed = store.close();
        drop(store);
        self.held.clear();
        if self.disk.is_on() {
            if let Err(error) = closed {
                return violation(Kind::Broken, format!("it cannot stop: {error}"));
            }
        } else {
            self.counts.cuts += 1;
        }
        Ok(())
    }

    /// The server's power went; it starts again.
    pub(super) fn recover(&mut self, may_end: impl Fn(&Job) -> bool) -> Verdict<bool> {
        let before = self.picture.clone();
        self.stop()?;
        let landed = self.start()?;
        changed(&before, &self.picture, may_end)?;
        self.counts.landed += u64::from(landed);
        Ok(landed)
    }

    /// Runs a use case. `may_end` says which jobs may end by it.
    pub(super) fn write<T: Send + 'static>(
        &mut self,
        may_end: impl Fn(&Job) -> bool,
        run: impl FnMut(&mut WriteTx<'_>, Timestamp) -> Result<T, ops::Error> + Send + 'static,
    ) -> Verdict<Outcome<T>> {
        *lock(&self.coming) = None;
        self.write_on(Where::Caller, may_end, run)
    }

    /// The same while another write may be under way, which is then part of it.
    fn write_on<T: Send + 'static>(
        &mut self,
        at: Where,
        may_end: impl Fn(&Job) -> bool,
        run: impl FnMut(&mut WriteTx<'_>, Timestamp) -> Result<T, ops::Error> + Send + 'static,
    ) -> Verdict<Outcome<T>> {
        self.counts.writes += 1;
        let (sender, receiver) = channel();
        self.store().submit(at, seen(Arc::clone(&self.coming), run), move |outcome| {
            // The receiver waits below, so it is there.
            let _ = sender.send(outcome);
        });
        match receiver.recv().unwrap_or_else(|_| Err(Error::Closed.into())) {
            Ok(done) => {
                let after = lock(&self.coming).take().unwrap_or_default();
                let before = std::mem::replace(&mut self.picture, after);
                changed(&before, &self.picture, may_end)?;
                Ok(Outcome::Done(done))
            }
            Err(ops::Error::Store(_)) if !self.disk.is_on() => {
                let landed = self.recover(may_end)?;
                Ok(if landed { Outcome::Landed } else { Outcome::Undone })
            }
            Err(ops::Error::Store(error)) => violation(Kind::Broken, error.to_string()),
            Err(_) => Ok(Outcome::Refused),
        }
    }

    /// Leaves a request with the server, which answers when there is something.
    pub(super) fn hold(
        &mut self,
        (caller, queues, fate): (usize, Queues, Fate),
        may_end: impl Fn(&Job) -> bool,
        run: impl FnMut(&mut WriteTx<'_>, Timestamp) -> Result<Option<Claimed>, ops::Error>
        + Send
        + 'static,
    ) -> Verdict<Outcome<()>> {
        *lock(&self.coming) = None;
        let (sender, receiver) = channel();
        let wanted = Arc::new(AtomicBool::new(true));
        let wait = HeldRequest { queues: names(queues), wanted: Arc::clone(&wanted) };
        let reply = move |outcome| {
            // Nobody takes it when the server ends meanwhile.
            let _ = sender.send(outcome);
        };
        self.store().submit_waiting(
            Where::Writer,
            seen(Arc::clone(&self.coming), run),
            wait,
            reply,
        );
        self.held.push(Held { caller, queues, fate, wanted, receiver });
        // The writer's thread takes one after the other: when this one is done, the request waits or is answered. On this
        // thread, it could be done while the other thread has yet to give its answer.
        self.write_on(Where::Writer, may_end, |_, _| Ok(()))
    }

    /// The held requests that were answered.
    pub(super) fn answered(&mut self) -> Vec<(Held, Claimed)> {
        let mut answered = Vec::new();
        for held in std::mem::take(&mut self.held) {
            match held.receiver.try_recv() {
                Ok(Ok(Some(claimed))) => answered.push((held, claimed)),
                Ok(_) | Err(TryRecvError::Disconnected) => {}
                Err(TryRecvError::Empty) => self.held.push(held),
            }
        }
        answered
    }

    pub(super) fn has_held(&self, caller: usize) -> bool {
        self.held.iter().any(|held| held.caller == caller)
    }
}

/// `run`, and a look at what it will have made of the jobs once it is on disk.
fn seen<T>(
    coming: Arc<Mutex<Option<Picture>>>,
    mut run: impl FnMut(&mut WriteTx<'_>, Timestamp) -> Result<T, ops::Error> + Send + 'static,
) -> impl FnMut(&mut WriteTx<'_>, Timestamp) -> Result<T, ops::Error> + Send + 'static {
    move |tx, now| {
        let done = run(tx, now)?;
        *lock(&coming) = Some(Picture::of(tx)?);
        Ok(done)
    }
}
