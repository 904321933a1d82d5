//! Queues and images on the wire.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::domain::wait::PERCENTILES;
use crate::domain::{Advertised, ClientId, MOST_RETRIES, QueueName};
use crate::http::shape::kind::{INTEGER, TEXT, at_least, list, map};
use crate::http::shape::{
    Input, Kind, Members, Others, Output, Shape, Size, excerpt, may_be_null, must,
};
use crate::http::{ApiError, ApiResult, json};
use crate::ops::{self, WaitTimes};

static DESCRIPTIONS: Shape = Shape {
    name: "Queues",
    doc: "Queues by name, each with what its agents say about it.",
    others: Others::EachBy(TEXT, description),
    members: &[],
};

static IMAGES: Shape = Shape {
    name: "Images",
    doc: "Queues by name, each with its images: the provision data by the name of the image.",
    others: Others::EachBy(IMAGES_OF_QUEUE, images),
    members: &[],
};

const IMAGES_OF_QUEUE: Kind = map(&TEXT);

fn description(queue: &str, json: &str) -> Result<(), String> {
    name(queue)?;
    if !json.starts_with('"') {
        return Err(format!("Description for queue '{queue}' must be a string"));
    }
    Ok(())
}

fn images(queue: &str, json: &str) -> Result<(), String> {
    name(queue)?;
    if !json.starts_with('{') {
        return Err(format!("Images for queue '{queue}' must be a dict"));
    }
    for (image, data) in Members::parse(json)?.iter() {
        if image.is_empty() || image.starts_with('$') || image.contains('\0') {
            return Err(format!(
                "Names for queue '{queue}' must be non-empty strings, must not start with '$' or contain null bytes"
            ));
        }
        if !data.starts_with('"') {
            return Err(format!(
                "Provision data for image '{}' in queue '{queue}' must be a string",
                excerpt(image)
            ));
        }
    }
    Ok(())
}

fn name(queue: &str) -> Result<(), String> {
    if queue.is_empty() {
        return Err("Queue names must be non-empty strings".to_owned());
    }
    QueueName::try_from(queue.to_owned()).map(|_| ()).map_err(|error| error.to_string())
}

/// Queues and their descriptions.
pub(in crate::api) struct Descriptions(pub(in crate::api) BTreeMap<QueueName, String>);

impl Input for Descriptions {
    const SHAPE: &'static Shape = &DESCRIPTIONS;
    const SIZE: Size = Size::Medium;

    fn read(members: Members<'_>) -> ApiResult<Self> {
        members.to().map(Self)
    }
}

impl Output for Descriptions {
    const KIND: Kind = Kind::Object(&DESCRIPTIONS);
}

/// Queues, and the images of each as the JSON text of an object.
pub(in crate::api) struct Images(pub(in crate::api) BTreeMap<QueueName, String>);

impl Input for Images {
    const SHAPE: &'static Shape = &IMAGES;
    const SIZE: Size = Size::Medium;

    fn read(members: Members<'_>) -> ApiResult<Self> {
        let queues: BTreeMap<QueueName, BTreeMap<String, String>> = members.to()?;
        let texts = queues.into_iter().map(|(queue, images)| (queue, json::text(&images)));
        Ok(Self(texts.collect()))
    }
}

/// The images of one queue.
pub(in crate::api) enum ImagesOfQueue {}

impl Output for ImagesOfQueue {
    const KIND: Kind = IMAGES_OF_QUEUE;
}

static RESTRICTED: Shape = Shape {
    name: "RestrictedQueue",
    doc: "A queue that only its owners submit to.",
    others: Others::Refused,
    members: &[must("owners", list(&TEXT), "Clients."), must("queue", TEXT, "The queue.")],
};

/// A restricted queue and its owners.
#[derive(Serialize)]
pub(in crate::api) struct Restricted<'a> {
    pub(in crate::api) owners: &'a [ClientId],
    pub(in crate::api) queue: &'a QueueName,
}

impl Output for Restricted<'_> {
    const KIND: Kind = Kind::Object(&RESTRICTED);
}

static RETRIES: Shape = Shape {
    name: "Retries",
    doc: "How often jobs go to another agent when their provisioning fails.",
    others: Others::Refused,
    members: &[must("retries", RETRIES_KIND, "How often, at most 10; 0 for not at all.").like("1")],
};

/// The number of retries.
pub(super) const RETRIES_KIND: Kind = Kind::By(&INTEGER, |json| match json.parse() {
    Ok(0..=MOST_RETRIES) => Ok(()),
    _ => Err(json!([format!("Must be a number from 0 to {MOST_RETRIES}.")])),
});

/// How often jobs of a queue shall go to another agent.
pub(in crate::api) struct Retries(pub(in crate::api) u32);

impl Input for Retries {
    const SHAPE: &'static Shape = &RETRIES;
    const SIZE: Size = Size::Small;

    fn read(members: Members<'_>) -> ApiResult<Self> {
        #[derive(Deserialize)]
        struct Known {
            retries: u32,
        }
        let Known { retries } = members.to()?;
        Ok(Self(retries))
    }
}

/// A queue whose jobs go to another agent when their provisioning fails.
pub(in crate::api) enum QueueRetries {}

impl Output for QueueRetries {
    const KIND: Kind = Kind::Object(&Shape {
        name: "QueueRetries",
        doc: "A queue whose jobs go to another agent when their provisioning fails.",
        others: Others::Refused,
        members: &[
            must("queue", TEXT, "The queue."),
            must("retries", at_least(1), "How often, for jobs that do not say so themselves."),
        ],
    });
}

/// The same, as JSON text.
pub(in crate::api) fn queue_retries((queue, retries): &(QueueName, u32)) -> String {
    json!({ "queue": queue.as_str(), "retries": retries }).to_string()
}

static OWNER: Shape = Shape {
    name: "Owner",
    doc: "A client that owns a restricted queue.",
    others: Others::Refused,
    members: &[may_be_null("client_id", TEXT, "The client; required.").like("lab-7")],
};

/// The client that a request names as owner.
pub(in crate::api) struct Owner(pub(in crate::api) ClientId);

impl Input for Owner {
    const SHAPE: &'static Shape = &OWNER;
    const SIZE: Size = Size::Small;

    fn read(members: Members<'_>) -> ApiResult<Self> {
        #[derive(Deserialize)]
        struct Known {
            client_id: Option<String>,
        }
        let Known { client_id } = members.to()?;
        let id = client_id.filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| ApiError::bad_request("Error: Missing client ID."))?;
        ClientId::try_from(id).map(Self).map_err(|_| ops::Error::NoClient.into())
    }
}

/// An advertised queue, as a member of an object: its name and what its agents say about it.
pub(in crate::api) fn advertised(queue: &Advertised) -> String {
    format!("{}:{}", json::text(&queue.name), json::text(&queue.description))
}

/// How long the jobs of a queue waited.
pub(in crate::api) enum Waits {}

impl Output for Waits {
    const KIND: Kind = Kind::Object(&Shape {
        name: "WaitTimes",
        doc: "Percentiles of how long the jobs of a queue waited, in seconds; they may have a fraction.",
        others: Others::Refused,
        members: &[
            must("5", Kind::Any, "5 % waited no longer."),
            must("10", Kind::Any, "10 % waited no longer."),
            must("50", Kind::Any, "Half of them waited no longer."),
            must("90", Kind::Any, "90 % waited no longer."),
            must("95", Kind::Any, "95 % waited no longer."),
        ],
    });
}

/// A queue's wait times, as a member of an object: its name and the percentiles in seconds.
pub(in crate::api) fn wait_times((queue, values): &WaitTimes) -> String {
    let values = PERCENTILES.iter().zip(values);
    let values = values.map(|(percent, value)| format!("\"{percent}\":{}", json::text(value)));
    format!("{}:{{{}}}", json::text(queue), values.collect::<Vec<_>>().join(","))
}
