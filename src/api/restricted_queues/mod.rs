//! `/v1/restricted-queues`

pub(super) mod add_owner;
pub(super) mod list;
pub(super) mod remove_owner;
pub(super) mod show;

use crate::domain::ClientId;
use crate::http::{ApiError, Fields};
use crate::ops;

/// The client that a request names as owner.
fn owner(mut body: Fields) -> Result<ClientId, ApiError> {
    body.only(&["client_id"]);
    body.drop_null("client_id");
    let id = body.string("client_id");
    body.finish()?;
    let id = id.filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| ApiError::bad_request("Error: Missing client ID."))?;
    ClientId::try_from(id).map_err(|_| ops::Error::NoClient.into())
}
