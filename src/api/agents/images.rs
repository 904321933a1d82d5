//! `/v1/agents/images`

use axum::extract::State;
use axum::response::Response;

use crate::api::wire::queue::{Images, ImagesOfQueue};
use crate::app::App;
use crate::http::{Answer, ApiJson, ApiResult, QueuePath, reply};
use crate::ops;

/// The images of a queue and the provision data that stands for each.
pub(in crate::api) async fn get(
    State(app): State<App>,
    QueuePath(queue): QueuePath,
) -> ApiResult<Answer<ImagesOfQueue>> {
    let images = app.read(|tx| ops::images(tx, &queue))?;
    Ok(Answer::text(images.unwrap_or_else(|| "{}".to_owned())))
}

/// Replaces the images of the queues that are named.
pub(in crate::api) async fn post(
    State(app): State<App>,
    ApiJson(Images(images)): ApiJson<Images>,
) -> ApiResult<Response> {
    app.write(move |tx, _| ops::advertise_images(tx, &images)).await?;
    Ok(reply::ok())
}
