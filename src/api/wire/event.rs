//! Events on the wire: what an agent reports and a webhook gets.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::http::error::Place;
use crate::http::{ApiError, Fields, json as text};

/// Where an event goes, and the body.
pub(in crate::api) struct Event {
    pub(in crate::api) webhook: String,
    pub(in crate::api) body: String,
}

/// Reads events. What the document does not name is forwarded too. Errors are 400, as the document says.
pub(in crate::api) fn event(mut body: Fields) -> Result<Event, ApiError> {
    body.string("agent_id");
    body.string("job_queue");
    body.require("job_status_webhook");
    let webhook = body.string("job_status_webhook").unwrap_or_default();
    if body.has("job_status_webhook") && !is_url(&webhook) {
        body.refuse("job_status_webhook", "Not a valid URL.");
    }
    body.objects("events", |event| {
        for name in ["event_name", "timestamp"] {
            event.require(name);
            event.string(name);
        }
        event.drop_null("detail");
        event.string("detail");
    });
    let mut members = body.finish().map_err(|error| error.status(StatusCode::BAD_REQUEST))?;
    members.remove("job_status_webhook");
    Ok(Event { webhook, body: ordered(members.into_iter().collect()) })
}

/// The object in upstream's order and spacing: its webhooks may compare text.
fn ordered(mut members: Vec<(String, String)>) -> String {
    let place = |name: &str| match name {
        "agent_id" => 0,
        "job_queue" => 1,
        "events" => 2,
        _ => 3,
    };
    members.sort_by_key(|(name, _)| place(name));
    let members: Vec<String> =
        members.iter().map(|(name, value)| format!("{}:{value}", text::text(name))).collect();
    text::spaced(&format!("{{{}}}", members.join(",")))
}

fn is_url(text: &str) -> bool {
    let uri = text.parse::<axum::http::Uri>();
    uri.is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
    })
}

/// A refusal of the target, in the form of a wrong member.
pub(in crate::api) fn refused(message: &str) -> ApiError {
    let mut errors = Map::<String, Value>::new();
    errors.insert("job_status_webhook".to_owned(), json!([message]));
    ApiError::validation(Place::Body, &errors).status(StatusCode::BAD_REQUEST)
}
