//! The history of a job on the wire: the one place for the names of its events and their members.

use serde::Serialize;

use super::{ID, TIME};
use crate::domain::member::phase_of_status;
use crate::domain::{Actor, Change, Event, Job, JobId, JobState, Timestamp};
use crate::http::shape::kind::{INTEGER, TEXT, list};
use crate::http::shape::{Kind, Others, Output, Shape, may, must};

/// The events of a job.
#[derive(Serialize)]
pub(in crate::api) struct History {
    events: Vec<Told>,
    job_id: JobId,
}

/// One event, in the words of the events that agents send to webhooks where those have a word for it.
#[derive(Serialize)]
struct Told {
    event: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<i64>,
    timestamp: Timestamp,
}

static EVENT: Shape = Shape {
    name: "JobEvent",
    doc: "Something that happened to a job.",
    others: Others::Refused,
    members: &[
        must("event", TEXT, "What it is called: job_submitted, test_start, job_end and so on."),
        must("message", TEXT, "A sentence about it."),
        may("status", INTEGER, "The exit code of the phase that ended."),
        must("timestamp", TIME, "When it happened."),
    ],
};

impl Output for Told {
    const KIND: Kind = Kind::Object(&EVENT);
}

impl Output for History {
    const KIND: Kind = Kind::Object(&Shape {
        name: "JobEvents",
        doc: "What has happened to a job.",
        others: Others::Refused,
        members: &[
            must("events", list(&Told::KIND), "The events, oldest first."),
            must("job_id", ID, "The job."),
        ],
    });
}

/// The events of a job, oldest first.
pub(in crate::api) fn shown(job: &Job, events: &[Event]) -> History {
    History { job_id: job.id, events: events.iter().flat_map(|event| told(job, event)).collect() }
}

fn told(job: &Job, event: &Event) -> Vec<Told> {
    let one = |name: &str, message: String, status| Told {
        event: name.to_owned(),
        timestamp: event.at,
        message,
        status,
    };
    let by = who(&event.actor);
    match &event.change {
        Change::State { from, to } => {
            let mut all = Vec::new();
            let running = |state: &JobState| state.as_str() == JobState::RUNNING;
            if from.as_ref().is_some_and(running) && to.phase().is_some() {
                all.push(one("job_start", format!("Started by {by}"), None));
            }
            let (name, message) = state(job, event, to, &by);
            all.push(one(&name, message, None));
            all
        }
        Change::Attachments => vec![one("attachments", format!("Attachments sent by {by}"), None)],
        Change::Silence { begins: true } => {
            vec![one("agent_silent", format!("Agent {} fell silent", event.why), None)]
        }
        Change::Silence { begins: false } => {
            vec![one("agent_heard", format!("Agent {} was heard again", event.why), None)]
        }
        Change::Member { name, to, .. } if name == Job::PINNED => {
            let (name, what) = match to.as_deref() {
                Some("true") => ("pinned", "Pinned"),
                _ => ("unpinned", "Unpinned"),
            };
            vec![one(name, format!("{what} by {by}"), None)]
        }
        Change::Member { name, to, .. } => {
            let status = to.as_deref().and_then(|to| to.parse().ok());
            match (phase_of_status(name), status) {
                (Some(phase), Some(status)) => {
                    let phase = phase.as_str();
                    let message = format!("Phase {phase} ended with status {status}");
                    vec![one(&format!("{phase}_end"), message, Some(status))]
                }
                _ => Vec::new(),
            }
        }
    }
}

/// The name and the sentence for a new state.
fn state(job: &Job, event: &Event, to: &JobState, by: &str) -> (String, String) {
    let because = match event.why.as_str() {
        "" => String::new(),
        why => format!(": {why}"),
    };
    let (name, message) = match (to.as_str(), &event.actor) {
        (JobState::WAITING, Actor::Server) => {
            ("job_returned", format!("Put back into its queue{because}"))
        }
        (JobState::WAITING, _) => {
            ("job_submitted", format!("Submitted by {by} for queue {}", job.queue))
        }
        (JobState::RUNNING, _) => ("job_assigned", format!("Assigned to {by}")),
        (JobState::CANCELLED, Actor::Server) => {
            ("cancelled", format!("Ended by the server{because}"))
        }
        (JobState::CANCELLED, _) => ("cancelled", format!("Cancelled by {by}")),
        (word @ (JobState::COMPLETE | JobState::COMPLETED), _) => {
            ("job_end", format!("Reported {word} by {by}"))
        }
        (word, _) => match to.phase() {
            Some(_) => return (format!("{word}_start"), format!("Phase {word} started")),
            None => ("state", format!("Reported {word} by {by}")),
        },
    };
    (name.to_owned(), message)
}

fn who(actor: &Actor) -> String {
    match actor {
        Actor::Anonymous => "somebody without a token".to_owned(),
        Actor::Agent(name) => format!("agent {name}"),
        Actor::Client(id) => format!("client {id}"),
        Actor::LocalAdmin => "the local administrator".to_owned(),
        Actor::Server => "the server".to_owned(),
    }
}
