//! Clients on the wire.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::Serialize;

use crate::domain::{ClientId, QueueName, Role};
use crate::http::{ApiError, Fields, json as text};
use crate::ops::ClientChange;
use crate::store::Client;

/// The shortest secret that is set for a client; the document's `POST` takes any.
pub(in crate::api) const SHORTEST_SECRET: usize = 15;

/// A client as it is shown: without its secret, and without what was never set.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_queues: Option<&'a Vec<QueueName>>,
    client_id: &'a ClientId,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    max_priority: &'a BTreeMap<String, i64>,
    max_reservation_time: &'a BTreeMap<String, i64>,
    role: &'a str,
}

/// A client, as JSON text.
pub(in crate::api) fn shown(client: &Client) -> String {
    text::text(&Shown {
        allowed_queues: client.allowed_queues.as_ref(),
        client_id: &client.id,
        email: client.email.as_deref(),
        max_priority: &client.max_priority,
        max_reservation_time: &client.max_reservation_time,
        role: client.role.as_str(),
    })
}

/// What was asked to change, with the secret still to be hashed.
pub(in crate::api) struct Asked {
    pub(in crate::api) id: Option<String>,
    pub(in crate::api) secret: Option<SecretString>,
    pub(in crate::api) change: ClientChange,
}

/// How strictly a body is read.
pub(in crate::api) struct Rules {
    /// The shortest secret in characters; shorter ones are refused with 422.
    pub(in crate::api) shortest_secret: usize,
    /// The roles that the error for a wrong one lists.
    pub(in crate::api) roles: &'static [Role],
    /// What only the local administrator may set: queues and hashes.
    pub(in crate::api) local: bool,
}

/// Reads a client to be created or changed. Members that are null count as absent.
pub(in crate::api) fn asked(mut body: Fields, rules: &Rules) -> Result<Asked, ApiError> {
    const KNOWN: [&str; 6] =
        ["client_id", "client_secret", "email", "max_priority", "max_reservation_time", "role"];
    const LOCAL: [&str; 8] = [
        "client_id",
        "client_secret",
        "email",
        "max_priority",
        "max_reservation_time",
        "role",
        "allowed_queues",
        "secret_hash",
    ];
    let known: &[&str] = if rules.local { &LOCAL } else { &KNOWN };
    body.only(known);
    for name in known {
        body.drop_null(name);
    }
    let id = body.string("client_id");
    let secret = body.string("client_secret");
    let length = secret.as_ref().map(|secret| secret.chars().count());
    if length.is_some_and(|length| length < rules.shortest_secret) {
        let message = format!("Shorter than minimum length {}.", rules.shortest_secret);
        body.refuse("client_secret", &message);
    }
    let role = role(&mut body, rules.roles);
    let email = body.string("email");
    if email.as_deref().is_some_and(|email| !is_email(email)) {
        body.refuse("email", "Not a valid email address.");
    }
    let change = ClientChange {
        secret_hash: body.string("secret_hash"),
        role,
        max_priority: body.integers("max_priority"),
        max_reservation_time: body.integers("max_reservation_time"),
        allowed_queues: queues(&mut body),
        email,
    };
    body.finish()?;
    Ok(Asked { id, secret: secret.map(SecretString::from), change })
}

fn role(body: &mut Fields, listed: &[Role]) -> Option<Role> {
    let word = body.string("role")?;
    let role = Role::parse(&word);
    if role.is_none() {
        let words: Vec<&str> = listed.iter().map(|role| role.as_str()).collect();
        body.refuse("role", &format!("Must be one of: {}.", words.join(", ")));
    }
    role
}

fn queues(body: &mut Fields) -> Option<Vec<QueueName>> {
    let names = body.strings("allowed_queues")?.into_iter().map(QueueName::try_from);
    match names.collect() {
        Ok(queues) => Some(queues),
        Err(error) => {
            body.refuse("allowed_queues", &error.to_string());
            None
        }
    }
}

fn is_email(text: &str) -> bool {
    let Some((user, host)) = text.split_once('@') else {
        return false;
    };
    let plain = |part: &str| !part.contains(|c: char| c.is_whitespace() || c == '@');
    !user.is_empty()
        && plain(user)
        && plain(host)
        && host.split('.').all(|label| !label.is_empty())
        && host.contains('.')
}
