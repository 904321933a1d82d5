//! Checks on the wire.

use serde::Deserialize;

use crate::http::ApiResult;
use crate::http::shape::kind::{INTEGER, TEXT, list};
use crate::http::shape::{Input, Kind, Members, Others, Output, Shape, may, must};
use crate::store::check::Report;

static WANTED: Shape = Shape {
    name: "CheckContents",
    doc: "What a check looks at.",
    others: Others::Kept,
    members: &[may("hash", TEXT, "`no` looks at the sizes of files only, without reading them.")
        .like("no")],
};

/// What a check shall look at.
#[derive(Deserialize)]
pub(in crate::api) struct Wanted {
    hash: Option<String>,
}

impl Wanted {
    /// Whether files are read.
    pub(in crate::api) fn hash(&self) -> bool {
        self.hash.as_deref() != Some("no")
    }
}

impl Input for Wanted {
    const SHAPE: &'static Shape = &WANTED;

    fn read(members: Members<'_>) -> ApiResult<Self> {
        members.to()
    }
}

impl Output for Report {
    const KIND: Kind = Kind::Object(&Shape {
        name: "CheckReport",
        doc: "What a check found.",
        others: Others::Refused,
        members: &[
            must("bytes", INTEGER, "The bytes of the files that belong to rows."),
            must("files", INTEGER, "How many files belong to rows."),
            must("more_problems", INTEGER, "How many problems there are beyond those listed."),
            must("problems", list(&TEXT), "What is wrong."),
            must("repaired", list(&TEXT), "What was repaired."),
            must("rows", INTEGER, "How many rows were read."),
            must("strays", INTEGER, "How many files belong to nothing."),
        ],
    });
}
