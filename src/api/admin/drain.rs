//! `/admin/drain`: the server hands out no jobs, so that after a while nothing runs.

use axum::extract::State;

use crate::api::wire::drain::Drained;
use crate::app::App;
use crate::http::{Answer, ApiResult};
use crate::ops;

/// Whether it does, and how many jobs run.
pub(in crate::api) async fn get(State(app): State<App>) -> ApiResult<Answer<Drained>> {
    Ok(Answer::of(&app.scan(ops::drained).await?.into()))
}

/// Hands out no more jobs.
pub(in crate::api) async fn begin(State(app): State<App>) -> ApiResult<Answer<Drained>> {
    let drain = app.write(ops::drain).await?;
    tracing::warn!(running = drain.running, "the server is drained: it hands out no jobs");
    Ok(Answer::of(&drain.into()))
}

/// Hands out jobs again.
pub(in crate::api) async fn end(State(app): State<App>) -> ApiResult<Answer<Drained>> {
    let drain = app.write(|tx, _| ops::resume(tx)).await?;
    tracing::info!("the server hands out jobs again");
    Ok(Answer::of(&drain.into()))
}
