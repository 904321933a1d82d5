//! How a job stands, on the wire.

use serde::Serialize;

use super::change::Changed;
use super::{ID, TIME};
use crate::domain::wait::Estimate;
use crate::domain::{AgentName, ClientId, EndedBy, JobId, QueueName, Timestamp, Tried};
use crate::http::shape::kind::{BOOLEAN, INTEGER, TEXT, at_least, list, one_of};
use crate::http::shape::{Kind, Others, Output, Shape, may, must};
use crate::ops::{AgentCondition, Counts, JobStatus, Reason, Waiting};

/// How a job stands.
#[derive(Serialize)]
pub(in crate::api) struct Status {
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<AgentName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_silent_since: Option<Timestamp>,
    attempt: u32,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<Timestamp>,
    history: Vec<Changed>,
    job_id: JobId,
    job_priority: i64,
    job_queue: QueueName,
    job_state: String,
    pinned: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation: Option<Reservation>,
    retries: u32,
    since: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    submitter: Option<ClientId>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tries: Vec<Try>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<Waits>,
}

static STATUS: Shape = Shape {
    name: "JobStatus",
    doc: "How a job stands.",
    others: Others::Refused,
    members: &[
        may("agent", TEXT, "The agent that has or had it."),
        may("agent_silent_since", TIME, "Since when its agent says nothing."),
        must("attempt", at_least(1), "How often it was submitted."),
        must("created_at", TIME, "When it was submitted."),
        may("ended_by", one_of(&["agent", "person", "server"]), "Who ended it."),
        may("finished_at", TIME, "When it ended."),
        must(
            "history",
            list(&Changed::KIND),
            "What has happened to it: the last hundred changes, oldest first.",
        ),
        must("job_id", ID, "Its id."),
        must("job_priority", INTEGER, "Its priority."),
        must("job_queue", TEXT, "Its queue."),
        must("job_state", TEXT, "Its state."),
        must("pinned", BOOLEAN, "Whether retention keeps it whatever its age."),
        may(
            "reservation",
            Kind::Object(&RESERVATION),
            "How long its device is reserved, while it is.",
        ),
        must(
            "retries",
            at_least(0),
            "How often it goes to another agent when its provisioning fails.",
        ),
        must("since", TIME, "When it came into its state."),
        may("started_at", TIME, "When it was handed to its agent."),
        may("submitter", TEXT, "The client that submitted it."),
        may(
            "tries",
            list(&Kind::Object(&TRY)),
            "Its tries that failed in provisioning; absent when there are none.",
        ),
        may("waiting", Kind::Object(&WAITING), "Why it waits, while it does."),
    ],
};

impl Output for Status {
    const KIND: Kind = Kind::Object(&STATUS);
}

#[derive(Serialize)]
struct Try {
    agent: AgentName,
    ended_at: Timestamp,
    number: u32,
    provision_status: i64,
    started_at: Timestamp,
}

static TRY: Shape = Shape {
    name: "Try",
    doc: "A try of a job that failed in provisioning.",
    others: Others::Refused,
    members: &[
        must("agent", TEXT, "The agent that tried. The job does not go to it again."),
        must("ended_at", TIME, "When the agent reported the end."),
        must("number", at_least(1), "Its number: `try` where results and logs are read."),
        must("provision_status", INTEGER, "The exit code of provisioning."),
        must("started_at", TIME, "When the job was handed to the agent."),
    ],
};

#[derive(Serialize)]
struct Reservation {
    seconds_left: u64,
    until: Timestamp,
}

static RESERVATION: Shape = Shape {
    name: "Reservation",
    doc: "How long a device is reserved.",
    others: Others::Refused,
    members: &[
        must("seconds_left", at_least(0), "How long yet."),
        must("until", TIME, "Until when."),
    ],
};

#[derive(Serialize)]
struct Waits {
    agents: Vec<Named>,
    counts: Counted,
    estimate: Option<Starts>,
    message: String,
    position: u64,
    reason: &'static str,
}

static WAITING: Shape = Shape {
    name: "Waiting",
    doc: "Why a job waits.",
    others: Others::Refused,
    members: &[
        must(
            "agents",
            list(&Kind::Object(&NAMED)),
            "The agents that the reason is about, at most ten.",
        ),
        must("counts", Kind::Object(&COUNTED), "How many of the queue's agents are what."),
        must("estimate", Kind::OrNull(&ESTIMATE), "When it starts; null while that is not known."),
        must("message", TEXT, "The reason in words."),
        must("position", at_least(0), "How many jobs of its queue stand before it."),
        must("reason", one_of(&REASONS), "The reason in a word."),
    ],
};

const REASONS: [&str; 9] = [
    "attachments",
    "no_agents",
    "excluded",
    "restricted",
    "offline",
    "busy",
    "behind",
    "next",
    "drained",
];

const ESTIMATE: Kind = Kind::Object(&Shape {
    name: "Estimate",
    doc: "In how many seconds a job is expected to start.",
    others: Others::Refused,
    members: &[
        must("earliest_seconds", at_least(0), "If the jobs before it are short."),
        must("latest_seconds", at_least(0), "If they are long."),
        must("likely_seconds", at_least(0), "If they are as long as they usually are."),
    ],
});

#[derive(Serialize)]
struct Starts {
    #[serde(rename = "earliest_seconds")]
    earliest: u64,
    #[serde(rename = "latest_seconds")]
    latest: u64,
    #[serde(rename = "likely_seconds")]
    likely: u64,
}

#[derive(Serialize)]
struct Counted {
    busy: u64,
    excluded: u64,
    free: u64,
    offline: u64,
    restricted: u64,
}

static COUNTED: Shape = Shape {
    name: "AgentCounts",
    doc: "How many agents are what, of the first thousand that serve a queue.",
    others: Others::Refused,
    members: &[
        must("busy", at_least(0), "They have a job."),
        must("excluded", at_least(0), "The job excludes them."),
        must("free", at_least(0), "They could take a job now."),
        must("offline", at_least(0), "They say that they take no jobs, or nobody hears them."),
        must("restricted", at_least(0), "They take jobs of their restricted queues alone."),
    ],
};

#[derive(Serialize)]
struct Named {
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    condition: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<JobId>,
    name: AgentName,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
}

static NAMED: Shape = Shape {
    name: "AgentCondition",
    doc: "What an agent can do for a waiting job.",
    others: Others::Refused,
    members: &[
        may("comment", TEXT, "What somebody said about its state."),
        must(
            "condition",
            one_of(&["free", "busy", "offline", "silent", "excluded", "restricted"]),
            "What it can do.",
        ),
        may("job_id", ID, "The job that it has."),
        must("name", TEXT, "The agent."),
        may("since", TIME, "Since when."),
    ],
};

impl Status {
    /// How a job stands at a moment.
    pub(in crate::api) fn at(now: Timestamp, status: JobStatus) -> Self {
        let JobStatus { job, since, waiting, reserved_until, history } = status;
        Self {
            agent: job.agent,
            agent_silent_since: job.suspect_since.filter(|_| !job.state.is_finished()),
            attempt: job.attempt,
            created_at: job.created_at,
            ended_by: job.ended_by.map(|by| match by {
                EndedBy::Agent => "agent",
                EndedBy::Person => "person",
                EndedBy::Server => "server",
            }),
            finished_at: job.finished_at,
            history: history.iter().map(|(_, event)| event.into()).collect(),
            job_id: job.id,
            job_priority: job.priority,
            job_queue: job.queue,
            job_state: job.state.to_string(),
            pinned: job.pinned,
            reservation: reserved_until
                .map(|until| Reservation { seconds_left: until.since(now).as_secs(), until }),
            retries: job.retries,
            since,
            started_at: job.started_at,
            submitter: job.client,
            tries: (1..).zip(job.tried).map(|(number, tried)| Try::of(number, tried)).collect(),
            waiting: waiting.map(Waits::from),
        }
    }
}

impl Try {
    fn of(number: u32, tried: Tried) -> Self {
        Self {
            agent: tried.agent,
            ended_at: tried.ended_at,
            number,
            provision_status: tried.exit_code,
            started_at: tried.started_at,
        }
    }
}

impl From<Waiting> for Waits {
    fn from(waiting: Waiting) -> Self {
        let Waiting { before, reason, counts, agents, estimate } = waiting;
        Self {
            message: message(reason, before, &counts, &agents),
            agents: agents.into_iter().map(Named::from).collect(),
            counts: Counted {
                busy: counts.busy,
                excluded: counts.excluded,
                free: counts.free,
                offline: counts.offline,
                restricted: counts.restricted,
            },
            estimate: estimate.map(|Estimate { earliest, likely, latest }| Starts {
                earliest,
                latest,
                likely,
            }),
            position: before,
            reason: match reason {
                Reason::Attachments => "attachments",
                Reason::NoAgents => "no_agents",
                Reason::Excluded => "excluded",
                Reason::Restricted => "restricted",
                Reason::Offline => "offline",
                Reason::Busy => "busy",
                Reason::Behind => "behind",
                Reason::Next => "next",
                Reason::Drained => "drained",
            },
        }
    }
}

impl From<AgentCondition> for Named {
    fn from(agent: AgentCondition) -> Self {
        Self {
            comment: agent.comment,
            condition: agent.condition.as_str(),
            job_id: agent.job,
            name: agent.name,
            since: agent.since,
        }
    }
}

fn message(reason: Reason, before: u64, counts: &Counts, agents: &[AgentCondition]) -> String {
    let counted = |count: u64, one: &str, many: &str| match count {
        1 => one.to_owned(),
        _ => many.replace('#', &count.to_string()),
    };
    match reason {
        Reason::Attachments => "The archive of its attachments has not arrived".to_owned(),
        Reason::NoAgents => "No agent serves the queue".to_owned(),
        Reason::Excluded => "The job excludes every agent of the queue".to_owned(),
        Reason::Restricted => {
            "The agents of the queue take jobs of their restricted queues alone".to_owned()
        }
        Reason::Offline => {
            let who = agents.first().map(|agent| {
                let since = agent.since.map(|at| format!(" since {at}")).unwrap_or_default();
                let why = agent.comment.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
                format!("{}{since}{why}", agent.name)
            });
            let who = who.unwrap_or_default();
            let all = "All # agents that could take the job are offline";
            let text = counted(counts.offline, "The only agent for the job is offline", all);
            format!("{text} ({who}{})", if agents.len() > 1 { " and others" } else { "" })
        }
        Reason::Busy => {
            let text = "All # agents that could take the job are busy";
            let busy = counted(counts.busy, "The only agent for the job is busy", text);
            if before == 0 { busy } else { format!("{busy}, and {}", behind(before)) }
        }
        Reason::Behind => behind(before),
        Reason::Next => "It is the next job, and an agent is free".to_owned(),
        Reason::Drained => {
            "The server is drained: it hands out no jobs until its administrator resumes".to_owned()
        }
    }
}

fn behind(before: u64) -> String {
    match before {
        1 => "1 job comes first".to_owned(),
        _ => format!("{before} jobs come first"),
    }
}
