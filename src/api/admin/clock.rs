//! `POST /admin/clock`: the administrator says that the clock is right after it jumped.

use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::http::{ApiResult, reply};
use crate::ops;

/// Lets retention go on.
pub(in crate::api) async fn confirm(State(app): State<App>) -> ApiResult<Response> {
    app.write(ops::confirm_clock).await?;
    tracing::info!("the clock was confirmed, so retention goes on");
    Ok(reply::ok())
}
