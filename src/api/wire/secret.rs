//! Secrets on the wire. A value comes in and never goes out.

use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use super::TIME;
use crate::domain::{ClientId, Secret, Timestamp};
use crate::http::error::Place;
use crate::http::shape::kind::{BOOLEAN, INTEGER, TEXT, at_least, text};
use crate::http::shape::{Input, Kind, Members, Others, Output, Shape, Size, may, must};
use crate::http::{ApiError, ApiResult, json as to_json};
use crate::ops::{self, Keep, Resealing};
use crate::secrets::LONGEST_VALUE;

/// How long a secret is kept that does not say it.
const YEAR: Duration = Duration::from_hours(365 * 24);

/// A secret that is to be written.
pub(in crate::api) struct Written {
    pub(in crate::api) value: SecretString,
    pub(in crate::api) keep: Keep,
}

impl Input for Written {
    const SHAPE: &'static Shape = &Shape {
        name: "NewSecret",
        doc: "A secret to be written.",
        others: Others::Refused,
        members: &[
            must("value", text(1, LONGEST_VALUE), "The value.").like("s3cret-Pa55word"),
            may(
                "expire_after",
                Kind::OrNull(&at_least(1)),
                "It ends after so many seconds: without it after a year, with null never.",
            )
            .like("3600"),
            may("ephemeral", BOOLEAN, "It ends when a job that uses it is handed out."),
        ],
    };

    const SIZE: Size = Size::Medium;

    fn read(members: Members<'_>) -> ApiResult<Self> {
        #[derive(Deserialize)]
        struct Known {
            value: String,
            expire_after: Option<u64>,
            #[serde(default)]
            ephemeral: bool,
        }
        let never = members.get("expire_after") == Some("null");
        let Known { value, expire_after, ephemeral } = members.to()?;
        let keep = match (ephemeral, expire_after) {
            (true, None) => Keep::Once,
            (false, None) if never => Keep::Always,
            (false, seconds) => Keep::For(seconds.map_or(YEAR, Duration::from_secs)),
            (true, Some(_)) => {
                let message = "A secret is ephemeral or has a time to live, not both.";
                let errors = Map::from_iter([("_schema".to_owned(), json!([message]))]);
                return Err(ApiError::validation(Place::Body, &errors));
            }
        };
        Ok(Self { value: value.into(), keep })
    }
}

/// When a secret ends, with `+00:00`: clients parse it without knowing a `Z`.
fn expiry(at: Timestamp) -> String {
    at.to_string().replace('Z', "+00:00")
}

/// The answer to a secret that was written.
#[derive(Serialize)]
pub(in crate::api) struct Ends {
    expires_at: Option<String>,
}

impl Ends {
    pub(in crate::api) fn new(at: Option<Timestamp>) -> Self {
        Self { expires_at: at.map(expiry) }
    }
}

impl Output for Ends {
    const KIND: Kind = Kind::Object(&Shape {
        name: "SecretWritten",
        doc: "The secret is kept.",
        others: Others::Refused,
        members: &[must(
            "expires_at",
            Kind::OrNull(&TIME),
            "When it ends; null for an ephemeral one, and for one that never ends.",
        )],
    });
}

/// Whose secrets are listed.
pub(in crate::api) struct Wanted {
    pub(in crate::api) client: Option<ClientId>,
}

impl Input for Wanted {
    const SHAPE: &'static Shape = &Shape {
        name: "WantedSecrets",
        doc: "Whose secrets are listed; without it, all.",
        others: Others::Kept,
        members: &[may("client", TEXT, "The id of the client.").like("lab-7")],
    };

    fn read(members: Members<'_>) -> ApiResult<Self> {
        #[derive(Deserialize)]
        struct Known {
            client: Option<String>,
        }
        let client = members.to::<Known>()?.client.map(ClientId::try_from).transpose();
        Ok(Self { client: client.map_err(|_| ops::Error::NoClient)? })
    }
}

/// A secret without its value.
pub(in crate::api) enum Shown {}

impl Output for Shown {
    const KIND: Kind = Kind::Object(&Shape {
        name: "Secret",
        doc: "A secret, without its value.",
        others: Others::Refused,
        members: &[
            must("client_id", TEXT, "Whose it is."),
            must("ephemeral", BOOLEAN, "It ends when a job that uses it is handed out."),
            must("expires_at", Kind::OrNull(&TIME), "When it ends."),
            must("path", TEXT, "Its path."),
            must("written_at", TIME, "When it was written last."),
        ],
    });
}

/// A secret without its value, as JSON text.
pub(in crate::api) fn shown(secret: &Secret) -> String {
    #[derive(Serialize)]
    struct Row<'a> {
        client_id: &'a str,
        ephemeral: bool,
        expires_at: Option<String>,
        path: &'a str,
        written_at: Timestamp,
    }
    to_json::text(&Row {
        client_id: secret.client.as_str(),
        ephemeral: secret.ephemeral,
        expires_at: secret.expires_at.map(expiry),
        path: secret.path.as_str(),
        written_at: secret.written_at,
    })
}

/// The answer to the replacement of the key.
#[derive(Serialize)]
pub(in crate::api) struct Replaced {
    resealed: u64,
    unreadable: u64,
}

impl From<&Resealing> for Replaced {
    fn from(done: &Resealing) -> Self {
        Self { resealed: done.resealed, unreadable: done.unreadable }
    }
}

impl Output for Replaced {
    const KIND: Kind = Kind::Object(&Shape {
        name: "SecretsKeyReplaced",
        doc: "Secrets are sealed under a new key.",
        others: Others::Refused,
        members: &[
            must("resealed", INTEGER, "How many were sealed anew."),
            must("unreadable", INTEGER, "How many were sealed under a key that is not here."),
        ],
    });
}
