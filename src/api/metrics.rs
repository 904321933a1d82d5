//! `/metrics`

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::IntoResponse;

use crate::app::App;
use crate::http::{Answer, ApiResult, Plain};
use crate::metrics;

/// All metrics in Prometheus' text format.
pub(super) async fn get(State(app): State<App>) -> ApiResult<Answer<Plain>> {
    let text = app.metrics_text().await?;
    let kind = HeaderValue::from_static(metrics::CONTENT_TYPE);
    Ok(([(CONTENT_TYPE, kind)], text).into_response().into())
}
