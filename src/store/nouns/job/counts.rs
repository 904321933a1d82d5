//! Counts of jobs, from the index tables.

use std::collections::HashMap;
use std::ops::{Bound, ControlFlow};

use super::by_state;
use super::reads::{JobReads, names};
use crate::domain::{JobId, JobState, QueueName, Standing, Timestamp};
use crate::store::engine::{Direction, Error, Key, Rows, Table, Tail};

/// How many priorities of a queue are looked at for its oldest job.
const PRIORITIES: usize = 64;

/// Counts of jobs.
pub trait JobCounts {
    /// How many jobs stand where, of those that have not ended. Reads an index row of each.
    fn standings(&self) -> Result<HashMap<Standing, u64>, Error>;
    /// When the oldest job that a queue could hand out was submitted. Reads two rows for each priority.
    fn oldest_waiting(&self, queue: &QueueName) -> Result<Option<Timestamp>, Error>;
}

impl<R: Rows> JobCounts for R {
    fn standings(&self) -> Result<HashMap<Standing, u64>, Error> {
        let mut active = 0;
        for word in names(self, Table::JobByState)? {
            if word != JobState::WAITING && !JobState::is_finished_word(&word) {
                active += rows(self, Table::JobByState, &by_state(&word))?;
            }
        }
        let mut suspects = 0;
        for id in self.held()? {
            let suspect = self.job(id)?.is_some_and(|job| job.standing() == Standing::Suspect);
            suspects += u64::from(suspect);
        }
        Ok(HashMap::from([
            (Standing::Waiting, self.count(Table::Waiting)?),
            (Standing::AwaitingAttachments, self.count(Table::AwaitingAttachments)?),
            (Standing::Running, active - suspects),
            (Standing::Suspect, suspects),
        ]))
    }

    fn oldest_waiting(&self, queue: &QueueName) -> Result<Option<Timestamp>, Error> {
        let prefix = queue.prefix();
        let (mut from, end) = (prefix.clone(), prefix.after_prefix());
        let mut oldest: Option<(u64, JobId)> = None;
        // Within a priority the oldest comes first, so one look at each is enough.
        for _ in 0..PRIORITIES {
            let mut first = None;
            let until = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let range = (Bound::Included(from.as_slice()), until);
            self.scan(Table::Waiting, range, Direction::Forward, &mut |key, value| {
                let mut tail = Tail(key);
                let (seq, priority) = (tail.number(), tail.priority());
                first = Some((seq, priority, JobId::stored(value)?));
                Ok(ControlFlow::Break(()))
            })?;
            let Some((seq, priority, id)) = first else { break };
            if oldest.is_none_or(|(found, _)| seq < found) {
                oldest = Some((seq, id));
            }
            let Some(next) = prefix.clone().priority(priority).after_prefix() else { break };
            from = Key::new().raw(&next);
        }
        let job = oldest.map(|(_, id)| self.job(id)).transpose()?.flatten();
        Ok(job.map(|job| job.created_at))
    }
}

fn rows(tx: &impl Rows, table: Table, prefix: &Key) -> Result<u64, Error> {
    let mut count = 0;
    tx.scan_prefix(table, prefix, None, &mut |_, _| {
        count += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(count)
}
