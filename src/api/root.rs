//! `GET /v1`

use axum::response::Response;

use crate::http::reply;

/// The API level first, in the form that upstream prints its version; agents only ask whether anybody answers.
const TEXT: &str =
    concat!("Testflinger Server v1.5.0 (testflinger-server ", env!("CARGO_PKG_VERSION"), ")");

/// Says that a Testflinger server answers.
pub(super) async fn get() -> Response {
    reply::text(TEXT)
}
