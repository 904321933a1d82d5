//! `/v1/agents/queues`

use axum::extract::State;
use axum::response::Response;

use crate::api::wire::queue::{advertised, descriptions};
use crate::app::App;
use crate::domain::QueueName;
use crate::http::stream::{self, Shape};
use crate::http::{ApiJson, ApiResult, reply};
use crate::ops;

/// The advertised queues and their descriptions.
pub(in crate::api) async fn get(State(app): State<App>) -> ApiResult<Response> {
    let page =
        |tx: &_, after: Option<QueueName>, limit| ops::advertised_queues(tx, after.as_ref(), limit);
    stream::list_or_empty(&app, Shape::Object, page, advertised).await
}

/// Advertises queues.
pub(in crate::api) async fn post(
    State(app): State<App>,
    ApiJson(body): ApiJson,
) -> ApiResult<Response> {
    let queues = descriptions(body)?;
    app.write(move |tx, now| ops::advertise(tx, now, &queues)).await?;
    Ok(reply::ok())
}
