//! Streams on the wire: what their events say.

use serde::{Deserialize, Serialize};

use super::change::Changed;
use crate::app::{JobNews, LabNews, Told};
use crate::domain::{AgentName, JobId, Subject};
use crate::http::shape::kind::TEXT;
use crate::http::shape::{Input, Members, Others, Shape, may};
use crate::http::{ApiResult, events, json};
use crate::ops::Cursor;

static FROM: Shape = Shape {
    name: "StreamFrom",
    doc: "Where a stream begins.",
    others: Others::Kept,
    members: &[may(
        "last_event_id",
        TEXT,
        "The id of the last event that was seen, where the header Last-Event-ID does not say it.",
    )
    .like("4711")],
};

/// Where a stream begins.
#[derive(Deserialize)]
pub(in crate::api) struct From {
    pub(in crate::api) last_event_id: Option<String>,
}

impl Input for From {
    const SHAPE: &'static Shape = &FROM;

    fn read(members: Members<'_>) -> ApiResult<Self> {
        members.to()
    }
}

/// Text that was added to a log.
#[derive(Serialize)]
struct Text<'a> {
    phase: &'static str,
    text: &'a str,
}

/// The events that tell what has happened to a job up to a place. Only the last one has an id: whoever comes back is told
/// all of them again, or none.
pub(in crate::api) fn of_job(place: Cursor, news: &[JobNews]) -> String {
    let mut text = String::new();
    for (index, one) in news.iter().enumerate() {
        let (name, data) = match one {
            JobNews::Anew(attempt) => {
                ("anew", json::text(&serde_json::json!({ "attempt": attempt })))
            }
            JobNews::Changed(event) => ("change", json::text(&Changed::from(event))),
            JobNews::Text(kind, phase, text) => {
                (kind.as_str(), json::text(&Text { phase: phase.as_str(), text }))
            }
            JobNews::Ended(state) => {
                ("end", json::text(&serde_json::json!({ "job_state": state })))
            }
        };
        let id = (index + 1 == news.len()).then(|| place.to_string());
        text.push_str(&events::event(id, name, &data));
    }
    text
}

/// A change of an agent or a job of the lab.
#[derive(Serialize)]
struct OfLab<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a AgentName>,
    change: Changed,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<JobId>,
}

/// The events that tell what has happened in the lab.
pub(in crate::api) fn of_lab(news: &LabNews) -> String {
    match news {
        LabNews::Missed => events::event(None, "missed", "{}"),
        LabNews::Told(all) => all.iter().map(|told| change(told)).collect(),
    }
}

fn change(told: &Told) -> String {
    let (name, agent, job_id) = match &told.subject {
        Subject::Agent(agent) => ("agent", Some(agent), None),
        Subject::Job(id) => ("job", None, Some(*id)),
    };
    let data = json::text(&OfLab { agent, change: Changed::from(&told.event), job_id });
    events::event(Some(told.number.to_string()), name, &data)
}
