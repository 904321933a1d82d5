//! `/v1/agents/images`

use axum::extract::State;
use axum::response::Response;

use crate::api::wire::queue::images;
use crate::app::App;
use crate::http::{ApiJson, ApiResult, QueuePath, reply};
use crate::ops;

/// The images of a queue and the provision data that stands for each.
pub(in crate::api) async fn get(
    State(app): State<App>,
    QueuePath(queue): QueuePath,
) -> ApiResult<Response> {
    let images = app.read(|tx| ops::images(tx, &queue))?;
    Ok(reply::json_text(images.unwrap_or_else(|| "{}".to_owned())))
}

/// Replaces the images of the queues that are named.
pub(in crate::api) async fn post(
    State(app): State<App>,
    ApiJson(body): ApiJson,
) -> ApiResult<Response> {
    let images = images(body)?;
    app.write(move |tx, _| ops::advertise_images(tx, &images)).await?;
    Ok(reply::ok())
}
