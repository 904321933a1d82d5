//! What retention removes, on the wire.

use serde::Serialize;

use super::TIME;
use crate::app::Collected;
use crate::domain::Timestamp;
use crate::http::json;
use crate::http::shape::kind::{INTEGER, TEXT, one_of};
use crate::http::shape::{Kind, Others, Output, Shape, must};
use crate::ops::Why;
use crate::store::{Class, Due};

/// Something that would go.
pub(in crate::api) enum Going {}

impl Output for Going {
    const KIND: Kind = Kind::Object(&Shape {
        name: "Going",
        doc: "Something that retention would remove now.",
        others: Others::Refused,
        members: &[
            must("bytes", INTEGER, "The bytes of the files that go with it."),
            must(
                "kind",
                one_of(&["job", "result", "file", "agent", "queue", "token", "secret", "output"]),
                "What it is. `result` is what was posted for a job that is unknown.",
            ),
            must("name", TEXT, "Which it is; a token and a secret are named by their client."),
            must("since", TIME, "From when on its age counts."),
            must("why", TEXT, "Why it goes, with the setting that says so."),
        ],
    });
}

/// Something that would go, as JSON text.
pub(in crate::api) fn shown((due, why): &(Due, Why)) -> String {
    #[derive(Serialize)]
    struct Row<'a> {
        bytes: u64,
        kind: &'static str,
        name: &'a str,
        since: Timestamp,
        why: &'static str,
    }
    let (kind, because) = words(due.kind);
    json::text(&Row {
        bytes: due.bytes,
        kind,
        name: &due.name,
        since: due.since,
        why: match why {
            Why::Age => because,
            Why::Room => "less than keep_free is free on the disk",
        },
    })
}

const fn words(class: Class) -> (&'static str, &'static str) {
    match class {
        Class::Job => ("job", "it ended longer ago than keep_jobs"),
        Class::Result => {
            ("result", "there is no such job, and it was posted longer ago than keep_jobs")
        }
        Class::Blob => ("file", "it arrived longer ago than keep_files"),
        Class::Agent => ("agent", "it reported longer ago than keep_agents"),
        Class::Queue => ("queue", "it was advertised longer ago than keep_queues"),
        Class::Refresh => ("token", "it was used longer ago than keep_refresh_tokens"),
        Class::Secret => ("secret", "it has expired"),
        Class::Drain => ("output", "it was written longer ago than keep_output"),
    }
}

/// What was removed.
#[derive(Serialize)]
pub(in crate::api) struct Done {
    bytes: u64,
    early: usize,
    removed: usize,
    short: u64,
}

impl From<&Collected> for Done {
    fn from(all: &Collected) -> Self {
        Self { bytes: all.bytes, early: all.early, removed: all.removed, short: all.short }
    }
}

impl Output for Done {
    const KIND: Kind = Kind::Object(&Shape {
        name: "Collected",
        doc: "What was removed.",
        others: Others::Refused,
        members: &[
            must("bytes", INTEGER, "The bytes of the files that went."),
            must("early", INTEGER, "How many files went because too little of the disk was free."),
            must("removed", INTEGER, "How many things went because of their age."),
            must("short", INTEGER, "How many bytes are still missing to keep_free."),
        ],
    });
}
