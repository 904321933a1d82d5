//! `client_permissions`, `restricted_queues` and `refresh_tokens`.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::load::{Became, kept, taken};
use super::super::{Error, Outcome};
use super::{Document, Fields, Late, Move, Stop};
use crate::auth::passwords::{Effort, bcrypt_cost};
use crate::auth::refresh::RefreshToken;
use crate::domain::{Client, ClientId, QueueName, Refresh, Role, Timestamp};
use crate::store::{self, ClientReads, Store, WriteTx};

const CLIENTS: &str = "client_permissions";
const RESTRICTED: &str = "restricted_queues";
const TOKENS: &str = "refresh_tokens";

/// What the last import made of clients, restricted queues and secrets, so that the next one knows what was changed here since.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Memory {
    /// A sum of each client as it was imported.
    clients: BTreeMap<String, String>,
    restricted: BTreeSet<String>,
    /// Client and path of each secret.
    #[serde(default)]
    pub(super) secrets: BTreeSet<String>,
}

impl Memory {
    pub(super) fn load(store: &Store) -> Result<Self, Error> {
        let text = store.write(|tx, _| tx.moved_in())?;
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    pub(super) fn save(&self, store: &Store) -> Result<(), Error> {
        let text = serde_json::json!(self).to_string();
        Ok(store.write(move |tx: &mut WriteTx<'_>, _| tx.set_moved_in(&text))?)
    }
}

/// A sum of all that an import writes of a client.
fn sum(client: &Client) -> String {
    let all = serde_json::json!([
        client.role.as_str(),
        client.secret_hash,
        client.max_priority,
        client.max_reservation_time,
        client.allowed_queues,
        client.email,
        client.agents.iter().map(|pattern| pattern.as_str().to_owned()).collect::<Vec<_>>(),
    ]);
    let sum = Sha256::digest(all.to_string());
    STANDARD.encode(sum)
}

/// A refresh token until all clients have come.
pub(super) struct Token {
    id: String,
    digest: [u8; 32],
    refresh: Refresh,
}

impl Move<'_> {
    pub(super) fn client(&mut self, (_, fields): Document<'_>) -> Result<(), Stop> {
        let (new, remark) = client(fields, self.now)?;
        let id = new.id.to_string();
        if !self.is_first(CLIENTS, &id) {
            return Ok(());
        }
        if let Some((Outcome::LeftOut, why)) = &remark {
            self.load.note(CLIENTS, &id, Outcome::LeftOut, why);
        }
        let (was, old) = (self.memory.clients.get(&id), self.load.store.read()?.client(&new.id)?);
        let became = match (&old, was) {
            (None, Some(_)) => kept("it was deleted here"),
            (Some(old), was) if was != Some(&sum(old)) && sum(old) != sum(&new) => {
                kept("it was changed here")
            }
            _ => match remark {
                Some((outcome @ Outcome::Changed, why)) => (outcome, why),
                _ => taken(),
            },
        };
        if became.0 == Outcome::Kept {
            self.load.note(CLIENTS, &id, became.0, &became.1);
            return Ok(());
        }
        self.memory.clients.insert(id.clone(), sum(&new));
        let created_at = old.map_or(new.created_at, |old| old.created_at);
        let new = Client { created_at, ..new };
        self.load.step((CLIENTS, id), fields.size(), move |tx| {
            tx.put_client(&new)?;
            Ok(became.clone())
        })?;
        Ok(())
    }

    pub(super) fn restriction(&mut self, (_, fields): Document<'_>) -> Result<(), Stop> {
        let queue: QueueName = fields.name("queue_name")?;
        let name = queue.to_string();
        if !self.is_first(RESTRICTED, &name) {
            return Ok(());
        }
        let there = self.load.store.read()?.is_restricted(&queue)?;
        if !there && self.memory.restricted.contains(&name) {
            self.load.note(RESTRICTED, &name, Outcome::Kept, "it was opened here");
            return Ok(());
        }
        self.memory.restricted.insert(name.clone());
        self.load.step((RESTRICTED, name), fields.size(), move |tx| {
            tx.restrict(&queue)?;
            Ok(taken())
        })?;
        Ok(())
    }

    pub(super) fn token(&mut self, (_, fields): Document<'_>) -> Result<(), Stop> {
        let (client, text) = (fields.text("client_id"), fields.text("refresh_token"));
        let client = client.and_then(|id| ClientId::try_from(id).ok());
        let (Some(client), Some(text)) = (client, text) else {
            return Err("it has no token or no client".into());
        };
        if fields.moment("expires_at").at().is_some_and(|end| end < self.now) {
            self.load.note(TOKENS, "", Outcome::Skipped, "they have expired");
            return Ok(());
        }
        let now = self.now;
        let at = |name: &str| fields.moment(name).at().map(|at| at.min(now));
        let created_at = at("issued_at").unwrap_or(now);
        let refresh = Refresh {
            client: client.clone(),
            created_at,
            used_at: at("last_accessed").unwrap_or(created_at),
            revoked: fields.flag("revoked"),
        };
        let digest = RefreshToken::digest_of(&text);
        // The id is the client's: a token in a report would be a secret in a log.
        let late = Late::Refresh(Token { id: client.to_string(), digest, refresh });
        self.late.push((late, fields.losses()));
        Ok(())
    }

    pub(super) fn put_token(&mut self, Token { id, digest, refresh }: Token) -> Result<(), Error> {
        self.load.step((TOKENS, id), size_of::<Token>(), move |tx| put_token(tx, &digest, &refresh))
    }
}

fn put_token(
    tx: &mut WriteTx<'_>,
    digest: &[u8; 32],
    token: &Refresh,
) -> Result<Became, store::Error> {
    if tx.client(&token.client)?.is_none() {
        return Ok((Outcome::Skipped, "their client is gone".to_owned()));
    }
    let old = tx.refresh(digest)?;
    if old.is_some_and(|old| old.used_at > token.used_at || old.revoked) {
        return Ok(kept("they were used or taken back here"));
    }
    tx.put_refresh(digest, token)?;
    Ok(taken())
}

const ELSEWHERE: &str = "it logs in through another service, which this server does not know: it has no secret until \
     client-admin set-secret gives it one";

/// What is to be said about a client that is taken all the same.
type Remark = Option<(Outcome, String)>;

fn client(fields: &Fields<'_>, now: Timestamp) -> Result<(Client, Remark), String> {
    let id: ClientId = fields.name("client_id")?;
    let role = fields.text("role");
    let role = match &role {
        None => Role::Contributor,
        Some(word) => Role::parse(word).ok_or_else(|| format!("there is no role {word:?}"))?,
    };
    let hash = fields.text("client_secret_hash").filter(|hash| !hash.is_empty());
    let (secret_hash, remark) = match hash.as_deref().map(bcrypt_cost) {
        Some(Ok(_)) => {
            let hash = hash.unwrap_or_default();
            let remark = Effort::of(&hash).remark();
            (hash, remark.map(|why| (Outcome::Changed, why.to_owned())))
        }
        Some(Err(why)) => {
            let why = format!("it is here, but without its secret: client_secret_hash {why}");
            (String::new(), Some((Outcome::LeftOut, why)))
        }
        None => (String::new(), Some((Outcome::Changed, ELSEWHERE.to_owned()))),
    };
    let queues =
        fields.texts("allowed_queues").map(|_| fields.names("allowed_queues")).transpose()?;
    Ok((
        Client {
            secret_hash,
            max_priority: fields.numbers("max_priority"),
            max_reservation_time: fields.numbers("max_reservation_time"),
            allowed_queues: queues,
            email: fields.text("email"),
            created_at: fields.moment("created_at").at().unwrap_or(now),
            ..Client::new(id, role, now)
        },
        remark,
    ))
}
