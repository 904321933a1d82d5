//! What can be read of jobs: one by one, what a claim would get, and lists a page at a time.

use std::collections::BTreeSet;
use std::ops::{Bound, ControlFlow};

use super::by_state;
use super::record::JobV3;
use crate::domain::{AgentName, ClientId, Job, JobId, JobState, QueueName, Tag, Timestamp};
use crate::store::engine::{ALL, Direction, Error, Key, Rows, Table, Tail, leading_name};

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
        while let Some((name, rest)) = leading_name(excluded) {
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

/// Whose newest jobs a list has.
#[derive(Clone, Copy, Debug)]
pub enum JobsOf<'a> {
    /// All jobs.
    All,
    /// Those of a queue.
    Queue(&'a QueueName),
    /// Those with a tag.
    Tag(&'a Tag),
    /// Those of a submitter.
    Client(&'a ClientId),
    /// Those in any of the states.
    States(&'a [String]),
}

/// Which jobs a list holds: those with a prefix in one of the index tables.
struct List(Table, Key);

/// What can be read of jobs.
pub trait JobReads {
    /// The job with this id.
    fn job(&self, id: JobId) -> Result<Option<Job>, Error>;
    /// The job that this id belongs to: its own, or the one under which a try of it is kept.
    fn job_of(&self, id: JobId) -> Result<Option<Job>, Error>;
    /// The JSON object that was submitted, without `job_id`.
    fn job_body(&self, id: JobId) -> Result<Option<String>, Error>;
    /// How many bytes that object has.
    fn job_body_size(&self, id: JobId) -> Result<Option<usize>, Error>;
    /// The same, if it is not longer than this.
    fn job_body_within(&self, id: JobId, most: usize) -> Result<Option<String>, Error>;
    /// The newest `limit` jobs before the one with `seq` `before`, newest first.
    fn newest_jobs(
        &self,
        of: &JobsOf<'_>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Listed>, Error>;
    /// The states that jobs are in.
    fn job_states(&self) -> Result<Vec<String>, Error>;
    /// The queues that have jobs, whatever their state.
    fn queues_with_jobs(&self) -> Result<Vec<QueueName>, Error>;
    /// The queues in which jobs wait that an agent could have.
    fn queues_with_waiting(&self) -> Result<Vec<QueueName>, Error>;
    /// How many jobs are in a state. Reads an index row of each.
    fn count_in_state(&self, word: &str) -> Result<usize, Error>;
    /// The first `limit` claimable jobs of a queue, in the order in which they are handed out.
    fn first_waiting(&self, queue: &QueueName, limit: usize) -> Result<Vec<JobId>, Error>;
    /// The job that `ask` would get now: highest priority over all its queues, then submit order.
    fn first_claimable(&self, ask: &Ask) -> Result<Option<JobId>, Error>;
    /// An unfinished job of these queues that the agent was handed and has not acknowledged.
    fn unacknowledged(&self, agent: &AgentName, queues: &[QueueName])
    -> Result<Option<Job>, Error>;
    /// The unfinished jobs that agents hold under their names, by agent. As many as there are busy agents.
    fn held(&self) -> Result<Vec<JobId>, Error>;
    /// The unfinished jobs that this agent holds.
    fn held_by(&self, agent: &AgentName) -> Result<Vec<JobId>, Error>;
    /// Up to `limit` waiting jobs that may not wait any longer.
    fn waited_too_long(&self, now: Timestamp, limit: usize) -> Result<Vec<JobId>, Error>;
    /// The next `limit` jobs after `after`, in submit order.
    fn jobs_after(&self, after: u64, limit: usize) -> Result<Vec<Listed>, Error>;
    /// The same of one queue.
    fn queue_jobs_after(
        &self,
        queue: &QueueName,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Listed>, Error>;
    /// The same of the jobs with any of the states; `active` adds all states of jobs that are not finished.
    fn state_jobs_after(
        &self,
        states: &[String],
        active: bool,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Listed>, Error>;
    /// The same of the jobs with any of the tags.
    fn tag_jobs_after(&self, tags: &[Tag], after: u64, limit: usize) -> Result<Vec<Listed>, Error>;
}

impl<R: Rows> JobReads for R {
    fn job(&self, id: JobId) -> Result<Option<Job>, Error> {
        self.record::<JobV3>(Table::Job, &id.key())?.map(|record| record.into_job(id)).transpose()
    }

    fn job_of(&self, id: JobId) -> Result<Option<Job>, Error> {
        match self.get(Table::Kept, &id.key())? {
            Some(job) => self.job(JobId::stored(&job)?),
            None => self.job(id),
        }
    }

    fn job_body(&self, id: JobId) -> Result<Option<String>, Error> {
        self.get(Table::JobBody, &id.key())?
            .map(|bytes| {
                String::from_utf8(bytes).map_err(|_| Error::Corrupt(format!("body of job {id}")))
            })
            .transpose()
    }

    fn job_body_size(&self, id: JobId) -> Result<Option<usize>, Error> {
        let mut size = None;
        self.with(Table::JobBody, id.key().as_slice(), &mut |value| size = Some(value.len()))?;
        Ok(size)
    }

    fn job_body_within(&self, id: JobId, most: usize) -> Result<Option<String>, Error> {
        let mut found = None;
        self.with(Table::JobBody, id.key().as_slice(), &mut |body| {
            if body.len() <= most {
                found = Some(String::from_utf8_lossy(body).into_owned());
            }
        })?;
        Ok(found)
    }

    fn newest_jobs(
        &self,
        of: &JobsOf<'_>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Listed>, Error> {
        let lists = match of {
            JobsOf::All => vec![List(Table::JobBySeq, Key::new())],
            JobsOf::Queue(queue) => vec![List(Table::JobByQueue, queue.prefix())],
            JobsOf::Tag(tag) => vec![List(Table::JobByTag, Key::new().name(tag.as_str()))],
            JobsOf::Client(client) => {
                vec![List(Table::JobByClient, Key::new().name(client.as_str()))]
            }
            JobsOf::States(words) => {
                words.iter().map(|word| List(Table::JobByState, by_state(word))).collect()
            }
        };
        let mut all = Vec::new();
        for List(table, prefix) in lists {
            all.extend(self.newest(table, &prefix, (before, limit), |key, value| {
                Ok(Listed { seq: Tail(key).number(), id: JobId::stored(value)? })
            })?);
        }
        all.sort_unstable_by_key(|row| std::cmp::Reverse(row.seq));
        all.truncate(limit);
        Ok(all)
    }

    fn job_states(&self) -> Result<Vec<String>, Error> {
        names(self, Table::JobByState)
    }

    fn queues_with_jobs(&self) -> Result<Vec<QueueName>, Error> {
        Ok(names(self, Table::JobByQueue)?.into_iter().map(QueueName::trusted).collect())
    }

    fn queues_with_waiting(&self) -> Result<Vec<QueueName>, Error> {
        Ok(names(self, Table::Waiting)?.into_iter().map(QueueName::trusted).collect())
    }

    fn count_in_state(&self, word: &str) -> Result<usize, Error> {
        let every = (None, usize::MAX);
        Ok(self.list(Table::JobByState, &by_state(word), every, |_, _| Ok(()))?.len())
    }

    fn first_waiting(&self, queue: &QueueName, limit: usize) -> Result<Vec<JobId>, Error> {
        self.list(Table::Waiting, &queue.prefix(), (None, limit), |_, value| JobId::stored(value))
    }

    fn first_claimable(&self, ask: &Ask) -> Result<Option<JobId>, Error> {
        let mut best: Option<((i64, u64), JobId)> = None;
        for queue in &ask.queues {
            self.scan_prefix(Table::Waiting, &queue.prefix(), None, &mut |key, value| {
                let mut tail = Tail(key);
                let (seq, priority) = (tail.number(), tail.priority());
                let rank = (priority.saturating_neg(), seq);
                if best.as_ref().is_some_and(|(found, _)| *found <= rank) {
                    return Ok(ControlFlow::Break(()));
                }
                if !ask.may_have(value) {
                    return Ok(ControlFlow::Continue(()));
                }
                best = Some((rank, JobId::stored(value)?));
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
        held_ids(self, &agent.prefix())
    }

    fn waited_too_long(&self, now: Timestamp, limit: usize) -> Result<Vec<JobId>, Error> {
        let to = Key::new().signed(now.as_micros());
        let range = (Bound::Unbounded, Bound::Excluded(to.as_slice()));
        self.collect(Table::QueueUntil, (range, Direction::Forward), limit, |key, _| {
            Ok(JobId::from_bytes(Tail(key).bytes()))
        })
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
        page(self, &List(Table::JobByQueue, queue.prefix()), after, limit)
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
        let lists = tags.iter().map(|tag| List(Table::JobByTag, Key::new().name(tag.as_str())));
        merged(self, lists, after, limit)
    }
}

fn held_ids(rows: &impl Rows, prefix: &Key) -> Result<Vec<JobId>, Error> {
    rows.list(Table::Held, prefix, ALL, |key, _| Ok(JobId::from_bytes(Tail(key).bytes())))
}

fn page(rows: &impl Rows, list: &List, after: u64, limit: usize) -> Result<Vec<Listed>, Error> {
    rows.list(list.0, &list.1, (Some(after), limit), |key, value| {
        Ok(Listed { seq: Tail(key).number(), id: JobId::stored(value)? })
    })
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
pub(crate) fn names(rows: &impl Rows, table: Table) -> Result<Vec<String>, Error> {
    let mut found: Vec<String> = Vec::new();
    let mut from = Vec::new();
    loop {
        let mut next = None;
        rows.scan(
            table,
            (Bound::Included(&from[..]), Bound::Unbounded),
            Direction::Forward,
            &mut |key, _| {
                next = leading_name(key).map(|(name, _)| name.to_owned());
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
