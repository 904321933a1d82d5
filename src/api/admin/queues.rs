//! `/admin/queues`: what is set for queues.

use axum::extract::State;
use axum::response::Response;

use crate::api::wire::queue::{QueueRetries, Retries, queue_retries};
use crate::app::App;
use crate::http::{Answer, ApiJson, ApiResult, ListOf, QueuePath, reply, stream};
use crate::ops::{self, Page};

/// The queues whose jobs go to another agent when their provisioning fails.
pub(in crate::api) async fn list(
    State(app): State<App>,
) -> ApiResult<Answer<ListOf<QueueRetries>>> {
    let page = |tx: &_, _: Option<()>, _| {
        ops::queues_with_retries(tx).map(|items| Page { items, next: None })
    };
    stream::list_or_empty(&app, page, queue_retries).await
}

/// Sets how often they do.
pub(in crate::api) async fn set(
    State(app): State<App>,
    QueuePath(queue): QueuePath,
    ApiJson(Retries(retries)): ApiJson<Retries>,
) -> ApiResult<Response> {
    tracing::info!(%queue, retries, "the retries of a queue were set");
    app.write(move |tx, _| ops::set_retries(tx, &queue, retries)).await?;
    Ok(reply::ok())
}
