//! `/v1/agents/queues`

use axum::extract::State;
use axum::response::Response;

use crate::api::wire::queue::descriptions;
use crate::app::App;
use crate::domain::QueueName;
use crate::http::stream::{self, PAGE, Shape};
use crate::http::{ApiJson, ApiResult, json, reply};
use crate::ops;
use crate::store::QueueReads;

/// The advertised queues and their descriptions.
pub(in crate::api) async fn get(State(app): State<App>) -> ApiResult<Response> {
    stream::list_or_empty(&app, Shape::Object, None, |tx, after: Option<QueueName>| {
        let queues = tx.advertised_after(after.as_ref(), PAGE)?;
        let next = queues.last().filter(|_| queues.len() == PAGE).map(|queue| queue.name.clone());
        let member =
            |name: &QueueName, text: &String| format!("{}:{}", json::text(name), json::text(text));
        let members = queues.iter().map(|queue| member(&queue.name, &queue.description));
        Ok((members.collect(), next.map(Some)))
    })
    .await
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
