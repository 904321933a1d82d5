//! `POST /admin/check`: whether everything is what it must be.

use axum::extract::State;

use crate::api::wire::check::Wanted;
use crate::app::App;
use crate::http::{Answer, ApiQuery, ApiResult};
use crate::store::check::Report;

/// Checks everything while the server runs; with `?hash=no` only the sizes of files, without reading them.
pub(in crate::api) async fn post(
    State(app): State<App>,
    ApiQuery(wanted): ApiQuery<Wanted>,
) -> ApiResult<Answer<Report>> {
    Ok(Answer::of(&app.check(wanted.hash()).await?))
}
