//! `/admin/secrets`, `/admin/secrets-key`: which secrets there are, and another key for them.

use axum::extract::State;

use crate::api::wire::secret::{Replaced, Shown, Wanted, shown};
use crate::app::App;
use crate::app::audit::Event;
use crate::domain::{ClientId, SecretPath};
use crate::http::{Answer, ApiQuery, ApiResult, Caller, ListOf, stream};
use crate::ops;

/// All secrets, or those of `?client=<id>`, without their values.
pub(in crate::api) async fn list(
    State(app): State<App>,
    ApiQuery(Wanted { client }): ApiQuery<Wanted>,
) -> ApiResult<Answer<ListOf<Shown>>> {
    let page = move |tx: &_, after: Option<(ClientId, SecretPath)>, limit| {
        ops::secrets(tx, client.as_ref(), after.as_ref(), limit)
    };
    stream::list_or_empty(&app, page, shown).await
}

/// Puts a new key in the place of the one that seals secrets.
pub(in crate::api) async fn replace_key(
    State(app): State<App>,
    caller: Caller,
) -> ApiResult<Answer<Replaced>> {
    let done = app.replace_secrets_key().await?;
    caller.audit(Event::KeyReplaced, "secrets", "");
    Ok(Answer::of(&Replaced::from(&done)))
}
