//! `GET /v1/restricted-queues`

use axum::extract::State;
use axum::response::Response;

use crate::api::wire::queue::restricted;
use crate::app::App;
use crate::domain::QueueName;
use crate::http::ApiResult;
use crate::http::stream::{self, Shape};
use crate::ops;

/// The restricted queues and their owners, by name.
pub(in crate::api) async fn get(State(app): State<App>) -> ApiResult<Response> {
    let page =
        |tx: &_, after: Option<QueueName>, limit| ops::restricted_queues(tx, after.as_ref(), limit);
    stream::list_or_empty(&app, Shape::Array, page, |(queue, owners)| restricted(queue, owners))
        .await
}
