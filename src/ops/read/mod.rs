//! Use cases that only look: lists a page at a time, and single things.

mod agent;
mod client;
mod follow;
mod glance;
mod job;
mod lab;
mod log;
mod queue;
mod result;
mod search;
mod status;

pub use agent::{AgentView, agent, agent_history, agents};
pub use client::{client, clients, has_clients, is_free};
pub use follow::{BadCursor, Cursor, Followed, Piece, follow, text_before};
pub use glance::{JobFilter, JobGlance, LOOKED_AT, Stage};
pub use job::{blob, job_history, position, queue_jobs, submitted};
pub use lab::{
    AgentGlance, Doing, Lab, LabReads, QueueGlance, agent_log, agent_since, ended_since,
    longest_waiting, newest_events, newest_waits, provisions, waiting_in, waits,
};
pub use log::{PhaseLog, fragment_texts, log, unread, unread_piece};
pub use queue::{
    QueueKnown, WaitTimes, advertised_queues, images, queue_agents, queue_known, restricted_queue,
    restricted_queues, wait_times,
};
pub use result::{
    MemberView, ResultView, TriedView, kept_of_try, log_of_try, result, result_chunk, status, tried,
};
pub use search::{Match, Search};
pub use status::{
    AgentCondition, Condition, Counts, Hearing, JobStatus, Reason, Waiting, job_status,
};

/// A part of a list, and the cursor for what follows it.
///
/// A page may have no items although another follows, where an index is read that holds more than is asked for.
#[derive(Clone, Debug)]
pub struct Page<T, C> {
    /// The items, in order.
    pub items: Vec<T>,
    /// Where the next page begins; `None` at the end of the list.
    pub next: Option<C>,
}

impl<T, C> Page<T, C> {
    /// The page of `items`, which an index gave when it was asked for at most `limit`.
    pub(super) fn of(items: Vec<T>, limit: usize, cursor: impl FnOnce(&T) -> C) -> Self {
        let next = items.last().filter(|_| items.len() == limit).map(cursor);
        Self { items, next }
    }
}
