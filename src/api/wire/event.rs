//! Events on the wire: what an agent reports and a webhook gets.

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::NAMES;
use crate::http::error::Place;
use crate::http::shape::kind::{TEXT, list, text_by};
use crate::http::shape::{Input, Kind, Members, Others, Shape, Size, may, must};
use crate::http::{ApiError, ApiResult, json};

static EVENTS: Shape = Shape {
    name: "Events",
    doc: "Events of a job, to be passed on to its webhook. What is not listed is passed on too.",
    others: Others::Kept,
    members: &[
        must("job_status_webhook", URL, "Where the events go.").like("http://webhook.example/"),
        may("agent_id", TEXT, "The agent that reports them."),
        may("job_queue", TEXT, "The queue of the job."),
        may("events", list(&Kind::Object(&EVENT)).up_to(NAMES), "The events, oldest first."),
    ],
};

static EVENT: Shape = Shape {
    name: "Event",
    doc: "Something that happened to a job.",
    others: Others::Kept,
    members: &[
        must("event_name", TEXT, "What happened, as one word.").like("provision_start"),
        must("timestamp", TEXT, "When it happened."),
        may("detail", Kind::OrNull(&TEXT), "What there is to say about it."),
    ],
};

const URL: Kind = text_by(is_url, "Not a valid URL.", ("format", "uri"));

fn is_url(text: &str) -> bool {
    let uri = text.parse::<axum::http::Uri>();
    uri.is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
    })
}

/// Where events go, and the body.
pub(in crate::api) struct Events {
    pub(in crate::api) webhook: String,
    pub(in crate::api) body: String,
}

impl Input for Events {
    const SHAPE: &'static Shape = &EVENTS;
    const SIZE: Size = Size::Medium;

    fn read(mut members: Members<'_>) -> ApiResult<Self> {
        #[derive(Deserialize)]
        struct Known {
            job_status_webhook: String,
        }
        let Known { job_status_webhook: webhook } = members.to()?;
        members.remove("job_status_webhook");
        Ok(Self { webhook, body: ordered(&members) })
    }

    /// 400, as the API always said.
    fn refused(place: Place, errors: &Map<String, Value>) -> ApiError {
        ApiError::validation(place, errors).status(StatusCode::BAD_REQUEST)
    }
}

/// The object in the order and spacing of the servers before this one: webhooks may compare text.
fn ordered(members: &Members<'_>) -> String {
    let place = |name: &str| match name {
        "agent_id" => 0,
        "job_queue" => 1,
        "events" => 2,
        _ => 3,
    };
    let mut members: Vec<(&str, &str)> = members.iter().collect();
    members.sort_by_key(|(name, _)| place(name));
    json::spaced(&json::object(members))
}

/// A refusal of the target, in the form of a wrong member.
pub(in crate::api) fn refused(message: &str) -> ApiError {
    let mut errors = Map::new();
    errors.insert("job_status_webhook".to_owned(), json!([message]));
    Events::refused(Place::Body, &errors)
}
