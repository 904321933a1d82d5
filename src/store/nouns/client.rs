//! Clients, the queues that are restricted to some of them, and their refresh tokens.

use serde::{Deserialize, Serialize};

use super::aging::Kind;
use crate::domain::{Client, ClientId, NamePattern, QueueName, Refresh, Role, Timestamp};
use crate::store::engine::codec::{Record, first_version};
use crate::store::engine::{ALL, Error, IndexRow, Key, Rows, Table, Tail, WriteTx, codec};

/// A client; its id is the key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ClientV1 {
    pub(super) role: String,
    /// argon2id as a PHC string, or bcrypt as imported; empty when the client has no secret.
    pub(super) secret_hash: String,
    pub(super) max_priority: Vec<(String, i64)>,
    pub(super) max_reservation_time: Vec<(String, i64)>,
    /// `None` until a queue was granted for the first time.
    pub(super) allowed_queues: Option<Vec<String>>,
    pub(super) email: Option<String>,
    pub(super) created_at: i64,
}
first_version!(ClientV1, 10);

/// A client since tokens can be bound to agents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ClientV2 {
    pub(super) role: String,
    pub(super) secret_hash: String,
    pub(super) max_priority: Vec<(String, i64)>,
    pub(super) max_reservation_time: Vec<(String, i64)>,
    pub(super) allowed_queues: Option<Vec<String>>,
    pub(super) email: Option<String>,
    pub(super) created_at: i64,
    /// Patterns of the names of the agents that its tokens speak for; empty for all.
    pub(super) agents: Vec<String>,
}

impl Record for ClientV2 {
    const TAG: u8 = ClientV1::TAG;
    const VERSION: u8 = 2;
    type Previous = ClientV1;

    fn upgrade(old: ClientV1) -> Self {
        Self {
            role: old.role,
            secret_hash: old.secret_hash,
            max_priority: old.max_priority,
            max_reservation_time: old.max_reservation_time,
            allowed_queues: old.allowed_queues,
            email: old.email,
            created_at: old.created_at,
            agents: Vec::new(),
        }
    }
}

/// A refresh token; its SHA-256 is the key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RefreshV1 {
    pub(super) client: String,
    pub(super) created_at: i64,
    pub(super) used_at: i64,
    pub(super) revoked: bool,
}
first_version!(RefreshV1, 11);

impl Client {
    fn index_rows(&self) -> Vec<IndexRow> {
        let queues = self.allowed_queues.iter().flatten();
        queues
            .map(|queue| (Table::Owner, queue.prefix().text(self.id.as_str()), Vec::new()))
            .collect()
    }
}

impl Refresh {
    fn index_rows(&self, digest: &[u8; 32]) -> Vec<IndexRow> {
        vec![
            (Table::Expiry, Kind::Refresh.key(self.used_at, digest), Vec::new()),
            (Table::RefreshByClient, self.client.prefix().raw(digest), Vec::new()),
        ]
    }
}

/// The index rows of a stored client.
pub(crate) fn index_of(key: &[u8], value: &[u8]) -> Result<Vec<IndexRow>, Error> {
    Ok(client(ClientId::stored(key)?, codec::decode(value)?)?.index_rows())
}

/// The index rows of a stored refresh token.
pub(crate) fn index_of_refresh(key: &[u8], value: &[u8]) -> Result<Vec<IndexRow>, Error> {
    let wrong = |_| Error::Corrupt("a refresh token's key is no digest".to_owned());
    let digest = key.try_into().map_err(wrong)?;
    Ok(refresh(codec::decode(value)?).index_rows(&digest))
}

/// A stored client that nobody can log in as: what support needs to see of it.
pub(crate) fn without_secret(value: &[u8]) -> Result<Vec<u8>, Error> {
    let record: ClientV2 = codec::decode(value)?;
    codec::encode(&ClientV2 { secret_hash: String::new(), ..record })
}

/// What can be read of clients.
pub trait ClientReads {
    /// The client with this id.
    fn client(&self, id: &ClientId) -> Result<Option<Client>, Error>;
    /// The next `limit` clients after the one with this id, by id.
    fn clients_after(&self, after: Option<&ClientId>, limit: usize) -> Result<Vec<Client>, Error>;
    /// Whether a queue is restricted.
    fn is_restricted(&self, queue: &QueueName) -> Result<bool, Error>;
    /// The next `limit` restricted queues after this one, by name.
    fn restricted_after(
        &self,
        after: Option<&QueueName>,
        limit: usize,
    ) -> Result<Vec<QueueName>, Error>;
    /// The clients that may use a queue when it is restricted, by id.
    fn owners(&self, queue: &QueueName) -> Result<Vec<ClientId>, Error>;
    /// The refresh token with this SHA-256.
    fn refresh(&self, digest: &[u8; 32]) -> Result<Option<Refresh>, Error>;
}

impl<R: Rows> ClientReads for R {
    fn client(&self, id: &ClientId) -> Result<Option<Client>, Error> {
        let record = self.record(Table::Client, &id.key())?;
        record.map(|record| client(id.clone(), record)).transpose()
    }

    fn clients_after(&self, after: Option<&ClientId>, limit: usize) -> Result<Vec<Client>, Error> {
        self.list_names(Table::Client, after.map(ClientId::as_str), limit, |name, value| {
            client(ClientId::trusted(name), codec::decode(value)?)
        })
    }

    fn is_restricted(&self, queue: &QueueName) -> Result<bool, Error> {
        Ok(self.get(Table::Restricted, &queue.key())?.is_some())
    }

    fn restricted_after(
        &self,
        after: Option<&QueueName>,
        limit: usize,
    ) -> Result<Vec<QueueName>, Error> {
        self.list_names(Table::Restricted, after.map(QueueName::as_str), limit, |name, _| {
            Ok(QueueName::trusted(name))
        })
    }

    fn owners(&self, queue: &QueueName) -> Result<Vec<ClientId>, Error> {
        let prefix = queue.prefix();
        let length = prefix.as_slice().len();
        self.list(Table::Owner, &prefix, ALL, |key, _| {
            ClientId::stored(key.get(length..).unwrap_or_default())
        })
    }

    fn refresh(&self, digest: &[u8; 32]) -> Result<Option<Refresh>, Error> {
        let record: Option<RefreshV1> = self.record(Table::Refresh, &Key::new().raw(digest))?;
        Ok(record.map(refresh))
    }
}

pub(super) fn refresh(record: RefreshV1) -> Refresh {
    Refresh {
        client: ClientId::trusted(record.client),
        created_at: Timestamp::from_micros(record.created_at),
        used_at: Timestamp::from_micros(record.used_at),
        revoked: record.revoked,
    }
}

fn client(id: ClientId, record: ClientV2) -> Result<Client, Error> {
    let role = Role::parse(&record.role)
        .ok_or_else(|| Error::Corrupt(format!("client {id}: role {}", record.role)))?;
    let queues = |queues: Vec<String>| queues.into_iter().map(QueueName::trusted).collect();
    Ok(Client {
        id,
        role,
        secret_hash: record.secret_hash,
        max_priority: record.max_priority.into_iter().collect(),
        max_reservation_time: record.max_reservation_time.into_iter().collect(),
        allowed_queues: record.allowed_queues.map(queues),
        agents: record.agents.into_iter().map(NamePattern::trusted).collect(),
        email: record.email,
        created_at: Timestamp::from_micros(record.created_at),
    })
}

impl WriteTx<'_> {
    /// Adds a client, or replaces what is known of it.
    pub fn put_client(&mut self, new: &Client) -> Result<(), Error> {
        let old = self.client(&new.id)?;
        let before = old.as_ref().map(Client::index_rows).unwrap_or_default();
        self.replace_rows(&before, &new.index_rows())?;
        let texts = |queues: &Vec<QueueName>| queues.iter().map(ToString::to_string).collect();
        let record = ClientV2 {
            role: new.role.as_str().to_owned(),
            secret_hash: new.secret_hash.clone(),
            max_priority: new.max_priority.clone().into_iter().collect(),
            max_reservation_time: new.max_reservation_time.clone().into_iter().collect(),
            allowed_queues: new.allowed_queues.as_ref().map(texts),
            email: new.email.clone(),
            agents: new.agents.iter().map(|pattern| pattern.as_str().to_owned()).collect(),
            created_at: new.created_at.as_micros(),
        };
        self.put_record(Table::Client, &new.id.key(), &record)
    }

    /// Removes a client with its refresh tokens. Queues that it owned stay restricted.
    pub fn remove_client(&mut self, client: &Client) -> Result<(), Error> {
        self.remove_refresh_tokens(&client.id)?;
        self.replace_rows(&client.index_rows(), &[])?;
        self.remove(Table::Client, &client.id.key())?;
        Ok(())
    }

    /// Removes all refresh tokens of a client.
    pub fn remove_refresh_tokens(&mut self, client: &ClientId) -> Result<(), Error> {
        let digests = self.list(Table::RefreshByClient, &client.prefix(), ALL, |key, _| {
            Ok(Tail(key).bytes::<32>())
        })?;
        for digest in digests {
            if let Some(token) = self.refresh(&digest)? {
                self.remove_refresh(&digest, &token)?;
            }
        }
        Ok(())
    }

    /// Restricts a queue to those who own it.
    pub fn restrict(&mut self, queue: &QueueName) -> Result<(), Error> {
        self.put(Table::Restricted, &queue.key(), &[])
    }

    /// Opens a queue to everybody.
    pub fn unrestrict(&mut self, queue: &QueueName) -> Result<(), Error> {
        self.remove(Table::Restricted, &queue.key())?;
        Ok(())
    }

    /// Adds a refresh token, or replaces what is known of it.
    pub fn put_refresh(&mut self, digest: &[u8; 32], token: &Refresh) -> Result<(), Error> {
        let before = self.refresh(digest)?.map(|old| old.index_rows(digest)).unwrap_or_default();
        self.replace_rows(&before, &token.index_rows(digest))?;
        let record = RefreshV1 {
            client: token.client.as_str().to_owned(),
            created_at: token.created_at.as_micros(),
            used_at: token.used_at.as_micros(),
            revoked: token.revoked,
        };
        self.put_record(Table::Refresh, &Key::new().raw(digest), &record)
    }

    /// Removes a refresh token.
    pub fn remove_refresh(&mut self, digest: &[u8; 32], token: &Refresh) -> Result<(), Error> {
        self.replace_rows(&token.index_rows(digest), &[])?;
        self.remove(Table::Refresh, &Key::new().raw(digest))?;
        Ok(())
    }
}
