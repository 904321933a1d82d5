//! What can be seen of clients, by whoever may manage them.

use super::super::Error;
use super::Page;
use crate::auth::MayManage;
use crate::domain::{Client, ClientId};
use crate::store::ClientReads;

/// The client with this id.
///
/// # Errors
/// [`Error::NoClient`].
pub fn client(tx: &impl ClientReads, id: &ClientId, _: &MayManage) -> Result<Client, Error> {
    tx.client(id)?.ok_or(Error::NoClient)
}

/// All clients, by id.
pub fn clients(
    tx: &impl ClientReads,
    after: Option<&ClientId>,
    limit: usize,
    _: &MayManage,
) -> Result<Page<Client, ClientId>, Error> {
    let clients = tx.clients_after(after, limit)?;
    Ok(Page::of(clients, limit, |last| last.id.clone()))
}

/// Whether an id is free for a new client.
///
/// # Errors
/// [`Error::ClientExists`].
pub fn is_free(tx: &impl ClientReads, id: &ClientId) -> Result<(), Error> {
    if tx.client(id)?.is_some() { Err(Error::ClientExists) } else { Ok(()) }
}

/// Whether there is any client.
pub fn has_clients(tx: &impl ClientReads) -> Result<bool, Error> {
    Ok(!tx.clients_after(None, 1)?.is_empty())
}
