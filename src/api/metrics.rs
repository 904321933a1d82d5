//! `/metrics`

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::http::ApiResult;
use crate::metrics;

/// All metrics in Prometheus' text format.
pub(super) async fn get(State(app): State<App>) -> ApiResult {
    let text = app.metrics_text().await?;
    let kind = HeaderValue::from_static(metrics::CONTENT_TYPE);
    Ok::<Response, _>(([(CONTENT_TYPE, kind)], text).into_response())
}
