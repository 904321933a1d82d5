//! Jobs on the wire.

use std::time::Duration;

use serde_json::{Value, json};

use crate::domain::{AgentName, JobId, JobState, QueueName, Tag, Timestamp};
use crate::http::{ApiError, Fields, json as text};
use crate::ops::{Claimed, Submission};
use crate::store::Job;

/// Reads a submitted job: checks and normalises the members that upstream knows, keeps all others for the agent.
pub(in crate::api) fn submission(mut body: Fields) -> Result<Submission, ApiError> {
    for name in ["job_id", "parent_job_id", "name", "job_status_webhook"] {
        body.string(name);
    }
    for name in ["global_timeout", "output_timeout", "allocation_timeout"] {
        body.integer(name);
    }
    for name in ["firmware_update_data", "allocate_data"] {
        body.mapping(name);
    }
    body.boolean("debug");
    body.require("job_queue");
    let queue = name::<QueueName>(&mut body, "job_queue");
    if queue.as_ref().is_some_and(|queue| queue.as_str().is_empty()) {
        body.refuse("job_queue", "Shorter than minimum length 1.");
    }
    let priority = body.integer("job_priority").unwrap_or(0);
    let tags: Vec<Tag> = names(&mut body, "tags");
    let exclude_agents: Vec<AgentName> = names(&mut body, "exclude_agents");
    provision_data(&mut body);
    body.nested("test_data", test_data);
    let reserve_seconds = body.nested("reserve_data", reserve_data).flatten();
    body.drop_null("queue_timeout");
    let queue_timeout = seconds(&mut body, "queue_timeout").map(u64::try_from);
    if let Some(Err(_)) = queue_timeout {
        body.refuse("queue_timeout", "Must be greater than or equal to 0.");
    }
    let queue_timeout = queue_timeout.and_then(Result::ok);
    let attachments =
        body.names().any(|name| name.ends_with("_data") && names_attachments(&body, name));
    let id = body.take("job_id").and_then(|json| serde_json::from_str::<String>(&json).ok());
    let members = body.finish()?;
    Ok(Submission {
        id: id.filter(|id| !id.is_empty()),
        // `finish` has refused a body without one.
        queue: queue.ok_or_else(ApiError::internal)?,
        priority,
        tags,
        exclude_agents,
        reserve_seconds,
        queue_timeout: queue_timeout.map(Duration::from_secs),
        attachments,
        body: text::object(&members),
    })
}

/// Any mapping is taken: each generation of agents has its own shapes, and refusing one's would break its jobs.
fn provision_data(body: &mut Fields) {
    body.drop_null("provision_data");
    match body.value("provision_data") {
        None | Some(Value::Object(_)) => {}
        Some(Value::String(word)) => {
            body.refuse_value(
                "provision_data",
                json!({ "_schema": format!("Invalid data type: {word}") }),
            );
        }
        Some(_) => {
            body.refuse_value("provision_data", json!({ "_schema": ["Invalid input type."] }));
        }
    }
}

fn test_data(data: &mut Fields) {
    for name in ["test_cmds", "test_username", "test_password"] {
        data.string(name);
    }
    data.objects("attachments", |attachment| {
        attachment.require("agent");
        attachment.string("agent");
        attachment.string("device");
    });
}

/// Checks a reservation and gives its length in seconds, if it says one.
fn reserve_data(data: &mut Fields) -> Option<i64> {
    let keys = data.strings("ssh_keys").unwrap_or_default();
    let bad = keys.iter().enumerate().filter(|(_, key)| !is_key(key));
    let errors: serde_json::Map<String, Value> = bad
        .map(|(index, _)| (index.to_string(), json!(["String does not match expected pattern."])))
        .collect();
    if !errors.is_empty() {
        data.refuse_value("ssh_keys", Value::Object(errors));
    }
    data.drop_null("timeout");
    seconds(data, "timeout")
}

/// A time in whole seconds, which may be written as `1h30m`; it is handed on as a number.
fn seconds(data: &mut Fields, name: &str) -> Option<i64> {
    if let Some(Value::String(text)) = data.peek(name)
        && let Some(seconds) = duration(&text)
    {
        data.set(name, &json!(seconds));
    }
    data.integer(name)
}

/// `^(lp|gh):(\S+)$`
fn is_key(key: &str) -> bool {
    let user = key.strip_prefix("lp:").or_else(|| key.strip_prefix("gh:"));
    user.is_some_and(|user| !user.is_empty() && !user.contains(char::is_whitespace))
}

/// The seconds of `1h30m`, `2d`, `90s`.
fn duration(text: &str) -> Option<i64> {
    let mut seconds: i64 = 0;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|&at| at > 0)?;
        let number: i64 = rest[..digits].parse().ok()?;
        let unit = match rest[digits..].chars().next()? {
            'd' => 86_400,
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        seconds = seconds.checked_add(number.checked_mul(unit)?)?;
        rest = rest[digits + 1..].trim_start();
    }
    (!text.trim().is_empty()).then_some(seconds)
}

fn names_attachments(body: &Fields, section: &str) -> bool {
    body.peek(section).is_some_and(|value| value.get("attachments").is_some())
}

fn name<T: TryFrom<String, Error = crate::domain::NameError>>(
    body: &mut Fields,
    member: &str,
) -> Option<T> {
    match T::try_from(body.string(member)?) {
        Ok(name) => Some(name),
        Err(error) => {
            body.refuse(member, &error.to_string());
            None
        }
    }
}

/// A list of names without repetition.
fn names<T: TryFrom<String, Error = crate::domain::NameError> + PartialEq>(
    body: &mut Fields,
    member: &str,
) -> Vec<T> {
    let mut names = Vec::new();
    for text in body.strings(member).unwrap_or_default() {
        match T::try_from(text) {
            Ok(name) if names.contains(&name) => {}
            Ok(name) => names.push(name),
            Err(error) => body.refuse(member, &error.to_string()),
        }
    }
    names
}

/// The answer to a submission.
#[derive(serde::Serialize)]
pub(in crate::api) struct Submitted {
    pub(in crate::api) job_id: JobId,
}

/// The job that an agent gets: what was submitted, with its id and what the agent needs to know of its state.
pub(in crate::api) fn claimed(claimed: &Claimed) -> String {
    let mut members = text::members(&claimed.body);
    members.insert("job_id".to_owned(), text::text(&claimed.job.id));
    if let Some(started) = claimed.job.started_at {
        members.insert("started_at".to_owned(), text::text(&started));
    }
    match claimed.job.attachments.status() {
        Some(status) => members.insert("attachments_status".to_owned(), text::text(&status)),
        None => members.remove("attachments_status"),
    };
    text::object(&members)
}

/// What was submitted, with its id.
pub(in crate::api) fn shown(id: JobId, body: &str) -> String {
    let mut members = text::members(body);
    members.insert("job_id".to_owned(), text::text(&id));
    text::object(&members)
}

/// A row of a search.
#[derive(serde::Serialize)]
pub(in crate::api) struct Found<'a> {
    created_at: Timestamp,
    job_id: JobId,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_queue: Option<&'a QueueName>,
    job_state: &'a JobState,
}

/// A row of a search, as JSON text.
pub(in crate::api) fn found(job: &Job) -> String {
    row(job, None)
}

/// A row of a queue's jobs, as JSON text.
pub(in crate::api) fn queued(job: &Job) -> String {
    row(job, Some(&job.queue))
}

fn row(job: &Job, job_queue: Option<&QueueName>) -> String {
    text::text(&Found {
        created_at: job.created_at,
        job_id: job.id,
        job_queue,
        job_state: &job.state,
    })
}

/// The states that a search knows, in the order of its error.
pub(in crate::api) const SEARCHED: [&str; 14] = [
    "setup",
    "provision",
    "firmware_update",
    "test",
    "allocate",
    "allocated",
    "reserve",
    "cleanup",
    "cancelled",
    "completed",
    "active",
    "waiting",
    "running",
    "complete",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds() {
        for (text, seconds) in [("1h30m", 5400), ("2d", 172_800), ("90s", 90), ("1d 2h", 93_600)] {
            assert_eq!(duration(text), Some(seconds), "{text}");
        }
        for text in ["", "soon", "h", "5", "1w", "99999999999999999999d"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn ssh_keys_name_a_launchpad_or_github_user() {
        assert!(is_key("lp:me") && is_key("gh:you"));
        assert!(!is_key("lp:") && !is_key("zz:me") && !is_key("lp:a b"));
    }
}
