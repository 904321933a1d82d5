//! `/v1/client-permissions`

pub(super) mod create;
pub(super) mod delete;
pub(super) mod edit;
pub(super) mod list;
pub(super) mod show;

use crate::app::App;
use crate::app::audit::Event;
use crate::domain::ClientId;
use crate::http::{ApiError, ApiResult, Caller};
use crate::ops::{self, Done};

use super::wire::client::Asked;

/// What is asked for, with the secret hashed.
pub(super) async fn hashed(app: &App, asked: Asked) -> ApiResult<ops::ClientChange> {
    let mut change = asked.change;
    if let Some(secret) = asked.secret {
        change.secret_hash = Some(app.hash(secret).await?);
    }
    Ok(change)
}

/// Writes down what was done to a client.
pub(super) fn audit(caller: &Caller, id: &ClientId, done: &Done) {
    match done {
        Done::Created => caller.audit(Event::ClientCreated, id.as_str(), ""),
        Done::Updated(how) => caller.audit(Event::ClientUpdated, id.as_str(), how),
    }
}

/// The client in a path; one that can have no such id does not exist.
pub(super) fn client_id(text: String) -> Result<ClientId, ApiError> {
    ClientId::try_from(text).map_err(|_| ops::Error::NoClient.into())
}
