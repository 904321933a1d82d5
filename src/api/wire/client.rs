//! Clients on the wire.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::NAMES;
use crate::domain::{AgentName, Client, ClientId, NamePattern, QueueName, Role};
use crate::http::shape::kind::{INTEGER, NAME, TEXT, list, map, one_of, text, text_by};
use crate::http::shape::{
    Input, Kind, Member, Members, Others, Output, Shape, Size, may, may_be_null, must,
};
use crate::http::{ApiError, ApiResult};
use crate::ops::ClientChange;

/// The shortest secret that is set for a client, in characters; shorter ones are refused with 422.
const SHORTEST_SECRET: usize = 15;

const CLIENT_ID: Member = may_be_null("client_id", TEXT, "The id of the client.").like("lab-7");
const SECRET: Member =
    may_be_null("client_secret", text(SHORTEST_SECRET, usize::MAX), "A new secret.");
const EMAIL: Member = may_be_null("email", ADDRESS, "How to reach whoever is behind the client.");
const PRIORITY: Member =
    may_be_null("max_priority", map(&INTEGER), "The highest priority by queue; `*` for all.")
        .like(r#"{"*":100}"#);
const RESERVATION: Member = may_be_null(
    "max_reservation_time",
    map(&INTEGER),
    "The longest reservation by queue, in seconds; `*` for all.",
);
const ROLE: Member =
    may_be_null("role", one_of(&Role::WORDS), "What the client may do.").like("contributor");

static NEW: Shape = Shape {
    name: "NewClient",
    doc: "A client to be created. Null stands for absent.",
    others: Others::Refused,
    members: &[
        may_be_null("client_id", TEXT, "The id of the client; required.").like("lab-7"),
        may_be_null("client_secret", text(SHORTEST_SECRET, usize::MAX), "Its secret; required."),
        EMAIL,
        PRIORITY,
        RESERVATION,
        may_be_null("role", OLD_ROLE, "What the client may do; contributor without it."),
    ],
};

static CHANGE: Shape = Shape {
    name: "ClientChange",
    doc: "What is to change of a client. What is absent or null stays.",
    others: Others::Refused,
    members: &[CLIENT_ID, SECRET, EMAIL, PRIORITY, RESERVATION, ROLE],
};

static LOCAL_CHANGE: Shape = Shape {
    name: "LocalClientChange",
    doc: "The same with what only the local administrator may set.",
    others: Others::Refused,
    members: &[
        CLIENT_ID,
        SECRET,
        EMAIL,
        PRIORITY,
        RESERVATION,
        ROLE,
        may_be_null(
            "allowed_queues",
            list(&NAME).up_to(NAMES),
            "The restricted queues it may use.",
        ),
        may_be_null(
            "agents",
            list(&NAME).up_to(NAMES),
            "The agents that its tokens speak for; `*` stands for any text.",
        ),
        may_be_null("secret_hash", TEXT, "The hash of its secret, from another server."),
    ],
};

/// `POST` takes the role `agent` too, but never listed it.
const OLD_ROLE: Kind = text_by(
    |word| Role::parse(word).is_some(),
    "Must be one of: admin, manager, contributor, user.",
    ("pattern", "^(admin|manager|contributor|agent|user)$"),
);

const ADDRESS: Kind = text_by(is_email, "Not a valid email address.", ("format", "email"));

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

/// What was asked to change, with the secret still to be hashed.
pub(in crate::api) struct Asked {
    pub(in crate::api) secret: Option<SecretString>,
    pub(in crate::api) change: ClientChange,
}

fn asked(members: &Members<'_>) -> ApiResult<Asked> {
    #[derive(Deserialize)]
    struct Known {
        client_secret: Option<String>,
        secret_hash: Option<String>,
        role: Option<String>,
        max_priority: Option<BTreeMap<String, i64>>,
        max_reservation_time: Option<BTreeMap<String, i64>>,
        allowed_queues: Option<Vec<QueueName>>,
        agents: Option<Vec<AgentName>>,
        email: Option<String>,
    }
    let known: Known = members.to()?;
    let change = ClientChange {
        secret_hash: known.secret_hash,
        role: known.role.as_deref().and_then(Role::parse),
        max_priority: known.max_priority,
        max_reservation_time: known.max_reservation_time,
        allowed_queues: known.allowed_queues,
        agents: known
            .agents
            .map(|names| names.into_iter().map(|name| NamePattern::of(&name)).collect()),
        email: known.email,
    };
    Ok(Asked { secret: known.client_secret.map(SecretString::from), change })
}

/// A client to be created.
pub(in crate::api) struct NewClient(pub(in crate::api) ClientId, pub(in crate::api) Asked);

impl Input for NewClient {
    const SHAPE: &'static Shape = &NEW;
    const SIZE: Size = Size::Small;

    fn first(sent: &Members<'_>) -> ApiResult<()> {
        let given = |name| sent.get(name).is_some_and(|json| !matches!(json, "null" | r#""""#));
        if given("client_id") && given("client_secret") {
            return Ok(());
        }
        let message = "Error: Missing client_id or client_secret in request body";
        Err(ApiError::bad_request(message))
    }

    fn read(members: Members<'_>) -> ApiResult<Self> {
        #[derive(Deserialize)]
        struct Known {
            client_id: String,
        }
        let Known { client_id } = members.to()?;
        let id = ClientId::try_from(client_id)
            .map_err(|error| ApiError::bad_request(format!("Error: client_id: {error}")))?;
        Ok(Self(id, asked(&members)?))
    }
}

/// What is to change of a client.
pub(in crate::api) struct Change(pub(in crate::api) Asked);

impl Input for Change {
    const SHAPE: &'static Shape = &CHANGE;
    const SIZE: Size = Size::Small;

    fn read(members: Members<'_>) -> ApiResult<Self> {
        asked(&members).map(Self)
    }
}

/// What the local administrator wants to change of a client.
pub(in crate::api) struct LocalChange(pub(in crate::api) Asked);

impl Input for LocalChange {
    const SHAPE: &'static Shape = &LOCAL_CHANGE;

    fn read(members: Members<'_>) -> ApiResult<Self> {
        asked(&members).map(Self)
    }
}

static SHOWN: Shape = Shape {
    name: "Client",
    doc: "A client, without its secret and without what was never set.",
    others: Others::Refused,
    members: &[
        must("client_id", TEXT, "The id of the client."),
        must("role", one_of(&Role::WORDS), "What the client may do."),
        must("max_priority", map(&INTEGER), "The highest priority by queue."),
        must(
            "max_reservation_time",
            map(&INTEGER),
            "The longest reservation by queue, in seconds.",
        ),
        may("allowed_queues", list(&TEXT), "The restricted queues that it may use."),
        may("agents", list(&TEXT), "The agents that its tokens speak for, if not all."),
        may("email", TEXT, "How to reach whoever is behind the client."),
    ],
};

/// A client as it is shown.
#[derive(Serialize)]
pub(in crate::api) struct Shown<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    agents: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_queues: Option<&'a Vec<QueueName>>,
    client_id: &'a ClientId,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    max_priority: &'a BTreeMap<String, i64>,
    max_reservation_time: &'a BTreeMap<String, i64>,
    role: &'a str,
}

impl Output for Shown<'_> {
    const KIND: Kind = Kind::Object(&SHOWN);
}

/// A client as it is shown.
pub(in crate::api) fn shown(client: &Client) -> Shown<'_> {
    Shown {
        agents: client.agents.iter().map(NamePattern::as_str).collect(),
        allowed_queues: client.allowed_queues.as_ref(),
        client_id: &client.id,
        email: client.email.as_deref(),
        max_priority: &client.max_priority,
        max_reservation_time: &client.max_reservation_time,
        role: client.role.as_str(),
    }
}
