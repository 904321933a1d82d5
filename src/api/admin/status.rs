//! `GET /admin/status`: how the server is.

use axum::extract::State;

use crate::api::wire::server::Shown;
use crate::app::App;
use crate::http::{Answer, ApiResult};

/// Everything that can be seen at a glance, and what needs a person.
pub(in crate::api) async fn get(State(app): State<App>) -> ApiResult<Answer<Shown>> {
    Ok(Answer::of(&Shown::from(app.status().await?)))
}
