//! What people see in a browser: pages that are made on the server and can be read without JavaScript.
//!
//! Each page has a file here with a template in `templates`. A page reads what it shows in one snapshot, through the use
//! cases of `ops`, and never walks all jobs. Scripts and styles are part of the program; no page needs another host.

mod access;
mod agent;
mod agents;
mod assets;
mod chart;
mod filter;
mod home;
mod job;
mod jobs;
mod live;
mod log;
mod login;
mod queue;
mod queues;
mod shell;
mod show;
mod text;
mod visitor;
mod waits;
mod yaml;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

pub use visitor::Readers;

use crate::app::App;
use crate::http::compression;

/// What all pages share.
#[derive(Clone)]
pub(crate) struct Pages {
    app: App,
    readers: Readers,
}

/// The pages, at the addresses that upstream's pages have.
#[rustfmt::skip]
pub fn routes(app: App, readers: Readers) -> Router {
    let pages = Pages { app, readers };
    let mut free = Router::new().route("/assets/{name}", get(assets::get));
    if readers != Readers::All {
        free = free
            .route("/login", get(login::form).post(login::log_in))
            .route("/logout", post(login::log_out));
    }
    let readable = Router::new()
        .route("/", get(home::get))
        .route("/agents", get(agents::get))
        .route("/agents/{name}", get(agent::get))
        .route("/jobs", get(jobs::get))
        .route("/jobs/{id}", get(job::get))
        .route("/jobs/{id}/artifact", get(job::artifact))
        .route("/jobs/{id}/cancel", post(job::cancel))
        .route("/jobs/{id}/log/{kind}/{phase}", get(log::get))
        .route("/jobs/{id}/stream", get(live::job))
        .route("/queues", get(queues::get))
        .route("/queues/{name}", get(queue::get))
        .route("/stream", get(live::lab));
    free.route_layer(from_fn_with_state(pages.clone(), access::greet))
        .merge(readable.route_layer(from_fn_with_state(pages.clone(), access::guard)))
        .layer(compression::layer())
        .with_state(pages)
}
