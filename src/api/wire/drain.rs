//! Whether the server is drained, on the wire.

use serde::Serialize;

use super::TIME;
use crate::domain::Timestamp;
use crate::http::shape::kind::at_least;
use crate::http::shape::{Kind, Others, Output, Shape, may, must};
use crate::ops::Drain;

/// Whether the server is drained.
#[derive(Serialize)]
pub(in crate::api) struct Drained {
    #[serde(skip_serializing_if = "Option::is_none")]
    drained_since: Option<Timestamp>,
    running: usize,
}

impl Output for Drained {
    const KIND: Kind = Kind::Object(&Shape {
        name: "Drained",
        doc: "Whether the server hands out no jobs.",
        others: Others::Refused,
        members: &[
            may("drained_since", TIME, "Since when it hands out none; absent while it does."),
            must("running", at_least(0), "How many jobs agents have."),
        ],
    });
}

impl From<Drain> for Drained {
    fn from(drain: Drain) -> Self {
        Self { drained_since: drain.since, running: drain.running }
    }
}
