//! Results on the wire: posted flat or with a `status` object, always answered flat.

use serde_json::{Value, json};

use crate::domain::member::{log_of, status_of};
use crate::domain::{JobState, LogKind, Phase};
use crate::http::fields::as_integer;
use crate::http::{ApiError, Fields, json as text};
use crate::ops::Posted;

/// Reads a result. Members that this server does not know are kept and answered as they were sent.
pub(in crate::api) fn posted(mut body: Fields) -> Result<Posted, ApiError> {
    for phase in Phase::ALL {
        body.integer(&status_of(phase));
        for log in LogKind::ALL {
            body.string(&log_of(phase, log));
        }
    }
    body.mapping("device_info");
    let state = body.string("job_state").map(|word| JobState::new(&word));
    let statuses = statuses(&mut body);
    let mut members = body.finish()?;
    members.remove("job_state");
    members.remove("status");
    for (phase, code) in statuses.iter().flatten() {
        members.insert(status_of(*phase), text::text(code));
    }
    Ok(Posted {
        members,
        replaced: statuses.map_or_else(Vec::new, |_| Phase::ALL.map(status_of).to_vec()),
        state,
    })
}

/// The `status` object of today's agents: phase and exit code, replaced as a whole.
fn statuses(body: &mut Fields) -> Option<Vec<(Phase, i64)>> {
    let map = body.mapping("status")?;
    let mut found = Vec::new();
    let mut errors = serde_json::Map::new();
    for (word, value) in map {
        let phase = Phase::parse(&word);
        let mut error = serde_json::Map::new();
        if phase.is_none() {
            let all = Phase::ALL.map(Phase::as_str).join(", ");
            error.insert("key".to_owned(), json!([format!("Must be one of: {all}.")]));
        }
        let code = as_integer(&value);
        if code.is_none() {
            let null = value == Value::Null;
            let message = if null { "Field may not be null." } else { "Not a valid integer." };
            error.insert("value".to_owned(), json!([message]));
        }
        match (phase, code) {
            (Some(phase), Some(code)) => found.push((phase, code)),
            _ => {
                errors.insert(word, Value::Object(error));
            }
        }
    }
    if !errors.is_empty() {
        body.refuse_value("status", Value::Object(errors));
    }
    Some(found)
}
