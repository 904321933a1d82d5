//! `/v1/client-permissions`

pub(super) mod create;
pub(super) mod delete;
pub(super) mod edit;
pub(super) mod list;
pub(super) mod show;

use crate::app::App;
use crate::domain::ClientId;
use crate::http::{ApiError, ApiResult};
use crate::ops;

use super::wire::client::Asked;

/// What is asked for, with the secret hashed.
pub(super) async fn hashed(app: &App, asked: Asked) -> ApiResult<ops::ClientChange> {
    let mut change = asked.change;
    if let Some(secret) = asked.secret {
        change.secret_hash = Some(app.hash(secret).await?);
    }
    Ok(change)
}

/// The client in a path; one that can have no such id does not exist.
pub(super) fn client_id(text: String) -> Result<ClientId, ApiError> {
    ClientId::try_from(text).map_err(|_| ops::Error::NoClient.into())
}
