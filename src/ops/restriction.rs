//! Queues are restricted to their owners.

use std::collections::BTreeMap;

use super::Error;
use crate::auth::MayManage;
use crate::domain::{Agent, ClientId, QueueName};
use crate::store::{self, AgentReads, ClientReads, WriteTx};

/// Makes a client an owner of a queue, which is restricted from then on.
///
/// # Errors
/// [`Error::NoClient`]; [`Error::NoAgentOnQueue`], except for the local administrator, who may restrict a queue before
/// its agents appear.
pub fn add_owner(
    tx: &mut WriteTx<'_>,
    queue: &QueueName,
    owner: &ClientId,
    may: &MayManage,
) -> Result<(), Error> {
    let mut client = tx.client(owner)?.ok_or(Error::NoClient)?;
    if !may.is_local() && tx.queue_agents_after(queue, 0, 1)?.is_empty() {
        return Err(Error::NoAgentOnQueue);
    }
    if client.grant(queue) {
        super::client::check_fits(&client)?;
        tx.put_client(&client)?;
    }
    Ok(tx.restrict(queue)?)
}

/// Takes a queue from a client. The queue opens to everybody when its last owner goes, and not before.
///
/// # Errors
/// [`Error::NotRestricted`].
pub fn remove_owner(
    tx: &mut WriteTx<'_>,
    queue: &QueueName,
    owner: &ClientId,
    _: &MayManage,
) -> Result<(), Error> {
    if !tx.is_restricted(queue)? {
        return Err(Error::NotRestricted);
    }
    // Whoever owned nothing leaves nothing open: a queue may be restricted although nobody owns it.
    if take_from(tx, queue, owner)? && tx.owners(queue)?.is_empty() {
        tx.unrestrict(queue)?;
    }
    Ok(())
}

/// Opens a queue to everybody and takes it from all its owners.
///
/// # Errors
/// [`Error::NotRestricted`].
pub fn open_queue(tx: &mut WriteTx<'_>, queue: &QueueName, _: &MayManage) -> Result<(), Error> {
    if !tx.is_restricted(queue)? {
        return Err(Error::NotRestricted);
    }
    for owner in tx.owners(queue)? {
        take_from(tx, queue, &owner)?;
    }
    Ok(tx.unrestrict(queue)?)
}

/// Says whether the client owned the queue.
fn take_from(tx: &mut WriteTx<'_>, queue: &QueueName, owner: &ClientId) -> Result<bool, Error> {
    let Some(mut client) = tx.client(owner)? else {
        return Ok(false);
    };
    let had_it = client.withdraw(queue);
    if had_it {
        tx.put_client(&client)?;
    }
    Ok(had_it)
}

/// The restricted queues of an agent and who owns them; such an agent asks for jobs of these queues only, so queues
/// without an owner are left out.
pub fn restricted_to(
    tx: &impl ClientReads,
    agent: &Agent,
) -> Result<BTreeMap<QueueName, Vec<ClientId>>, store::Error> {
    let mut found = BTreeMap::new();
    for queue in &agent.queues {
        if tx.is_restricted(queue)? {
            found.insert(queue.clone(), tx.owners(queue)?);
        }
    }
    found.retain(|_, owners| !owners.is_empty());
    Ok(found)
}
