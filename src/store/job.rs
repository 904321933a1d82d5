//! Jobs: body, record, and the index rows that follow from the record.

use std::collections::BTreeSet;
use std::ops::{Bound, ControlFlow};

use super::Error;
use super::expiry::Kind;
use super::key::{Key, Tail};
use super::record::JobV1;
use super::rows::{Direction, Rows, WriteTx};
use super::tables::Table;
use crate::domain::{
    AgentName, Attachments, ClientId, EndedBy, JobId, JobState, QueueName, Tag, Timestamp,
};

/// A job without its body.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Its place in the order of submission; a resubmission gets a new one.
    pub seq: u64,
    /// Its queue.
    pub queue: QueueName,
    /// Higher ones go first.
    pub priority: i64,
    /// Where it stands.
    pub state: JobState,
    /// Whether its attachments are there.
    pub attachments: Attachments,
    /// Who ended it.
    pub ended_by: Option<EndedBy>,
    /// How often it was submitted, from 1.
    pub attempt: u32,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When it was handed to an agent.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The agent that has or had it, when that agent said who it is.
    pub agent: Option<AgentName>,
    /// The agent has shown that it got the job.
    pub acknowledged: bool,
    /// Since when its agent says nothing, once that was long enough to be noticed.
    pub suspect_since: Option<Timestamp>,
    /// Until when it may wait in its queue.
    pub queue_until: Option<Timestamp>,
    /// The client that submitted it.
    pub client: Option<ClientId>,
    /// Kept by retention whatever its age.
    pub pinned: bool,
    /// It names secrets, so only an agent with a token may have it.
    pub secrets: bool,
    /// Its tags, without repetition.
    pub tags: Vec<Tag>,
    /// The agents that must not have it.
    pub exclude_agents: Vec<AgentName>,
}

impl Job {
    /// In its queue and ready to be handed out.
    #[must_use]
    pub fn is_claimable(&self) -> bool {
        self.state.is_waiting() && self.attachments != Attachments::Awaited
    }

    /// The index rows that this job has: the only place that says so. Everything else adds or removes their difference.
    fn index_rows(&self) -> Vec<(Table, Key, Vec<u8>)> {
        let id = self.id.as_bytes().to_vec();
        let mut rows = vec![
            (Table::JobBySeq, Key::new().number(self.seq), id.clone()),
            (Table::JobByQueue, by_queue(&self.queue).number(self.seq), id.clone()),
            (Table::JobByState, by_state(self.state.as_str()).number(self.seq), id.clone()),
        ];
        for tag in &self.tags {
            rows.push((Table::JobByTag, by_tag(tag).number(self.seq), id.clone()));
        }
        if let (true, Some(until)) = (self.state.is_waiting(), self.queue_until) {
            rows.push((
                Table::QueueUntil,
                Key::new().signed(until.as_micros()).raw(&id),
                Vec::new(),
            ));
        }
        if self.is_claimable() {
            rows.push((Table::Waiting, self.place(), self.waiting_value()));
        } else if self.state.is_waiting() {
            rows.push((Table::AwaitingAttachments, self.place(), id.clone()));
        } else if self.state.is_finished() {
            let since = self.finished_at.unwrap_or(self.created_at);
            rows.push((Table::Expiry, Kind::Job.key(since, self.id.as_bytes()), Vec::new()));
        } else if let Some(agent) = &self.agent {
            // Not while it waits: a job that was posted back into its queue is anybody's.
            rows.push((Table::Held, held(agent).raw(&id), Vec::new()));
        }
        rows
    }

    /// Where the job stands in its queue.
    fn place(&self) -> Key {
        by_queue(&self.queue).priority(self.priority).number(self.seq)
    }

    /// What a claim needs to know of a job that it skips: id, flags, excluded agents.
    fn waiting_value(&self) -> Vec<u8> {
        let mut value = self.id.as_bytes().to_vec();
        value.push(u8::from(self.secrets));
        for agent in &self.exclude_agents {
            value.extend_from_slice(Key::new().name(agent.as_str()).as_slice());
        }
        value
    }
}

fn by_queue(queue: &QueueName) -> Key {
    Key::new().name(queue.as_str())
}

fn by_state(word: &str) -> Key {
    Key::new().name(word)
}

fn by_tag(tag: &Tag) -> Key {
    Key::new().name(tag.as_str())
}

fn held(agent: &AgentName) -> Key {
    Key::new().name(agent.as_str())
}

fn key(id: &JobId) -> Key {
    Key::new().raw(id.as_bytes())
}

fn id_of(value: &[u8]) -> Result<JobId, Error> {
    value.first_chunk().map_or_else(
        || Err(Error::Corrupt("an index row without a job id".to_owned())),
        |id| Ok(JobId::from_bytes(*id)),
    )
}

/// Who asks for a job.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// The queues, in any order.
    pub queues: Vec<QueueName>,
    /// The agent, if it says who it is; without a name only jobs that exclude nobody are handed out.
    pub agent: Option<AgentName>,
    /// Whether it may see secrets.
    pub secrets: bool,
}

impl Ask {
    fn may_have(&self, waiting: &[u8]) -> bool {
        let Some((flags, mut excluded)) = waiting.get(16..).and_then(<[u8]>::split_first) else {
            return false;
        };
        if *flags != 0 && !self.secrets {
            return false;
        }
        while let Some((name, rest)) = super::key::leading_name(excluded) {
            if self.agent.as_ref().is_none_or(|agent| agent.as_str() == name) {
                return false;
            }
            excluded = rest;
        }
        true
    }
}

/// A row of a list of jobs.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Its place in the list, and the cursor for what follows.
    pub seq: u64,
    /// The job.
    pub id: JobId,
}

/// Which jobs a list holds: those with a prefix in one of the index tables.
struct List(Table, Key);

/// What can be read of jobs.
pub trait JobReads {
    /// The job with this id.
    ///
    /// # Errors
    /// What the disk says.
    fn job(&self, id: JobId) -> Result<Option<Job>, Error>;
    /// The JSON object that was submitted, without `job_id`.
    ///
    /// # Errors
    /// What the disk says.
    fn job_body(&self, id: JobId) -> Result<Option<String>, Error>;
    /// The job that `ask` would get now: highest priority over all its queues, then submit order.
    ///
    /// # Errors
    /// What the disk says.
    fn first_claimable(&self, ask: &Ask) -> Result<Option<JobId>, Error>;
    /// An unfinished job of these queues that the agent was handed and has not acknowledged.
    ///
    /// # Errors
    /// What the disk says.
    fn unacknowledged(&self, agent: &AgentName, queues: &[QueueName])
    -> Result<Option<Job>, Error>;
    /// The unfinished jobs that agents hold under their names, by agent. As many as there are busy agents.
    ///
    /// # Errors
    /// What the disk says.
    fn held(&self) -> Result<Vec<JobId>, Error>;
    /// The unfinished jobs that this agent holds.
    ///
    /// # Errors
    /// What the disk says.
    fn held_by(&self, agent: &AgentName) -> Result<Vec<JobId>, Error>;
    /// Up to `limit` waiting jobs that may not wait any longer.
    ///
    /// # Errors
    /// What the disk says.
    fn waited_too_long(&self, now: Timestamp, limit: usize) -> Result<Vec<JobId>, Error>;
    /// How many waiting jobs of its queue stand before this one; `None` when it is not waiting. Reads those before it.
    ///
    /// # Errors
    /// What the disk says.
    fn position(&self, id: JobId) -> Result<Option<u64>, Error>;
    /// The next `limit` jobs after `after`, in submit order.
    ///
    /// # Errors
    /// What the disk says.
    fn jobs_after(&self, after: u64, limit: usize) -> Result<Vec<Listed>, Error>;
    /// The same of one queue.
    ///
    /// # Errors
    /// What the disk says.
    fn queue_jobs_after(
        &self,
        queue: &QueueName,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Listed>, Error>;
    /// The same of the jobs with any of the states; `active` adds all states of jobs that are not finished.
    ///
    /// # Errors
    /// What the disk says.
    fn state_jobs_after(
        &self,
        states: &[String],
        active: bool,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Listed>, Error>;
    /// The same of the jobs with any of the tags.
    ///
    /// # Errors
    /// What the disk says.
    fn tag_jobs_after(&self, tags: &[Tag], after: u64, limit: usize) -> Result<Vec<Listed>, Error>;
}

impl<R: Rows> JobReads for R {
    fn job(&self, id: JobId) -> Result<Option<Job>, Error> {
        self.record::<JobV1>(Table::Job, &key(&id))?.map(|record| record.into_job(id)).transpose()
    }

    fn job_body(&self, id: JobId) -> Result<Option<String>, Error> {
        self.get(Table::JobBody, &key(&id))?
            .map(|bytes| {
                String::from_utf8(bytes).map_err(|_| Error::Corrupt(format!("body of job {id}")))
            })
            .transpose()
    }

    fn first_claimable(&self, ask: &Ask) -> Result<Option<JobId>, Error> {
        let mut best: Option<((i64, u64), JobId)> = None;
        for queue in &ask.queues {
            self.scan_prefix(Table::Waiting, &by_queue(queue), None, &mut |key, value| {
                let mut tail = Tail(key);
                let (seq, priority) = (tail.number(), tail.priority());
                let rank = (priority.saturating_neg(), seq);
                if best.as_ref().is_some_and(|(found, _)| *found <= rank) {
                    return Ok(ControlFlow::Break(()));
                }
                if !ask.may_have(value) {
                    return Ok(ControlFlow::Continue(()));
                }
                best = Some((rank, id_of(value)?));
                Ok(ControlFlow::Break(()))
            })?;
        }
        Ok(best.map(|(_, id)| id))
    }

    fn unacknowledged(
        &self,
        agent: &AgentName,
        queues: &[QueueName],
    ) -> Result<Option<Job>, Error> {
        for id in self.held_by(agent)? {
            let lost = |job: &Job| !job.acknowledged && queues.contains(&job.queue);
            if let Some(job) = self.job(id)?.filter(lost) {
                return Ok(Some(job));
            }
        }
        Ok(None)
    }

    fn held(&self) -> Result<Vec<JobId>, Error> {
        held_ids(self, &Key::new())
    }

    fn held_by(&self, agent: &AgentName) -> Result<Vec<JobId>, Error> {
        held_ids(self, &held(agent))
    }

    fn waited_too_long(&self, now: Timestamp, limit: usize) -> Result<Vec<JobId>, Error> {
        let to = Key::new().signed(now.as_micros());
        let mut ids = Vec::new();
        let range = (Bound::Unbounded, Bound::Excluded(to.as_slice()));
        self.scan(Table::QueueUntil, range, Direction::Forward, &mut |key, _| {
            if ids.len() == limit {
                return Ok(ControlFlow::Break(()));
            }
            ids.push(JobId::from_bytes(Tail(key).bytes()));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(ids)
    }

    fn position(&self, id: JobId) -> Result<Option<u64>, Error> {
        let Some(job) = self.job(id)?.filter(|job| job.state.is_waiting()) else {
            return Ok(None);
        };
        let (queue, place) = (by_queue(&job.queue), job.place());
        let mut before = 0;
        for table in [Table::Waiting, Table::AwaitingAttachments] {
            self.scan_prefix(table, &queue, None, &mut |key, _| {
                if key >= place.as_slice() {
                    return Ok(ControlFlow::Break(()));
                }
                before += 1;
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(Some(before))
    }

    fn jobs_after(&self, after: u64, limit: usize) -> Result<Vec<Listed>, Error> {
        page(self, &List(Table::JobBySeq, Key::new()), after, limit)
    }

    fn queue_jobs_after(
        &self,
        queue: &QueueName,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Listed>, Error> {
        page(self, &List(Table::JobByQueue, by_queue(queue)), after, limit)
    }

    fn state_jobs_after(
        &self,
        states: &[String],
        active: bool,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Listed>, Error> {
        let mut words: BTreeSet<String> = states.iter().cloned().collect();
        if active {
            let known = names(self, Table::JobByState)?;
            words.extend(known.into_iter().filter(|word| !JobState::is_finished_word(word)));
        }
        let lists = words.iter().map(|word| List(Table::JobByState, by_state(word)));
        merged(self, lists, after, limit)
    }

    fn tag_jobs_after(&self, tags: &[Tag], after: u64, limit: usize) -> Result<Vec<Listed>, Error> {
        let lists = tags.iter().map(|tag| List(Table::JobByTag, by_tag(tag)));
        merged(self, lists, after, limit)
    }
}

fn held_ids(rows: &impl Rows, prefix: &Key) -> Result<Vec<JobId>, Error> {
    let mut ids = Vec::new();
    rows.scan_prefix(Table::Held, prefix, None, &mut |key, _| {
        ids.push(JobId::from_bytes(Tail(key).bytes()));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(ids)
}

fn page(rows: &impl Rows, list: &List, after: u64, limit: usize) -> Result<Vec<Listed>, Error> {
    let mut found = Vec::new();
    rows.scan_prefix(list.0, &list.1, Some(after), &mut |key, value| {
        if found.len() == limit {
            return Ok(ControlFlow::Break(()));
        }
        found.push(Listed { seq: Tail(key).number(), id: id_of(value)? });
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// The next rows of several lists together: the first `limit` of the union lie within the first `limit` of each.
fn merged(
    rows: &impl Rows,
    lists: impl Iterator<Item = List>,
    after: u64,
    limit: usize,
) -> Result<Vec<Listed>, Error> {
    let mut all = Vec::new();
    for list in lists {
        all.extend(page(rows, &list, after, limit)?);
    }
    all.sort_unstable_by_key(|row| row.seq);
    all.dedup_by_key(|row| row.seq);
    all.truncate(limit);
    Ok(all)
}

/// The distinct leading names in a table, by skipping from one to the next.
pub(super) fn names(rows: &impl Rows, table: Table) -> Result<Vec<String>, Error> {
    let mut found: Vec<String> = Vec::new();
    let mut from = Vec::new();
    loop {
        let mut next = None;
        rows.scan(
            table,
            (std::ops::Bound::Included(&from[..]), std::ops::Bound::Unbounded),
            super::rows::Direction::Forward,
            &mut |key, _| {
                next = super::key::leading_name(key).map(|(name, _)| name.to_owned());
                Ok(ControlFlow::Break(()))
            },
        )?;
        let Some(name) = next else { return Ok(found) };
        let end = Key::new().name(&name).after_prefix();
        found.push(name);
        match end {
            Some(end) => from = end,
            None => return Ok(found),
        }
    }
}

impl WriteTx<'_> {
    /// The next place in the order of submission.
    ///
    /// # Errors
    /// What the disk says.
    pub fn next_place(&mut self) -> Result<u64, Error> {
        self.next_seq()
    }

    /// Adds a job with its body.
    ///
    /// # Errors
    /// What the disk says.
    pub fn insert_job(&mut self, job: &Job, body: &str) -> Result<(), Error> {
        self.put(Table::JobBody, &key(&job.id), body.as_bytes())?;
        self.replace_rows(&[], &job.index_rows())?;
        self.wake(None, job);
        self.put_record(Table::Job, &key(&job.id), &JobV1::from(job))
    }

    /// Makes `old` into `new`, which has the same id, with all its index rows.
    ///
    /// # Errors
    /// What the disk says.
    pub fn update_job(&mut self, old: &Job, new: &Job) -> Result<(), Error> {
        debug_assert_eq!(old.id, new.id);
        self.replace_rows(&old.index_rows(), &new.index_rows())?;
        self.wake(Some(old), new);
        self.put_record(Table::Job, &key(&new.id), &JobV1::from(new))
    }

    /// Offers a job that became claimable to whoever waits for its queue.
    fn wake(&mut self, old: Option<&Job>, new: &Job) {
        if new.is_claimable() && !old.is_some_and(Job::is_claimable) {
            self.effects.wake.push(new.queue.clone());
        }
    }

    /// Removes a job and its body; its results, logs, files and history have removals of their own.
    ///
    /// # Errors
    /// What the disk says.
    pub fn remove_job(&mut self, job: &Job) -> Result<(), Error> {
        self.replace_rows(&job.index_rows(), &[])?;
        self.remove(Table::JobBody, &key(&job.id))?;
        self.remove(Table::Job, &key(&job.id))?;
        Ok(())
    }

    /// Replaces index rows, touching only those that differ.
    pub(super) fn replace_rows(
        &mut self,
        old: &[(Table, Key, Vec<u8>)],
        new: &[(Table, Key, Vec<u8>)],
    ) -> Result<(), Error> {
        for row in old {
            if !new.iter().any(|(table, key, _)| *table == row.0 && *key == row.1) {
                self.remove(row.0, &row.1)?;
            }
        }
        for row in new {
            if !old.contains(row) {
                self.put(row.0, &row.1, &row.2)?;
            }
        }
        Ok(())
    }
}
