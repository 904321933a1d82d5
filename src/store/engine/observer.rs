//! Whoever watches what the writer commits.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::domain::{Event, JobId, Place, QueueName, Standing, Subject};

/// A job that was added, changed or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobChange {
    /// Its queue.
    pub queue: QueueName,
    /// Its place in the queue.
    pub place: Place,
    /// Where it stood, if it was there.
    pub before: Option<Standing>,
    /// Where it stands, if it still is there.
    pub after: Option<Standing>,
}

/// Something that was added to a history or a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A job or an agent changed: the number of the change, which grows over all subjects, and the change.
    Changed(Subject, u64, Event),
    /// A log of a job has grown.
    Written(JobId),
}

/// What a commit made durable.
pub struct Committed<'a> {
    /// How many operations shared it.
    pub operations: usize,
    /// How long the disk took.
    pub took: Duration,
    /// Bytes of its entry in the journal; zero when it went to the database itself.
    pub journal_bytes: u64,
    /// How long the disk took for a checkpoint that has ended meanwhile.
    pub checkpoint: Option<Duration>,
    /// What became of jobs, in order.
    pub jobs: &'a [JobChange],
    /// How many bytes of blobs came, less those that went.
    pub blob_bytes: i64,
    /// What was added to histories and logs, in order.
    pub news: &'a [News],
}

/// Watches what the writer commits.
pub trait Observer: Send + Sync {
    /// Called on the thread that writes, after each commit, before anybody is answered, so it must be short.
    fn committed(&self, what: &Committed<'_>);
}

/// Nobody watches at first.
pub(crate) type Observed = Arc<OnceLock<Box<dyn Observer>>>;
