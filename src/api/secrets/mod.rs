//! `/v1/secrets/<client>/<path>`: a client writes and deletes its secrets; nobody reads them here.

use axum::extract::State;
use axum::response::Response;

use super::client_permissions::client_id;
use super::wire::secret::{Ends, Written};
use crate::app::App;
use crate::app::audit::Event;
use crate::domain::{ClientId, SecretPath};
use crate::http::{Answer, ApiError, ApiJson, ApiResult, Caller, TextPaths, reply};
use crate::ops::{self, Error};

/// The secret that a path names. Whose it is is checked first: what others may write is nobody's business.
fn place(
    caller: &Caller,
    client: String,
    path: String,
) -> Result<(ClientId, SecretPath), ApiError> {
    let client = client_id(client)?;
    ops::may_keep_secrets(&caller.by, &client)?;
    let path = SecretPath::try_from(path.clone()).map_err(|_| Error::BadSecretPath(path))?;
    Ok((client, path))
}

/// Writes a secret, and says when it ends.
pub(super) async fn put(
    State(app): State<App>,
    caller: Caller,
    TextPaths([client, path]): TextPaths<2>,
    ApiJson(Written { value, keep }): ApiJson<Written>,
) -> ApiResult<Answer<Ends>> {
    let (client, path) = place(&caller, client, path)?;
    let name = format!("{client}:{path}");
    let ends = app.put_secret(client, path, value, keep, caller.by.clone()).await?;
    caller.audit(Event::SecretWritten, &name, "");
    Ok(Answer::of(&Ends::new(ends)))
}

/// Deletes a secret, if it is there.
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller,
    TextPaths([client, path]): TextPaths<2>,
) -> ApiResult<Response> {
    let (client, path) = place(&caller, client, path)?;
    let (name, by) = (format!("{client}:{path}"), caller.by.clone());
    app.write(move |tx, _| ops::delete_secret(tx, &client, &path, &by)).await?;
    caller.audit(Event::SecretDeleted, &name, "");
    Ok(reply::ok())
}
