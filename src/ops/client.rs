//! Clients are created, changed and removed.

use std::collections::BTreeMap;

use super::{ClientVerb, Error};
use crate::auth::jwt::{self, Incarnation};
use crate::auth::{MayAdminister, MayManage};
use crate::domain::{Client, ClientId, NamePattern, QueueName, Role, Timestamp};
use crate::store::{ClientReads, WriteTx};

/// The client that upstream creates first; it is changed at this machine only.
pub const SYSTEM_ADMIN: &str = "testflinger-admin";

/// Clients that are looked at together.
const PAGE: usize = 256;

/// What shall change of a client; what is `None` stays.
#[derive(Clone, Default)]
pub struct ClientChange {
    /// The hash of its secret.
    pub secret_hash: Option<String>,
    /// Its role.
    pub role: Option<Role>,
    /// The highest priority by queue.
    pub max_priority: Option<BTreeMap<String, i64>>,
    /// The longest reservation by queue, seconds.
    pub max_reservation_time: Option<BTreeMap<String, i64>>,
    /// The restricted queues that it may use.
    pub allowed_queues: Option<Vec<QueueName>>,
    /// The agents that its tokens speak for; all of them when there is none.
    pub agents: Option<Vec<NamePattern>>,
    /// How to reach the person who is responsible for it.
    pub email: Option<String>,
}

/// Whether a client must, may or must not be there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It must be new.
    Create,
    /// It must be there.
    Edit,
    /// It is created when a secret is given, else it must be there.
    CreateOrEdit,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// There is a new client.
    Created,
    /// A client was changed; in words how.
    Updated(String),
}

/// Creates or changes a client.
///
/// # Errors
/// [`Error::NoClient`], [`Error::ClientExists`], [`Error::SystemAdmin`], [`Error::LastAdmin`],
/// [`Error::AboveManager`], [`Error::RoleAboveManager`], [`Error::TooManyRights`].
pub fn put_client(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    id: &ClientId,
    change: &ClientChange,
    how: Put,
    may: &MayManage,
) -> Result<Done, Error> {
    let old = tx.client(id)?;
    let created = match (&old, how) {
        (Some(_), Put::Create) => return Err(Error::ClientExists),
        (None, Put::Edit) => return Err(Error::NoClient),
        (None, Put::CreateOrEdit) if change.secret_hash.is_none() => return Err(Error::NoClient),
        (old, _) => old.is_none(),
    };
    check_rights(tx, id, old.as_ref(), change, how, may)?;
    let before = old.clone();
    let mut client = old.unwrap_or_else(|| Client::new(id.clone(), Role::Contributor, now));
    let (change, new_secret) = (change.clone(), change.secret_hash.is_some());
    client.role = change.role.unwrap_or(client.role);
    client.secret_hash = change.secret_hash.unwrap_or(client.secret_hash);
    client.max_priority = change.max_priority.unwrap_or(client.max_priority);
    client.max_reservation_time =
        change.max_reservation_time.unwrap_or(client.max_reservation_time);
    client.allowed_queues = change.allowed_queues.or(client.allowed_queues);
    client.agents = change.agents.unwrap_or(client.agents);
    client.email = change.email.or(client.email);
    if new_secret && !created {
        // Whoever changes a secret means to end what was issued for the old one.
        tx.remove_refresh_tokens(id)?;
    }
    check_fits(&client)?;
    tx.put_client(&client)?;
    Ok(before.map_or(Done::Created, |before| Done::Updated(client.changes_since(&before))))
}

/// What a token says of a client.
#[must_use]
pub fn claims(client: &Client, since: Incarnation) -> jwt::Permissions {
    jwt::Permissions {
        client_id: client.id.to_string(),
        role: client.role.as_str().to_owned(),
        max_priority: client.max_priority.clone(),
        allowed_queues: client.allowed_queues.iter().flatten().map(ToString::to_string).collect(),
        max_reservation_time: client.max_reservation_time.clone(),
        email: client.email.clone(),
        since: Some(since),
    }
}

/// Refuses rights that no token could hold: the client could not log in any more.
pub(super) fn check_fits(client: &Client) -> Result<(), Error> {
    if jwt::fits(&claims(client, Incarnation::longest())) {
        Ok(())
    } else {
        Err(Error::TooManyRights)
    }
}

fn check_rights(
    tx: &WriteTx<'_>,
    id: &ClientId,
    old: Option<&Client>,
    change: &ClientChange,
    how: Put,
    may: &MayManage,
) -> Result<(), Error> {
    let Some(manager) = may.client() else {
        return Ok(());
    };
    // It is not created either, because a client of this name could never be removed again over HTTP.
    if id.as_str() == SYSTEM_ADMIN {
        return Err(Error::SystemAdmin(ClientVerb::Modify));
    }
    if old.is_some_and(|old| !may.covers(old.role)) {
        return Err(Error::AboveManager { manager: manager.clone(), client: id.clone() });
    }
    if let Some(role) = change.role.filter(|role| !may.covers(*role)) {
        let (manager, client) = (manager.clone(), id.clone());
        return Err(Error::RoleAboveManager { manager, client, role, new: how == Put::Create });
    }
    let demoted = change.role.is_some_and(|role| role != Role::Admin);
    if demoted && is_last_admin(tx, old)? {
        return Err(Error::LastAdmin(ClientVerb::Demote));
    }
    Ok(())
}

fn is_last_admin(tx: &WriteTx<'_>, client: Option<&Client>) -> Result<bool, Error> {
    let Some(client) = client.filter(|client| client.role == Role::Admin) else {
        return Ok(false);
    };
    let mut after: Option<ClientId> = None;
    loop {
        let page = tx.clients_after(after.as_ref(), PAGE)?;
        if page.iter().any(|other| other.role == Role::Admin && other.id != client.id) {
            return Ok(false);
        }
        match page.last() {
            None => return Ok(true),
            Some(last) => after = Some(last.id.clone()),
        }
    }
}

/// Removes a client; its tokens are dead from then on. Queues that it owned stay restricted.
///
/// # Errors
/// [`Error::NoClient`], [`Error::SystemAdmin`], [`Error::LastAdmin`].
pub fn delete_client(
    tx: &mut WriteTx<'_>,
    id: &ClientId,
    may: &MayAdminister,
) -> Result<(), Error> {
    if !may.is_local() && id.as_str() == SYSTEM_ADMIN {
        return Err(Error::SystemAdmin(ClientVerb::Delete));
    }
    let client = tx.client(id)?.ok_or(Error::NoClient)?;
    if !may.is_local() && is_last_admin(tx, Some(&client))? {
        return Err(Error::LastAdmin(ClientVerb::Delete));
    }
    Ok(tx.remove_client(&client)?)
}

/// Replaces the hash of a client's secret by a better one of the same secret, unless the secret was changed meanwhile.
pub fn replace_hash(
    tx: &mut WriteTx<'_>,
    id: &ClientId,
    old: &str,
    new: &str,
) -> Result<(), Error> {
    if let Some(mut client) = tx.client(id)?.filter(|client| client.secret_hash == old) {
        new.clone_into(&mut client.secret_hash);
        tx.put_client(&client)?;
    }
    Ok(())
}
