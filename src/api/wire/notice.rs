//! Notices on the wire.

use serde::Serialize;

use super::TIME;
use crate::domain::{Form, Notice, Timestamp};
use crate::http::json;
use crate::http::shape::kind::{INTEGER, TEXT, one_of};
use crate::http::shape::{Kind, Others, Output, Shape, must};
use crate::store::Tray;

/// Something that was not taken yet.
pub(in crate::api) enum Shown {}

impl Output for Shown {
    const KIND: Kind = Kind::Object(&Shape {
        name: "Notice",
        doc: "Something that is sent until it is taken.",
        others: Others::Refused,
        members: &[
            must("at", TIME, "Since when it waits."),
            must("body", TEXT, "What is sent."),
            must("error", TEXT, "Why it was not taken the last time; empty before the first."),
            must("kind", one_of(&["event", "alert"]), "An event of a job, or an alert of the lab."),
            must("next_at", TIME, "When it is sent next, or when it was given up."),
            must("number", INTEGER, "Its number."),
            must("state", one_of(&["waiting", "dead"]), "Whether it waits or was given up."),
            must("tries", INTEGER, "How often it was sent in vain."),
            must("url", TEXT, "Where it is sent to."),
        ],
    });
}

/// A notice as JSON text.
pub(in crate::api) fn shown((tray, notice): &(Tray, Notice)) -> String {
    #[derive(Serialize)]
    struct Row<'a> {
        at: Timestamp,
        body: &'a str,
        error: &'a str,
        kind: &'static str,
        next_at: Timestamp,
        number: u64,
        state: &'static str,
        tries: u32,
        url: &'a str,
    }
    json::text(&Row {
        at: notice.at,
        body: &notice.message.body,
        error: &notice.error,
        kind: match notice.message.form {
            Form::Event => "event",
            Form::Json | Form::Text => "alert",
        },
        next_at: notice.next_at,
        number: notice.number,
        state: match tray {
            Tray::Waiting => "waiting",
            Tray::Dead => "dead",
        },
        tries: notice.tries,
        url: &notice.message.url,
    })
}
