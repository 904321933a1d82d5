//! `GET /v1/restricted-queues`

use axum::extract::State;

use crate::api::wire::queue::Restricted;
use crate::app::App;
use crate::domain::{ClientId, QueueName};
use crate::http::{Answer, ApiResult, ListOf, json, stream};
use crate::ops;

/// The restricted queues and their owners, by name.
pub(in crate::api) async fn get(
    State(app): State<App>,
) -> ApiResult<Answer<ListOf<Restricted<'static>>>> {
    let page =
        |tx: &_, after: Option<QueueName>, limit| ops::restricted_queues(tx, after.as_ref(), limit);
    let show =
        |(queue, owners): &(QueueName, Vec<ClientId>)| json::text(&Restricted { owners, queue });
    stream::list_or_empty(&app, page, show).await
}
