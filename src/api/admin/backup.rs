//! `POST /admin/backup`: everything, as one stream.

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};

use crate::api::wire::search::Contents;
use crate::app::App;
use crate::app::audit::Event;
use crate::http::{ApiQuery, ApiResult, Caller, pipe};
use crate::store::backup::What;

/// Sends a backup; with `?secrets=no` one that support may see. What goes wrong on the way is said in the stream itself.
pub(in crate::api) async fn post(
    State(app): State<App>,
    caller: Caller,
    ApiQuery(contents): ApiQuery<Contents>,
) -> ApiResult<Response> {
    let turn = app.backup_turn()?;
    let what = What { secrets: contents.secrets() };
    let about = if what.secrets { "with secrets" } else { "without secrets" };
    caller.audit(Event::Backup, "everything", about);
    let body = pipe::body(move |out| {
        app.backup(what, out);
        drop(turn);
    });
    let kind = HeaderValue::from_static("application/x-tar");
    Ok(([(CONTENT_TYPE, kind)], body).into_response())
}
