//! The HTTP API: the whole route table on one screen, one folder per noun, one file per verb.

mod agents;
mod job;
mod queues;
mod result;
mod root;
mod wire;

use axum::Router;
use axum::routing::{get, post};

use crate::http::{ApiError, App};

/// All routes. `GET` also answers `HEAD`; where that would have an effect, `HEAD` has a handler of its own.
pub fn routes(app: App) -> Router {
    Router::new()
        .route("/v1", get(root::get))
        .route("/v1/job", get(job::claim::get).head(job::claim::head).post(job::submit::post))
        .route("/v1/job/search", get(job::search::get))
        .route("/v1/job/{id}", get(job::show::get))
        .route("/v1/job/{id}/action", post(job::action::post))
        .route("/v1/job/{id}/attachments", get(job::attachments::get).post(job::attachments::post))
        .route("/v1/job/{id}/position", get(job::position::get))
        .route("/v1/result/{id}", get(result::show::get).post(result::post::post))
        .route("/v1/result/{id}/artifact", get(result::artifact::get).post(result::artifact::post))
        .route("/v1/agents/queues", get(agents::queues::get).post(agents::queues::post))
        .route("/v1/agents/images", post(agents::images::post))
        .route("/v1/agents/images/{queue}", get(agents::images::get))
        .route("/v1/agents/data", get(agents::data::list))
        .route("/v1/agents/data/{name}", get(agents::data::get).post(agents::data::post))
        .route("/v1/agents/provision_logs/{name}", post(agents::provision_logs::post))
        .route("/v1/queues/wait_times", get(queues::wait_times::get))
        .route("/v1/queues/{queue}/agents", get(queues::agents::get))
        .route("/v1/queues/{queue}/jobs", get(queues::jobs::get))
        .fallback(async || ApiError::no_route())
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .with_state(app)
}
