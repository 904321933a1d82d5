//! `/v1/result/<id>/artifact`

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, HeaderValue};
use axum::response::Response;

use crate::api::wire::result::OfTry;
use crate::app::App;
use crate::domain::BlobKind;
use crate::http::path::JobTextPath;
use crate::http::upload::{self, FileRequest};
use crate::http::{Answer, ApiQuery, ApiResult, Gzip, reply};
use crate::ops::{self, By};

/// The newest artifact, byte for byte as it was sent; with `?try=1` that of an earlier try.
pub(in crate::api) async fn get(
    State(app): State<App>,
    JobTextPath(id): JobTextPath,
    ApiQuery(of): ApiQuery<OfTry>,
) -> ApiResult<Answer<Gzip>> {
    let kept = |number| app.read(|tx| ops::kept_of_try(tx, id, number));
    let Some(id) = of.number().map_or(Ok(Some(id)), kept)? else {
        return Ok(Answer::nothing());
    };
    let Some(mut response) = upload::send(&app, id, BlobKind::Artifact).await? else {
        return Ok(Answer::nothing());
    };
    let name = HeaderValue::from_static("inline; filename=artifact.tar.gz");
    response.headers_mut().insert(CONTENT_DISPOSITION, name);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response.into())
}

/// Takes an artifact; the newest wins. The job need not exist.
pub(in crate::api) async fn post(
    State(app): State<App>,
    by: By,
    JobTextPath(id): JobTextPath,
    FileRequest(request): FileRequest,
) -> ApiResult<Response> {
    let arrived = upload::receive(&app, request).await?;
    let blob = arrived.blob.clone();
    app.write_then(
        move |tx, _| ops::put_artifact(tx, id, &blob, &by).map(|()| true),
        |outcome| arrived.settle(outcome),
    )
    .await?;
    Ok(reply::ok())
}
