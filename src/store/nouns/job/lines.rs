//! The waiting jobs of each queue, in the order in which they are handed out, in memory.
//!
//! The tables know the order too, but to say how many jobs stand before one, every row before it would be read.

mod places;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::places::Places;
use super::reads::names;
use crate::domain::{Job, Place, QueueName, Standing};
use crate::store::engine::observer::{Committed, JobChange, Observed, Observer};
use crate::store::engine::{Error, ReadTx, Rows, Table, Tail};

/// The waiting jobs of all queues as of the last commit. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Lines(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Whoever has it reads the lines; the others wait until they are there.
    turn: Mutex<()>,
    state: Mutex<State>,
}

/// The lines are read when somebody asks for the first time: at a start, every waiting job would have to be looked at.
#[derive(Debug, Default)]
enum State {
    #[default]
    Unread,
    /// They are being read from a snapshot. This is what was committed meanwhile, in order.
    Meanwhile(Vec<JobChange>),
    Read(Queues),
}

/// The queues in which jobs wait.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(PartialEq))]
struct Queues(HashMap<QueueName, Line>);

impl Lines {
    /// Whether they were read, so that [`Lines::read`] takes no time.
    #[must_use]
    pub(crate) fn are_read(&self) -> bool {
        matches!(*self.state(), State::Read(_))
    }

    /// Reads them, unless they were read. Reads an index row of each waiting job, while the writer goes on.
    ///
    /// Hazard: what is committed is visible to the snapshot a moment before [`Follower`] hears of it, so that one batch may
    /// be followed although the snapshot has it. Places are therefore entered and left as often as one likes.
    pub(crate) fn read(
        &self,
        snapshot: impl FnOnce() -> Result<ReadTx, Error>,
    ) -> Result<(), Error> {
        let _turn = self.0.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if self.are_read() {
            return Ok(());
        }
        let begun = self.begin(snapshot);
        self.finish(begun.and_then(|rows| Queues::stored(&rows)))
    }

    fn begin(&self, snapshot: impl FnOnce() -> Result<ReadTx, Error>) -> Result<ReadTx, Error> {
        let mut state = self.state();
        *state = State::Meanwhile(Vec::new());
        snapshot()
    }

    fn finish(&self, read: Result<Queues, Error>) -> Result<(), Error> {
        let mut state = self.state();
        let meanwhile = std::mem::take(&mut *state);
        let mut queues = read?;
        if let State::Meanwhile(changes) = meanwhile {
            queues.follow(&changes);
            *state = State::Read(queues);
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look<T: Default>(&self, look: impl FnOnce(&HashMap<QueueName, Line>) -> T) -> T {
        match &*self.state() {
            State::Read(Queues(lines)) => look(lines),
            State::Unread | State::Meanwhile(_) => T::default(),
        }
    }

    /// How many waiting jobs of its queue stand before this one.
    #[must_use]
    pub fn before(&self, job: &Job) -> u64 {
        self.look(|lines| lines.get(&job.queue).map_or(0, |line| line.before(&job.place()) as u64))
    }

    /// How many jobs wait in a queue.
    #[must_use]
    pub fn length(&self, queue: &QueueName) -> usize {
        self.look(|lines| lines.get(queue).map_or(0, Line::length))
    }

    /// How many jobs wait in all queues.
    #[must_use]
    pub fn total(&self) -> usize {
        self.look(|lines| lines.values().map(Line::length).sum())
    }

    /// How many jobs each queue could hand out, where there are any.
    #[must_use]
    pub fn claimable(&self) -> Vec<(QueueName, u64)> {
        self.look(|lines| {
            let counts = lines.iter().map(|(queue, line)| (queue.clone(), line.claimable() as u64));
            counts.filter(|(_, count)| *count > 0).collect()
        })
    }

    fn follow(&self, changes: &[JobChange]) {
        match &mut *self.state() {
            State::Unread => {}
            State::Meanwhile(all) => all.extend_from_slice(changes),
            State::Read(queues) => queues.follow(changes),
        }
    }
}

impl Queues {
    /// Those that are stored.
    fn stored(rows: &impl Rows) -> Result<Self, Error> {
        let mut found = Self::default();
        for (table, standing) in [
            (Table::Waiting, Standing::Waiting),
            (Table::AwaitingAttachments, Standing::AwaitingAttachments),
        ] {
            for name in names(rows, table)? {
                let queue = QueueName::trusted(name);
                let prefix = queue.prefix();
                let line = found.0.entry(queue).or_default();
                rows.scan_prefix(table, &prefix, None, &mut |key, _| {
                    let mut tail = Tail(key);
                    let (seq, priority) = (tail.number(), tail.priority());
                    line.enter(Place::new(priority, seq), standing);
                    Ok(ControlFlow::Continue(()))
                })?;
            }
        }
        Ok(found)
    }

    fn follow(&mut self, changes: &[JobChange]) {
        for JobChange { queue, place, before, after } in changes {
            let [before, after] =
                [before, after].map(|it| it.filter(|standing| standing.is_in_queue()));
            if before.is_none() && after.is_none() {
                continue;
            }
            let line = self.0.entry(queue.clone()).or_default();
            line.leave(place);
            if let Some(after) = after {
                line.enter(*place, after);
            }
            if line.all.is_empty() {
                self.0.remove(queue);
            }
        }
    }
}

/// Keeps the lines up to date, and tells whoever else watches.
pub(crate) struct Follower {
    pub(crate) lines: Lines,
    pub(crate) next: Observed,
}

impl Observer for Follower {
    fn committed(&self, what: &Committed<'_>) {
        self.lines.follow(what.jobs);
        if let Some(next) = self.next.get() {
            next.committed(what);
        }
    }
}

/// The waiting jobs of one queue.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(PartialEq))]
struct Line {
    all: Places,
    /// Those of them that wait for their attachments.
    awaiting: Places,
}

impl Line {
    fn enter(&mut self, place: Place, standing: Standing) {
        self.all.insert(place);
        if standing == Standing::AwaitingAttachments {
            self.awaiting.insert(place);
        }
    }

    fn leave(&mut self, place: &Place) {
        self.all.remove(place);
        self.awaiting.remove(place);
    }

    fn length(&self) -> usize {
        self.all.length()
    }

    fn claimable(&self) -> usize {
        self.length().saturating_sub(self.awaiting.length())
    }

    fn before(&self, place: &Place) -> usize {
        self.all.before(place)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::engine::Database;

    /// What a batch makes of some of the jobs of a queue.
    type Batch = Vec<(u8, Option<Standing>)>;

    fn batches() -> impl Strategy<Value = Vec<Batch>> {
        let standing = prop_oneof![
            Just(None),
            Just(Some(Standing::Waiting)),
            Just(Some(Standing::AwaitingAttachments)),
            Just(Some(Standing::Running)),
        ];
        let batch = proptest::collection::vec((0_u8..6, standing), 1..5);
        proptest::collection::vec(batch, 0..6)
    }

    /// Commits a batch, and gives what whoever watches is told of it.
    fn commit(db: &Database, jobs: &mut [Option<Standing>; 6], batch: &Batch) -> Vec<JobChange> {
        let queue = QueueName::trusted("q".to_owned());
        db.write(|tx| {
            let mut changes = Vec::new();
            for &(number, after) in batch {
                let (priority, seq) = (i64::from(number % 2), u64::from(number));
                let place = Place::new(priority, seq);
                let key = queue.prefix().priority(priority).number(seq);
                let table = |standing| match standing {
                    Some(Standing::Waiting) => Some(Table::Waiting),
                    Some(Standing::AwaitingAttachments) => Some(Table::AwaitingAttachments),
                    _ => None,
                };
                let before = std::mem::replace(&mut jobs[usize::from(number)], after);
                if let Some(table) = table(before) {
                    tx.remove(table, &key)?;
                }
                if let Some(table) = table(after) {
                    tx.put(table, &key, &[])?;
                }
                changes.push(JobChange { queue: queue.clone(), place, before, after });
            }
            Ok(changes)
        })
        .unwrap()
    }

    proptest! {
        #[test]
        fn lines_that_are_read_while_the_writer_goes_on_are_those_of_the_tables(
            before in batches(),
            // Visible to the snapshot, but told later.
            at_once in batches().prop_map(|batches| batches.into_iter().next()),
            meanwhile in batches(),
            after in batches(),
        ) {
            let db = Database::in_memory(1 << 20).unwrap();
            db.write(|tx| {
                tx.create_tables()?;
                Ok(())
            }).unwrap();
            let (lines, mut jobs) = (Lines::default(), [None; 6]);
            for batch in &before {
                lines.follow(&commit(&db, &mut jobs, batch));
            }
            let untold = at_once.map(|batch| commit(&db, &mut jobs, &batch));
            let rows = lines.begin(|| db.snapshot()).unwrap();
            lines.follow(&untold.unwrap_or_default());
            for batch in &meanwhile {
                lines.follow(&commit(&db, &mut jobs, batch));
            }
            prop_assert!(!lines.are_read());
            lines.finish(Queues::stored(&rows)).unwrap();
            for batch in &after {
                lines.follow(&commit(&db, &mut jobs, batch));
            }
            let State::Read(found) = &*lines.state() else { panic!("they were read") };
            let stored = Queues::stored(&db.snapshot().unwrap()).unwrap();
            prop_assert_eq!(found, &stored);
        }
    }
}
