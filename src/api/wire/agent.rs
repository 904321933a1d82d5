//! Agents on the wire.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{NAMES, TIME};
use crate::domain::{Agent, AgentPost, Aside, Provision, QueueName, Timestamp};
use crate::http::shape::kind::{INTEGER, NAME, TEXT, at_least, list, map, one_of};
use crate::http::shape::{Input, Kind, Member, Members, Others, Output, Shape, Size, may, must};
use crate::http::{ApiResult, json};
use crate::ops::AgentView;

/// The most lines of its log that an agent sends at once.
const LINES: usize = 10_000;

const STATE: Member = may("state", TEXT, "What it does: waiting, a phase, offline and so on.");
const QUEUES: Member = may("queues", list(&NAME).up_to(NAMES), "The queues that it serves.");
const LOCATION: Member = may("location", TEXT, "Where it stands.");
const PROVISION_TYPE: Member = may("provision_type", TEXT, "How it installs its device.");
const JOB_ID: Member = may("job_id", TEXT, "The job that it runs.");
const COMMENT: Member = may("comment", TEXT, "Why it is offline, in words.");
const IDENTIFIER: Member = may("identifier", TEXT, "Its name in another system.");
const NAME_OF_AGENT: Member = must("name", TEXT, "Its name.");

static POSTED: Shape = Shape {
    name: "AgentPost",
    doc: "What an agent says about itself. What is absent stays as it was; what is not listed is kept and shown.",
    others: Others::Kept,
    members: &[
        STATE,
        QUEUES,
        LOCATION,
        PROVISION_TYPE,
        JOB_ID,
        COMMENT,
        IDENTIFIER,
        may("log", list(&TEXT).up_to(LINES), "Lines to be added to its own log."),
    ],
};

static SHOWN: Shape = Shape {
    name: "Agent",
    doc: "An agent: what it said about itself, and what the server knows of it.",
    others: Others::Kept,
    members: &[
        NAME_OF_AGENT,
        STATE,
        QUEUES,
        LOCATION,
        PROVISION_TYPE,
        JOB_ID,
        COMMENT,
        IDENTIFIER,
        must("updated_at", TIME, "When it last said something about itself."),
        must("last_seen_at", TIME, "When it last sent a request, as far as the server remembers."),
        must(
            "restricted_to",
            map(&list(&TEXT)),
            "Its restricted queues and the clients that own each. If there are any, it takes jobs of these alone.",
        ),
        may("aside", Kind::Object(&ASIDE), "Why it gets no jobs although it asks for them."),
        may("submitted_by", TEXT, "The client that submitted the job that it has."),
        may(
            "provision_streak_type",
            one_of(&["pass", "fail"]),
            "How its last provisionings ended.",
        ),
        may("provision_streak_count", at_least(1), "How many in a row ended so."),
    ],
};

static ASIDE: Shape = Shape {
    name: "Aside",
    doc: "An agent is set aside: it finishes what it runs and gets no more jobs.",
    others: Others::Refused,
    members: &[
        must("cause", one_of(&["drained", "quarantined"]), "What set it aside."),
        must("since", TIME, "When."),
        must("why", TEXT, "Why, for people; may be empty."),
    ],
};

static IN_QUEUE: Shape = Shape {
    name: "QueueAgent",
    doc: "An agent that serves a queue.",
    others: Others::Refused,
    members: &[NAME_OF_AGENT, STATE, QUEUES, LOCATION, PROVISION_TYPE, JOB_ID, COMMENT],
};

/// Members that this server answers itself, so that an agent cannot set them.
const OURS: [&str; 8] = [
    "name",
    "aside",
    "updated_at",
    "last_seen_at",
    "provision_streak_type",
    "provision_streak_count",
    "restricted_to",
    "submitted_by",
];

impl Input for AgentPost {
    const SHAPE: &'static Shape = &POSTED;
    const SIZE: Size = Size::Medium;

    fn read(mut members: Members<'_>) -> ApiResult<Self> {
        #[derive(Deserialize)]
        struct Known {
            queues: Option<Vec<QueueName>>,
            #[serde(default)]
            log: Vec<String>,
        }
        let Known { queues, log } = members.to()?;
        for name in OURS.into_iter().chain(["log"]) {
            members.remove(name);
        }
        Ok(Self { fields: members.into_texts(), queues, log })
    }
}

/// What an agent's post is answered with.
#[derive(Serialize)]
pub(in crate::api) struct Done {
    status: &'static str,
}

/// It was done.
pub(in crate::api) const DONE: Done = Done { status: "OK" };

impl Output for Done {
    const KIND: Kind = Kind::Object(&Shape {
        name: "Done",
        doc: "It was done.",
        others: Others::Refused,
        members: &[must("status", one_of(&["OK"]), "Always OK.")],
    });
}

/// An agent as it is shown.
pub(in crate::api) enum Shown {}

impl Output for Shown {
    const KIND: Kind = Kind::Object(&SHOWN);
}

/// An agent, as JSON text.
pub(in crate::api) fn shown(view: &AgentView, last_seen: Timestamp) -> String {
    let AgentView { agent, restricted_to, submitted_by } = view;
    let mut members = agent.fields.clone();
    let mut add = |name: &str, value: String| members.insert(name.to_owned(), value);
    add("name", json::text(&agent.name));
    add("updated_at", json::text(&agent.updated_at));
    add("last_seen_at", json::text(&last_seen));
    add("restricted_to", json::text(restricted_to));
    if let Some(Aside { cause, since, why }) = &agent.aside {
        let aside = serde_json::json!({ "cause": cause.as_str(), "since": since, "why": why });
        add("aside", aside.to_string());
    }
    if let Some(client) = submitted_by {
        add("submitted_by", json::text(client));
    }
    if let Some((passed, count)) = agent.streak {
        add("provision_streak_type", json::text(&if passed { "pass" } else { "fail" }));
        add("provision_streak_count", json::text(&count));
    }
    with_state(&mut members);
    json::object(&members)
}

/// An agent in the list of a queue's.
pub(in crate::api) enum InQueue {}

impl Output for InQueue {
    const KIND: Kind = Kind::Object(&IN_QUEUE);
}

/// An agent in the list of a queue's, as JSON text.
pub(in crate::api) fn of_queue(agent: &Agent) -> String {
    let mut members = agent.fields.clone();
    members.retain(|name, _| IN_QUEUE.has(name));
    members.insert("name".to_owned(), json::text(&agent.name));
    with_state(&mut members);
    json::object(&members)
}

/// Clients read the state without asking whether it is there.
fn with_state(members: &mut BTreeMap<String, String>) {
    members.entry("state".to_owned()).or_insert_with(|| json::text(&"unknown"));
}

static WHY: Shape = Shape {
    name: "Why",
    doc: "Why something is done.",
    others: Others::Refused,
    members: &[may("why", TEXT, "The reason, for people.").like("the cable is loose")],
};

/// Why something is done.
#[derive(Deserialize)]
pub(in crate::api) struct Why {
    /// The reason; may be empty.
    #[serde(default)]
    pub(in crate::api) why: String,
}

impl Input for Why {
    const SHAPE: &'static Shape = &WHY;
    const SIZE: Size = Size::Small;

    fn read(members: Members<'_>) -> ApiResult<Self> {
        members.to()
    }
}

static PROVISIONED: Shape = Shape {
    name: "ProvisionLog",
    doc: "How a provisioning ended.",
    others: Others::Refused,
    members: &[
        must("job_id", TEXT, "The job that it was made for.")
            .like("01a20ad7-7c66-7762-ad1c-479f6117afcd"),
        must("exit_code", INTEGER, "Zero for success.").like("0"),
        may("detail", TEXT, "What there is to say about it."),
    ],
};

/// How a provisioning ended.
#[derive(Deserialize)]
pub(in crate::api) struct Provisioned {
    job_id: String,
    exit_code: i64,
    #[serde(default)]
    detail: String,
}

impl Provisioned {
    /// The same, reported now.
    pub(in crate::api) fn at(self, now: Timestamp) -> Provision {
        let Self { job_id, exit_code, detail } = self;
        Provision { at: now, job_id, exit_code, detail, submitted_by: None }
    }
}

impl Input for Provisioned {
    const SHAPE: &'static Shape = &PROVISIONED;
    const SIZE: Size = Size::Medium;

    fn read(members: Members<'_>) -> ApiResult<Self> {
        members.to()
    }
}
