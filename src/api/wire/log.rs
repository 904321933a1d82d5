//! Fragments of logs on the wire.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::result::OfTry;
use super::{TIME, timestamp};
use crate::domain::{Fragment, Phase, Timestamp};
use crate::http::error::Place;
use crate::http::shape::kind::{INTEGER, TEXT, at_least, map_of, one_of};
use crate::http::shape::{Input, Kind, Members, Others, Output, Shape, may, must};
use crate::http::{ApiError, ApiResult};

static FRAGMENT: Shape = Shape {
    name: "Fragment",
    doc: "A piece of one of a job's two logs.",
    others: Others::Refused,
    members: &[
        must("fragment_number", INTEGER, "Its number, which grows over the whole job.").like("0"),
        must("timestamp", TIME, "When its agent wrote it.").like("2026-01-01T00:00:00+00:00"),
        must("phase", one_of(&Phase::WORDS), "The phase that printed it.").like("test"),
        must("log_data", TEXT, "The text.").like("hello\n"),
    ],
};

impl Input for Fragment {
    const SHAPE: &'static Shape = &FRAGMENT;

    fn read(members: Members<'_>) -> ApiResult<Self> {
        #[derive(Deserialize)]
        struct Known {
            fragment_number: i64,
            timestamp: String,
            phase: String,
            log_data: String,
        }
        let known: Known = members.to()?;
        // The shape has refused every other word.
        let (at, phase) = timestamp(&known.timestamp)
            .zip(Phase::parse(&known.phase))
            .ok_or_else(ApiError::internal)?;
        Ok(Self { number: Some(known.fragment_number), phase, at, text: known.log_data })
    }
}

static WANTED: Shape = Shape {
    name: "LogPart",
    doc: "Which part of a log is read.",
    others: Others::Refused,
    members: &[
        may("start_fragment", at_least(0), "Fragments from this number on.").like("0"),
        may("start_timestamp", TIME, "Fragments that were written then or later.")
            .like("2026-01-01T00:00:00+00:00"),
        may("phase", one_of(&Phase::WORDS), "Fragments of this phase.").like("test"),
        may(
            "try",
            at_least(1),
            "Fragments of this try alone, which failed in provisioning, from 1.",
        )
        .like("1"),
    ],
};

/// What part of a log is asked for.
#[derive(Clone, Debug)]
pub(in crate::api) struct Wanted {
    /// Fragments from this number on.
    pub(in crate::api) from: i64,
    /// Fragments written then or later.
    pub(in crate::api) since: Option<Timestamp>,
    /// These phases.
    pub(in crate::api) phases: Vec<Phase>,
    /// This try alone, from 1.
    pub(in crate::api) of_try: Option<u32>,
}

impl Input for Wanted {
    const SHAPE: &'static Shape = &WANTED;

    fn read(members: Members<'_>) -> ApiResult<Self> {
        #[derive(Deserialize)]
        struct Known {
            #[serde(default)]
            start_fragment: i64,
            start_timestamp: Option<String>,
            phase: Option<String>,
            r#try: Option<i64>,
        }
        let known: Known = members.to()?;
        let phase = known.phase.as_deref().and_then(Phase::parse);
        Ok(Self {
            from: known.start_fragment,
            since: known.start_timestamp.as_deref().and_then(timestamp),
            phases: phase.map_or_else(|| Phase::ALL.to_vec(), |phase| vec![phase]),
            of_try: known.r#try.map(OfTry::counted),
        })
    }

    /// 400, and the errors stand where the message usually is.
    fn refused(_: Place, errors: &Map<String, Value>) -> ApiError {
        ApiError::object(&Value::Object(errors.clone()))
    }
}

static PHASE: Shape = Shape {
    name: "PhaseLog",
    doc: "The log of a phase.",
    others: Others::Refused,
    members: &[
        must("last_fragment_number", at_least(-1), "The number of the last fragment, or -1."),
        must("log_data", TEXT, "The text of all fragments."),
    ],
};

static LOG: Shape = Shape {
    name: "Log",
    doc: "One of the two logs of a job. Whoever reads on asks for the fragments after the highest number.",
    others: Others::Refused,
    members: &[
        may("output", BY_PHASE, "What was printed, by phase."),
        may("serial", BY_PHASE, "What came over the serial line, by phase."),
    ],
};

static OF_PHASE: Kind = Kind::Object(&PHASE);

const BY_PHASE: Kind = map_of(&Phase::WORDS, &OF_PHASE);

/// A log as it is shown: under its own name, by phase.
pub(in crate::api) enum Shown {}

impl Output for Shown {
    const KIND: Kind = Kind::Object(&LOG);
}
