//! `POST /admin/backup`: everything, as one stream.

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::IntoResponse;

use crate::api::wire::search::Contents;
use crate::app::App;
use crate::app::audit::Event;
use crate::http::shape::{Kind, Output};
use crate::http::{Answer, ApiQuery, ApiResult, Caller, pipe};
use crate::store::backup::What;

/// A tar file.
pub(in crate::api) enum Archive {}

impl Output for Archive {
    const KIND: Kind = Kind::Any;
    const MEDIA: &'static [&'static str] = &["application/x-tar"];
}

/// Sends a backup; with `?secrets=no` one that support may see. What goes wrong on the way is said in the stream itself.
pub(in crate::api) async fn post(
    State(app): State<App>,
    caller: Caller,
    ApiQuery(contents): ApiQuery<Contents>,
) -> ApiResult<Answer<Archive>> {
    let turn = app.backup_turn()?;
    let what = What { secrets: contents.secrets() };
    let about = if what.secrets { "with secrets" } else { "without secrets" };
    caller.audit(Event::Backup, "everything", about);
    let body = pipe::body(move |out| {
        app.backup(what, out);
        drop(turn);
    });
    let kind = HeaderValue::from_static("application/x-tar");
    Ok(([(CONTENT_TYPE, kind)], body).into_response().into())
}
