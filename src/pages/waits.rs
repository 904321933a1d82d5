//! Why a job waits, on its page.

use std::time::Duration;

use super::show::growing;
use crate::domain::{Timestamp, counted};
use crate::ops::{AgentCondition, Reason, Waiting};

/// Why a job waits.
pub(super) struct Waits {
    pub(super) reason: &'static str,
    pub(super) more: String,
    pub(super) agents: Vec<AgentNote>,
}

pub(super) struct AgentNote {
    pub(super) name: String,
    pub(super) what: String,
}

impl Waits {
    /// In words.
    pub(super) fn of(waiting: &Waiting, now: Timestamp) -> Self {
        let counts = waiting.counts;
        let reason = match waiting.reason {
            Reason::Attachments => "Its attachments have not arrived.",
            Reason::NoAgents => "No agent serves its queue. Is the name of the queue right?",
            Reason::Excluded => "It excludes every agent of its queue.",
            Reason::Restricted => {
                "The agents of its queue take only jobs of their restricted queues."
            }
            Reason::Offline => "Every agent that may have it is offline or silent.",
            Reason::Busy => "Every agent that may have it has a job.",
            Reason::Behind => "Other jobs come first.",
            Reason::Next => "It is the next one.",
            Reason::Drained => "The server is drained: it hands out no jobs for now.",
        };
        let mut more = Vec::new();
        if waiting.before > 0 {
            more.push(match waiting.before {
                1 => "One job stands before it.".to_owned(),
                before => format!("{before} jobs stand before it."),
            });
        }
        if counts.offline > 0 {
            let (one, several) = ("of its agents is offline.", "of its agents are offline.");
            more.push(counted(counts.offline, one, several));
        }
        if let Some(estimate) = waiting.estimate {
            let [earliest, likely, latest] = [estimate.earliest, estimate.likely, estimate.latest]
                .map(|seconds| growing(Duration::from_secs(seconds)));
            more.push(if latest == earliest {
                format!("It is expected to start in {likely}.")
            } else {
                format!(
                    "It is expected to start in {earliest} to {latest}, most likely in {likely}."
                )
            });
        }
        let note = |agent: &AgentCondition| {
            let since = agent.since.map(|at| format!(" for {}", growing(now.since(at))));
            let comment = agent.comment.as_ref().map(|comment| format!(": {comment}"));
            let word = agent.condition.as_str().to_owned();
            let what = [Some(word), since, comment].into_iter().flatten().collect();
            AgentNote { name: agent.name.to_string(), what }
        };
        Self { reason, more: more.join(" "), agents: waiting.agents.iter().map(note).collect() }
    }
}
