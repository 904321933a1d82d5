//! `GET /v1/job/search`

use axum::extract::State;

use crate::api::wire::job::{Row, found};
use crate::app::App;
use crate::http::{Answer, ApiQuery, ApiResult, ListOf, stream};
use crate::ops::Search;

/// Jobs by tag and state.
pub(in crate::api) async fn get(
    State(app): State<App>,
    ApiQuery(search): ApiQuery<Search>,
) -> ApiResult<Answer<ListOf<Row<'static>>>> {
    let page = move |tx: &_, after, limit| search.page(tx, after, limit);
    stream::list_or_empty(&app, page, found).await
}
