//! Clients, the queues that are restricted to some of them, and their refresh tokens.

use std::ops::{Bound, ControlFlow};

use serde::{Deserialize, Serialize};

use super::aging::Kind;
use crate::domain::{Client, ClientId, QueueName, Refresh, Role, Timestamp};
use crate::store::engine::codec::first_version;
use crate::store::engine::{Direction, Error, IndexRow, Key, Rows, Table, WriteTx, codec, name_in};

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
            .map(|queue| (Table::Owner, owner(queue).text(self.id.as_str()), Vec::new()))
            .collect()
    }
}

impl Refresh {
    fn index_rows(&self, digest: &[u8; 32]) -> Vec<IndexRow> {
        vec![
            (Table::Expiry, Kind::Refresh.key(self.used_at, digest), Vec::new()),
            (Table::RefreshByClient, by_client(&self.client).raw(digest), Vec::new()),
        ]
    }
}

/// The index rows of a stored client.
pub(crate) fn index_of(key: &[u8], value: &[u8]) -> Result<Vec<IndexRow>, Error> {
    Ok(client(ClientId::trusted(name_in(key)?), codec::decode(value)?)?.index_rows())
}

/// The index rows of a stored refresh token.
pub(crate) fn index_of_refresh(key: &[u8], value: &[u8]) -> Result<Vec<IndexRow>, Error> {
    let wrong = |_| Error::Corrupt("a refresh token's key is no digest".to_owned());
    let digest = key.try_into().map_err(wrong)?;
    Ok(refresh(codec::decode(value)?).index_rows(&digest))
}

/// A stored client that nobody can log in as: what support needs to see of it.
pub(crate) fn without_secret(value: &[u8]) -> Result<Vec<u8>, Error> {
    let record: ClientV1 = codec::decode(value)?;
    codec::encode(&ClientV1 { secret_hash: String::new(), ..record })
}

fn key(id: &ClientId) -> Key {
    Key::new().text(id.as_str())
}

fn owner(queue: &QueueName) -> Key {
    Key::new().name(queue.as_str())
}

fn by_client(id: &ClientId) -> Key {
    Key::new().name(id.as_str())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
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
        let record = self.record(Table::Client, &key(id))?;
        record.map(|record| client(id.clone(), record)).transpose()
    }

    fn clients_after(&self, after: Option<&ClientId>, limit: usize) -> Result<Vec<Client>, Error> {
        let mut found = Vec::new();
        after_name(self, Table::Client, after.map(ClientId::as_str), limit, &mut |name, value| {
            found.push(client(ClientId::trusted(name), codec::decode(value)?)?);
            Ok(())
        })?;
        Ok(found)
    }

    fn is_restricted(&self, queue: &QueueName) -> Result<bool, Error> {
        Ok(self.get(Table::Restricted, &Key::new().text(queue.as_str()))?.is_some())
    }

    fn restricted_after(
        &self,
        after: Option<&QueueName>,
        limit: usize,
    ) -> Result<Vec<QueueName>, Error> {
        let mut found = Vec::new();
        let after = after.map(QueueName::as_str);
        after_name(self, Table::Restricted, after, limit, &mut |name, _| {
            found.push(QueueName::trusted(name));
            Ok(())
        })?;
        Ok(found)
    }

    fn owners(&self, queue: &QueueName) -> Result<Vec<ClientId>, Error> {
        let prefix = owner(queue);
        let mut found = Vec::new();
        self.scan_prefix(Table::Owner, &prefix, None, &mut |key, _| {
            let name = key.get(prefix.as_slice().len()..).unwrap_or_default();
            found.push(ClientId::trusted(text(name)));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    fn refresh(&self, digest: &[u8; 32]) -> Result<Option<Refresh>, Error> {
        let record: Option<RefreshV1> = self.record(Table::Refresh, &Key::new().raw(digest))?;
        Ok(record.map(refresh))
    }
}

fn refresh(record: RefreshV1) -> Refresh {
    Refresh {
        client: ClientId::trusted(record.client),
        created_at: Timestamp::from_micros(record.created_at),
        used_at: Timestamp::from_micros(record.used_at),
        revoked: record.revoked,
    }
}

/// Looks at a row by its name.
type VisitNamed<'a> = dyn FnMut(String, &[u8]) -> Result<(), Error> + 'a;

/// Shows the next rows of a table whose keys are names.
fn after_name(
    rows: &impl Rows,
    table: Table,
    after: Option<&str>,
    limit: usize,
    visit: &mut VisitNamed<'_>,
) -> Result<(), Error> {
    let from = after.map_or(Bound::Unbounded, |name| Bound::Excluded(name.as_bytes()));
    let mut left = limit;
    rows.scan(table, (from, Bound::Unbounded), Direction::Forward, &mut |key, value| {
        if left == 0 {
            return Ok(ControlFlow::Break(()));
        }
        left -= 1;
        visit(text(key), value)?;
        Ok(ControlFlow::Continue(()))
    })
}

fn client(id: ClientId, record: ClientV1) -> Result<Client, Error> {
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
        let record = ClientV1 {
            role: new.role.as_str().to_owned(),
            secret_hash: new.secret_hash.clone(),
            max_priority: new.max_priority.clone().into_iter().collect(),
            max_reservation_time: new.max_reservation_time.clone().into_iter().collect(),
            allowed_queues: new.allowed_queues.as_ref().map(texts),
            email: new.email.clone(),
            created_at: new.created_at.as_micros(),
        };
        self.put_record(Table::Client, &key(&new.id), &record)
    }

    /// Removes a client with its refresh tokens. Queues that it owned stay restricted.
    pub fn remove_client(&mut self, client: &Client) -> Result<(), Error> {
        self.remove_refresh_tokens(&client.id)?;
        self.replace_rows(&client.index_rows(), &[])?;
        self.remove(Table::Client, &key(&client.id))?;
        Ok(())
    }

    /// Removes all refresh tokens of a client.
    pub fn remove_refresh_tokens(&mut self, client: &ClientId) -> Result<(), Error> {
        let prefix = by_client(client);
        let mut digests: Vec<[u8; 32]> = Vec::new();
        self.scan_prefix(Table::RefreshByClient, &prefix, None, &mut |key, _| {
            digests.extend(key.last_chunk::<32>());
            Ok(ControlFlow::Continue(()))
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
        self.put(Table::Restricted, &Key::new().text(queue.as_str()), &[])
    }

    /// Opens a queue to everybody.
    pub fn unrestrict(&mut self, queue: &QueueName) -> Result<(), Error> {
        self.remove(Table::Restricted, &Key::new().text(queue.as_str()))?;
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
