//! Queues and images on the wire.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::domain::wait::PERCENTILES;
use crate::domain::{ClientId, QueueName};
use crate::http::error::Place;
use crate::http::{ApiError, Fields, json as text};
use crate::ops::WaitTimes;
use crate::store::Advertised;

/// Reads advertised queues: names and descriptions.
pub(in crate::api) fn descriptions(body: Fields) -> Result<BTreeMap<QueueName, String>, ApiError> {
    queues(body, |name, value| match value {
        Value::String(text) => Ok(text),
        _ => Err(format!("Description for queue '{name}' must be a string")),
    })
}

/// Reads images: an object of names and provision data for each queue, as JSON text.
pub(in crate::api) fn images(body: Fields) -> Result<BTreeMap<QueueName, String>, ApiError> {
    queues(body, |name, value| {
        let Value::Object(images) = value else {
            return Err(format!("Images for queue '{name}' must be a dict"));
        };
        for (image, data) in &images {
            if image.is_empty() || image.starts_with('$') || image.contains('\0') {
                return Err(format!(
                    "Names for queue '{name}' must be non-empty strings, must not start with '$' or contain null bytes"
                ));
            }
            if !data.is_string() {
                return Err(format!(
                    "Provision data for image '{image}' in queue '{name}' must be a string"
                ));
            }
        }
        Ok(text::text(&images))
    })
}

fn queues(
    body: Fields,
    read: impl Fn(&str, Value) -> Result<String, String>,
) -> Result<BTreeMap<QueueName, String>, ApiError> {
    let mut found = BTreeMap::new();
    for (name, json) in body.finish()? {
        if name.is_empty() {
            return Err(refused("Queue names must be non-empty strings"));
        }
        let value = serde_json::from_str(&json).unwrap_or(Value::Null);
        let value = read(&name, value).map_err(|message| refused(&message))?;
        let name = QueueName::try_from(name).map_err(|error| refused(&error.to_string()))?;
        found.insert(name, value);
    }
    Ok(found)
}

fn refused(message: &str) -> ApiError {
    let mut errors = Map::new();
    errors.insert("_schema".to_owned(), json!([message]));
    ApiError::validation(Place::Body, &errors)
}

/// A restricted queue and its owners, as JSON text.
pub(in crate::api) fn restricted(queue: &QueueName, owners: &[ClientId]) -> String {
    #[derive(serde::Serialize)]
    struct Restricted<'a> {
        owners: &'a [ClientId],
        queue: &'a QueueName,
    }
    text::text(&Restricted { owners, queue })
}

/// An advertised queue, as a member of an object: its name and what its agents say about it.
pub(in crate::api) fn advertised(queue: &Advertised) -> String {
    format!("{}:{}", text::text(&queue.name), text::text(&queue.description))
}

/// A queue's wait times, as a member of an object: its name and the percentiles in seconds.
pub(in crate::api) fn wait_times((queue, values): &WaitTimes) -> String {
    let values = PERCENTILES.iter().zip(values);
    let values = values.map(|(percent, value)| format!("\"{percent}\":{}", text::text(value)));
    format!("{}:{{{}}}", text::text(queue), values.collect::<Vec<_>>().join(","))
}
