//! `/v1/agents/queues`

use axum::extract::State;
use axum::response::Response;

use crate::api::wire::queue::{Descriptions, advertised};
use crate::app::App;
use crate::domain::QueueName;
use crate::http::{Answer, ApiJson, ApiResult, reply, stream};
use crate::ops;

/// The advertised queues and their descriptions.
pub(in crate::api) async fn get(State(app): State<App>) -> ApiResult<Answer<Descriptions>> {
    let page =
        |tx: &_, after: Option<QueueName>, limit| ops::advertised_queues(tx, after.as_ref(), limit);
    stream::list_or_empty(&app, page, advertised).await
}

/// Advertises queues.
pub(in crate::api) async fn post(
    State(app): State<App>,
    ApiJson(Descriptions(queues)): ApiJson<Descriptions>,
) -> ApiResult<Response> {
    app.write(move |tx, now| ops::advertise(tx, now, &queues)).await?;
    Ok(reply::ok())
}
