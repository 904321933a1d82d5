//! `/admin/backup`: everything, as one stream; and what became of it.

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};

use crate::api::wire::search::Contents;
use crate::app::App;
use crate::app::audit::Event;
use crate::http::shape::{Kind, Output};
use crate::http::{Answer, ApiJson, ApiQuery, ApiResult, Caller, pipe, reply};
use crate::store::backup::{Note, What};

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
    let body = pipe::body("backup", move |out| {
        app.backup(what, out);
        drop(turn);
    })?;
    let kind = HeaderValue::from_static("application/x-tar");
    Ok(([(CONTENT_TYPE, kind)], body).into_response().into())
}

/// Notes that a backup was made: only whoever took it knows whether it arrived.
pub(in crate::api) async fn put(
    State(app): State<App>,
    ApiJson(note): ApiJson<Note>,
) -> ApiResult<Response> {
    app.note_backup(note).await?;
    Ok(reply::ok())
}
