//! Agents on the wire.

use std::collections::BTreeMap;

use crate::domain::{QueueName, Timestamp};
use crate::http::{ApiError, Fields, json as text};
use crate::ops::AgentView;
use crate::store::{Agent, AgentPost, Provision};

/// Members that this server answers itself, so that an agent cannot set them.
const OURS: [&str; 5] =
    ["name", "updated_at", "provision_streak_type", "provision_streak_count", "restricted_to"];

/// Reads what an agent posts about itself. Members that this server does not know are kept and returned: today's
/// agents grow some.
pub(in crate::api) fn post(mut body: Fields) -> Result<AgentPost, ApiError> {
    for name in ["identifier", "job_id", "location", "provision_type", "state", "comment"] {
        body.string(name);
    }
    let queues = body.strings("queues").map(|queues| {
        let names = queues.into_iter().map(QueueName::try_from);
        names.collect::<Result<Vec<_>, _>>()
    });
    if let Some(Err(error)) = &queues {
        body.refuse("queues", &error.to_string());
    }
    let log = body.strings("log").unwrap_or_default();
    let mut fields = body.finish()?;
    fields.remove("log");
    for name in OURS {
        fields.remove(name);
    }
    Ok(AgentPost { fields, queues: queues.and_then(Result::ok), log })
}

/// An agent, as JSON text.
pub(in crate::api) fn shown(AgentView { agent, restricted_to }: &AgentView) -> String {
    let mut members = agent.fields.clone();
    let mut add = |name: &str, value: String| members.insert(name.to_owned(), value);
    add("name", text::text(&agent.name));
    add("updated_at", text::text(&agent.updated_at));
    add("restricted_to", text::text(restricted_to));
    if let Some((passed, count)) = agent.streak {
        add("provision_streak_type", text::text(&if passed { "pass" } else { "fail" }));
        add("provision_streak_count", text::text(&count));
    }
    with_state(&mut members);
    text::object(&members)
}

/// An agent in the list of a queue's, as JSON text.
pub(in crate::api) fn of_queue(agent: &Agent) -> String {
    const SHOWN: [&str; 6] = ["state", "queues", "location", "provision_type", "job_id", "comment"];
    let mut members = agent.fields.clone();
    members.retain(|name, _| SHOWN.contains(&name.as_str()));
    members.insert("name".to_owned(), text::text(&agent.name));
    with_state(&mut members);
    text::object(&members)
}

/// Clients read the state without asking whether it is there.
fn with_state(members: &mut BTreeMap<String, String>) {
    members.entry("state".to_owned()).or_insert_with(|| text::text(&"unknown"));
}

/// Reads how a provisioning ended.
pub(in crate::api) fn provision(mut body: Fields, now: Timestamp) -> Result<Provision, ApiError> {
    body.only(&["job_id", "exit_code", "detail"]);
    body.require("job_id");
    body.require("exit_code");
    let entry = Provision {
        at: now,
        job_id: body.string("job_id").unwrap_or_default(),
        exit_code: body.integer("exit_code").unwrap_or_default(),
        detail: body.string("detail").unwrap_or_default(),
    };
    body.finish().map(|_| entry)
}
