//! `/v1/job/<id>/attachments`

use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::domain::BlobKind;
use crate::http::path::JobTextPath;
use crate::http::upload::{self, FileRequest};
use crate::http::{Answer, ApiResult, Gzip, reply};
use crate::ops::{self, By};

/// The archive of a job's attachments, as it was sent.
pub(in crate::api) async fn get(
    State(app): State<App>,
    JobTextPath(id): JobTextPath,
) -> ApiResult<Answer<Gzip>> {
    let file = upload::send(&app, id, BlobKind::Attachments).await?;
    Ok(file.unwrap_or_else(reply::nothing).into())
}

/// Takes the archive that a waiting job needs.
pub(in crate::api) async fn post(
    State(app): State<App>,
    by: By,
    JobTextPath(id): JobTextPath,
    FileRequest(request): FileRequest,
) -> ApiResult<Response> {
    app.read(|tx| ops::awaiting_attachments(tx, id, &by))?;
    let arrived = upload::receive(&app, request).await?;
    let blob = arrived.blob.clone();
    app.write_then(
        move |tx, now| ops::put_attachments(tx, now, id, &blob, &by),
        |outcome| arrived.settle(outcome),
    )
    .await?;
    Ok(reply::ok())
}
