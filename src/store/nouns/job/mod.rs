//! Jobs: body, record, and the index rows that follow from the record.

mod counts;
pub(crate) mod lines;
mod reads;
mod record;

pub use counts::JobCounts;
pub(crate) use reads::names;
pub use reads::{Ask, JobReads, JobsOf, Listed};
pub(super) use record::JobV3;
#[cfg(test)]
pub(super) use record::{JobV1, JobV2};

use crate::domain::{Job, JobId};
use crate::store::engine::observer::JobChange;
use crate::store::engine::{Error, IndexRow, Key, Table, WriteTx, codec};
use crate::store::nouns::aging::Kind;

/// How often a queue is offered at once.
const OFFERED: usize = 256;

impl Job {
    /// The index rows that this job has: the only place that says so. Everything else adds or removes their difference.
    fn index_rows(&self) -> Vec<IndexRow> {
        let id = self.id.as_bytes().to_vec();
        let mut rows = vec![
            (Table::JobBySeq, Key::new().number(self.seq), id.clone()),
            (Table::JobByQueue, self.queue.prefix().number(self.seq), id.clone()),
            (Table::JobByState, by_state(self.state.as_str()).number(self.seq), id.clone()),
        ];
        for tag in &self.tags {
            rows.push((
                Table::JobByTag,
                Key::new().name(tag.as_str()).number(self.seq),
                id.clone(),
            ));
        }
        rows.extend(self.client_row());
        rows.extend(self.tried.iter().map(|tried| (Table::Kept, tried.kept.key(), id.clone())));
        if let (true, Some(until)) = (self.state.is_waiting(), self.queue_until) {
            rows.push((
                Table::QueueUntil,
                Key::new().signed(until.as_micros()).raw(&id),
                Vec::new(),
            ));
        }
        if self.is_claimable() {
            rows.push((Table::Waiting, self.place_key(), self.waiting_value()));
        } else if self.state.is_waiting() {
            rows.push((Table::AwaitingAttachments, self.place_key(), id.clone()));
        } else if self.state.is_finished() {
            let since = self.finished_at.unwrap_or(self.created_at);
            rows.push((Table::Expiry, Kind::Job.key(since, self.id.as_bytes()), Vec::new()));
        } else if let Some(agent) = &self.agent {
            // Not while it waits: a job that was posted back into its queue is anybody's.
            rows.push((Table::Held, agent.prefix().raw(&id), Vec::new()));
        }
        rows
    }

    /// Where the job is listed with its submitter's others.
    fn client_row(&self) -> Option<IndexRow> {
        let client = Key::new().name(self.client.as_ref()?.as_str());
        Some((Table::JobByClient, client.number(self.seq), self.id.as_bytes().to_vec()))
    }

    /// Where the job stands in its queue, as a key.
    fn place_key(&self) -> Key {
        self.queue.prefix().priority(self.priority).number(self.seq)
    }

    /// What a claim needs to know of a job that it skips: id, flags, agents that must not have it.
    fn waiting_value(&self) -> Vec<u8> {
        let mut value = self.id.as_bytes().to_vec();
        value.push(u8::from(self.secrets));
        for agent in self.exclude_agents.iter().chain(self.tried.iter().map(|tried| &tried.agent)) {
            value.extend_from_slice(Key::new().name(agent.as_str()).as_slice());
        }
        value
    }
}

/// Where jobs in a state are listed.
fn by_state(word: &str) -> Key {
    Key::new().name(word)
}

/// The index rows of a stored job.
pub(crate) fn index_of(key: &[u8], value: &[u8]) -> Result<Vec<IndexRow>, Error> {
    let record: JobV3 = codec::decode(value)?;
    Ok(record.into_job(JobId::stored(key)?)?.index_rows())
}

impl WriteTx<'_> {
    /// The next place in the order of submission.
    pub fn next_place(&mut self) -> Result<u64, Error> {
        self.next_seq()
    }

    /// Adds a job with its body.
    pub fn insert_job(&mut self, job: &Job, body: &str) -> Result<(), Error> {
        self.put(Table::JobBody, &job.id.key(), body.as_bytes())?;
        self.replace_rows(&[], &job.index_rows())?;
        self.tell(None, Some(job));
        self.put_record(Table::Job, &job.id.key(), &JobV3::from(job))
    }

    /// Lists a job by its submitter, as older programs did not.
    pub(crate) fn list_by_client(&mut self, job: &Job) -> Result<(), Error> {
        self.replace_rows(&[], job.client_row().as_slice())
    }

    /// Makes `old` into `new`, which has the same id, with all its index rows.
    pub fn update_job(&mut self, old: &Job, new: &Job) -> Result<(), Error> {
        debug_assert_eq!(old.id, new.id);
        self.replace_rows(&old.index_rows(), &new.index_rows())?;
        self.tell(Some(old), Some(new));
        self.put_record(Table::Job, &new.id.key(), &JobV3::from(new))
    }

    /// Lets retention look at a job at its own age again: while the job was pinned, its row was moved on.
    pub fn age_again(&mut self, job: &Job) -> Result<(), Error> {
        let mut rows = job.index_rows();
        rows.retain(|(table, ..)| *table == Table::Expiry);
        self.replace_rows(&[], &rows)
    }

    /// Tells whoever watches of a change, and offers a job that became claimable to whoever waits for its queue.
    fn tell(&mut self, old: Option<&Job>, new: Option<&Job>) {
        let Some(job) = new.or(old) else { return };
        let (before, after) = (old.map(Job::standing), new.map(Job::standing));
        if before != after {
            self.note_job(JobChange {
                queue: job.queue.clone(),
                place: job.place(),
                before,
                after,
            });
        }
        if new.is_some_and(Job::is_claimable) && !old.is_some_and(Job::is_claimable) {
            self.wake(job.queue.clone());
        }
    }

    /// Offers what waits in all queues to the requests that are held for them, each queue up to [`OFFERED`] times: a
    /// request that gets nothing is soon made again. Not only as often as jobs wait in a queue, because a request for
    /// several queues may take a job of another one.
    pub fn offer_waiting(&mut self) -> Result<(), Error> {
        let (queues, mut waiting) = (self.queues_with_waiting()?, 0);
        for queue in &queues {
            waiting += self.first_waiting(queue, OFFERED)?.len();
        }
        for queue in queues {
            (0..waiting.min(OFFERED)).for_each(|_| self.wake(queue.clone()));
        }
        Ok(())
    }

    /// Removes a job and its body; its results, logs, files and history have removals of their own.
    pub fn remove_job(&mut self, job: &Job) -> Result<(), Error> {
        self.replace_rows(&job.index_rows(), &[])?;
        self.tell(Some(job), None);
        self.remove(Table::JobBody, &job.id.key())?;
        self.remove(Table::Job, &job.id.key())?;
        Ok(())
    }
}
