//! Refresh tokens are issued, used and taken back.

use std::time::Duration;

use super::{BadRefresh, Error};
use crate::auth::MayAdminister;
use crate::domain::{Client, ClientId, Refresh, Timestamp};
use crate::store::{ClientReads, WriteTx};

/// Remembers a new refresh token of a client.
///
/// # Errors
/// [`Error::NoClient`] when the client was removed while it logged in.
pub fn remember_refresh(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    digest: &[u8; 32],
    client: &ClientId,
) -> Result<(), Error> {
    tx.client(client)?.ok_or(Error::NoClient)?;
    Ok(tx.put_refresh(digest, &Refresh::issued(client.clone(), now))?)
}

/// The client that a refresh token belongs to, as it is now; the token lives on from this moment.
///
/// # Errors
/// [`Error::BadRefresh`] for one that is unknown, revoked, or was not used for `idle`.
pub fn use_refresh(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    digest: &[u8; 32],
    idle: Duration,
) -> Result<Client, Error> {
    let token = tx.refresh(digest)?.ok_or(Error::BadRefresh(BadRefresh::Unknown))?;
    if token.revoked {
        return Err(Error::RevokedRefresh(token.client));
    }
    if now.since(token.used_at) > idle {
        return Err(Error::BadRefresh(BadRefresh::Expired));
    }
    let client = tx.client(&token.client)?;
    let client = client.ok_or(Error::BadRefresh(BadRefresh::Unknown))?;
    tx.put_refresh(digest, &token.used(now))?;
    Ok(client)
}

/// Takes a refresh token back and says whose it was.
///
/// # Errors
/// [`Error::BadRefresh`] for one that is unknown or was taken back before.
pub fn revoke_refresh(
    tx: &mut WriteTx<'_>,
    digest: &[u8; 32],
    _: &MayAdminister,
) -> Result<ClientId, Error> {
    let token = tx.refresh(digest)?.ok_or(Error::BadRefresh(BadRefresh::NotFound))?;
    if token.revoked {
        return Err(Error::BadRefresh(BadRefresh::AlreadyRevoked));
    }
    tx.put_refresh(digest, &token.taken_back())?;
    Ok(token.client)
}
