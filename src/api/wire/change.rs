//! Changes of jobs and agents on the wire.

use serde::Serialize;

use super::TIME;
use crate::domain::{Actor, Change, Event, Timestamp};
use crate::http::shape::kind::{TEXT, one_of};
use crate::http::shape::{Kind, Others, Output, Shape, may, must};

/// One change: when, who, what, from what to what, and why.
#[derive(Serialize)]
pub(in crate::api) struct Changed {
    at: Timestamp,
    by: &'static str,
    change: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

static CHANGED: Shape = Shape {
    name: "Changed",
    doc: "Something that changed.",
    others: Others::Refused,
    members: &[
        must("at", TIME, "When."),
        must(
            "by",
            one_of(&["anonymous", "agent", "client", "administrator", "server"]),
            "Who did it. The administrator is the one at the server's machine.",
        ),
        must(
            "change",
            TEXT,
            "What changed: `state`, `attachments`, `silence` of a job's agent, or a member of an agent.",
        ),
        may("from", TEXT, "What it was before."),
        may("name", TEXT, "The name of the agent or the id of the client that did it."),
        may("to", TEXT, "What it is now."),
        may("why", TEXT, "Why, where the change does not say it."),
    ],
};

impl Output for Changed {
    const KIND: Kind = Kind::Object(&CHANGED);
}

impl From<&Event> for Changed {
    fn from(event: &Event) -> Self {
        let (by, name) = match &event.actor {
            Actor::Anonymous => ("anonymous", None),
            Actor::Agent(name) => ("agent", Some(name.to_string())),
            Actor::Client(id) => ("client", Some(id.to_string())),
            Actor::LocalAdmin => ("administrator", None),
            Actor::Server => ("server", None),
        };
        let some = |text: &str| Some(text.to_owned());
        let (change, from, to) = match &event.change {
            Change::State { from, to } => {
                ("state", from.as_ref().and_then(|from| some(from.as_str())), some(to.as_str()))
            }
            Change::Attachments => ("attachments", some("waiting"), some("complete")),
            Change::Silence { begins: true } => ("silence", some("heard"), some("silent")),
            Change::Silence { begins: false } => ("silence", some("silent"), some("heard")),
            Change::Member { name, from, to } => {
                (name.as_str(), from.as_deref().map(plain), to.as_deref().map(plain))
            }
        };
        let why = Some(event.why.clone()).filter(|why| !why.is_empty());
        Self { at: event.at, by, change: change.to_owned(), from, name, to, why }
    }
}

/// JSON text for people: a text without its quotes, everything else as it is.
fn plain(json: &str) -> String {
    serde_json::from_str(json).unwrap_or_else(|_| json.to_owned())
}
