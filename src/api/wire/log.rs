//! Fragments of logs on the wire.

use serde_json::{Map, Value, json};

use crate::domain::{Phase, Timestamp};
use crate::http::{ApiError, ApiQuery, Fields};
use crate::store::Fragment;

/// Reads a fragment.
pub(in crate::api) fn fragment(mut body: Fields) -> Result<Fragment, ApiError> {
    const KNOWN: [&str; 4] = ["fragment_number", "timestamp", "phase", "log_data"];
    body.only(&KNOWN);
    for name in KNOWN {
        body.require(name);
    }
    let number = body.integer("fragment_number");
    let at = body.string("timestamp").map(|text| timestamp(&text));
    if at == Some(None) {
        body.refuse("timestamp", "Not a valid datetime.");
    }
    let phase = body.string("phase").map(|word| Phase::parse(&word));
    if phase == Some(None) {
        body.refuse("phase", &one_of_the_phases());
    }
    let text = body.string("log_data").unwrap_or_default();
    body.finish()?;
    // `finish` has refused a body without these.
    let (at, phase) = at.flatten().zip(phase.flatten()).ok_or_else(ApiError::internal)?;
    Ok(Fragment { number, phase, at, text })
}

fn one_of_the_phases() -> String {
    format!("Must be one of: {}.", Phase::ALL.map(Phase::as_str).join(", "))
}

/// `2026-01-01T00:00:00+00:00`, with `Z`, with fractions, or without a zone, which then is UTC.
fn timestamp(text: &str) -> Option<Timestamp> {
    let moment = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let local = text.parse::<jiff::civil::DateTime>().ok()?;
        jiff::tz::Offset::UTC.to_timestamp(local).ok()
    })?;
    Some(Timestamp::from_micros(moment.as_microsecond()))
}

/// What part of a log is asked for.
#[derive(Clone, Debug)]
pub(in crate::api) struct Wanted {
    /// Fragments from this number on.
    pub(in crate::api) from: i64,
    /// Fragments written then or later.
    pub(in crate::api) since: Option<Timestamp>,
    /// These phases.
    pub(in crate::api) phases: Vec<Phase>,
}

/// Reads the query. Here an error is 400 and its message is an object, and unknown keys are errors too.
pub(in crate::api) fn wanted(query: &ApiQuery) -> Result<Wanted, ApiError> {
    let mut errors = Map::new();
    for key in query.keys() {
        if !["start_fragment", "start_timestamp", "phase"].contains(&key) {
            errors.insert(key.to_owned(), json!(["Unknown field."]));
        }
    }
    let from = query.first("start_fragment").map_or(Ok(0), |text| {
        let number: i64 = text.trim().parse().map_err(|_| "Not a valid integer.")?;
        if number < 0 { Err("Must be greater than or equal to 0.") } else { Ok(number) }
    });
    let since = query.first("start_timestamp").map(|text| {
        // A plus sign stands for a blank in a query; clients send it as it is.
        timestamp(&text.replace(' ', "+")).ok_or("Not a valid datetime.")
    });
    let phase = query.first("phase").map(|word| Phase::parse(word).ok_or_else(one_of_the_phases));
    if let Err(message) = from {
        errors.insert("start_fragment".to_owned(), json!([message]));
    }
    if let Some(Err(message)) = &since {
        errors.insert("start_timestamp".to_owned(), json!([message]));
    }
    if let Some(Err(message)) = &phase {
        errors.insert("phase".to_owned(), json!([message]));
    }
    if !errors.is_empty() {
        return Err(ApiError::object(&Value::Object(errors)));
    }
    Ok(Wanted {
        from: from.unwrap_or_default(),
        since: since.and_then(Result::ok),
        phases: phase.and_then(Result::ok).map_or_else(|| Phase::ALL.to_vec(), |phase| vec![phase]),
    })
}
