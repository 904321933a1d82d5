//! The HTTP API: the whole route table on one screen, one folder per noun, one file per verb.

mod admin;
mod agents;
mod client_permissions;
mod docs;
mod events;
mod health;
mod job;
mod metrics;
mod oauth2;
mod openapi;
mod queues;
mod restricted_queues;
mod result;
mod root;
mod routes;
mod secrets;
mod stream;
mod wire;

use axum::Router;

use self::routes::{Routes, delete, get, may, may_take, post, put};
use crate::app::App;
use crate::auth::Action::{
    Administer, Greet, KeepSecrets, LocalOnly, ManageClients, ReadState, ReportAgent,
    SeeRestrictions, UseLab, WorkJob,
};

/// The API. `GET` also answers `HEAD`; where that would have an effect, `HEAD` has a handler of its own.
pub fn routes(app: App) -> Router {
    table(Routes::new(app)).finish()
}

/// What a port of its own answers to whoever watches the server. Whoever reaches that port needs no token.
pub fn probes(app: App) -> Router {
    health(Routes::new(app)).at("/metrics", [may(Greet, get(metrics::get))]).finish()
}

fn health(routes: Routes) -> Routes {
    routes
        .at("/healthz", [may(Greet, get(health::alive))])
        .at("/readyz", [may(Greet, get(health::ready))])
}

#[rustfmt::skip]
fn table(routes: Routes) -> Routes {
    local(health(routes))
        .at("/docs", [may(Greet, get(docs::page))])
        .at("/docs/{file}", [may(Greet, get(docs::file))])
        .at("/openapi.json", [may(Greet, get(openapi::get))])
        .at("/metrics", [may(UseLab, get(metrics::get))])
        .at("/v1", [may(Greet, get(root::get))])
        .at("/v1/job", [
            may(UseLab, post(job::submit::post)),
            may_take(WorkJob, get(job::claim::get).head(job::claim::head)),
        ])
        .at("/v1/job/search", [may(UseLab, get(job::search::get))])
        .at("/v1/job/{id}", [may(UseLab, get(job::show::get))])
        .at("/v1/job/{id}/action", [may(UseLab, post(job::action::post))])
        .at("/v1/job/{id}/attachments", [
            may(WorkJob, get(job::attachments::get)),
            may(UseLab, post(job::attachments::post)),
        ])
        .at("/v1/job/{id}/events", [may(WorkJob, post(job::events::post))])
        .at("/v1/job/{id}/pin", [may(UseLab, put(job::pin::put).delete(job::pin::delete))])
        .at("/v1/job/{id}/position", [may(UseLab, get(job::position::get))])
        .at("/v1/events/job/{id}", [may(ReadState, get(events::job::get))])
        .at("/v1/job/{id}/status", [may(UseLab, get(job::status::get))])
        .at("/v1/job/{id}/stream", [may(UseLab, get(job::stream::get))])
        .at("/v1/stream", [may(UseLab, get(stream::get))])
        .at("/v1/result/{id}", [
            may(ReadState, get(result::show::get)),
            may(WorkJob, post(result::post::post)),
        ])
        .at("/v1/result/{id}/status", [may(ReadState, get(result::show::status))])
        .at("/v1/result/{id}/artifact", [
            may(UseLab, get(result::artifact::get)),
            may(WorkJob, post(result::artifact::post)),
        ])
        .at("/v1/result/{id}/log/{kind}", [
            may(UseLab, get(result::log::get)),
            may(WorkJob, post(result::log::post)),
        ])
        .at("/v1/result/{id}/output", [
            may_take(UseLab, get(result::drain::output::get).head(result::drain::output::head)),
            may(WorkJob, post(result::drain::output::post)),
        ])
        .at("/v1/result/{id}/serial_output", [
            may_take(UseLab, get(result::drain::serial::get).head(result::drain::serial::head)),
            may(WorkJob, post(result::drain::serial::post)),
        ])
        .at("/v1/agents/queues", [
            may(UseLab, get(agents::queues::get)),
            may(ReportAgent, post(agents::queues::post)),
        ])
        .at("/v1/agents/images", [may(ReportAgent, post(agents::images::post))])
        .at("/v1/agents/images/{queue}", [may(UseLab, get(agents::images::get))])
        .at("/v1/agents/data", [may(UseLab, get(agents::data::list))])
        .at("/v1/agents/data/{name}", [
            may(ReadState, get(agents::data::get)),
            may(ReportAgent, post(agents::data::post)),
        ])
        .at("/v1/agents/data/{name}/history", [may(UseLab, get(agents::history::get))])
        .at("/v1/agents/provision_logs/{name}", [may(WorkJob, post(agents::provision_logs::post))])
        .at("/v1/queues/wait_times", [may(UseLab, get(queues::wait_times::get))])
        .at("/v1/queues/{queue}/agents", [may(UseLab, get(queues::agents::get))])
        .at("/v1/queues/{queue}/jobs", [may(UseLab, get(queues::jobs::get))])
        .at("/v1/oauth2/token", [may(Greet, get(oauth2::token::issue).head(oauth2::token::head).post(oauth2::token::issue))])
        .at("/v1/oauth2/refresh", [may(Greet, post(oauth2::refresh::post))])
        .at("/v1/oauth2/revoke", [may(Administer, post(oauth2::revoke::post))])
        .at("/v1/restricted-queues", [may(SeeRestrictions, get(restricted_queues::list::get))])
        .at("/v1/restricted-queues/{queue}", [
            may(SeeRestrictions, get(restricted_queues::show::get)),
            may(ManageClients, post(restricted_queues::owner::post)),
            may(ManageClients, delete(restricted_queues::owner::delete)),
        ])
        .at("/v1/client-permissions", [
            may(ManageClients, get(client_permissions::list::get)),
            may(ManageClients, post(client_permissions::create::post)),
        ])
        .at("/v1/client-permissions/{id}", [
            may(ManageClients, get(client_permissions::show::get)),
            may(ManageClients, put(client_permissions::edit::put)),
            may(Administer, delete(client_permissions::delete::delete)),
        ])
        .at("/v1/secrets/{client}/{*path}", [
            may(KeepSecrets, put(secrets::put).delete(secrets::delete)),
        ])
}

/// What the commands of the local administrator ask for, over the socket or in their own process.
#[rustfmt::skip]
fn local(routes: Routes) -> Routes {
    routes
        .at("/admin/secrets", [may(LocalOnly, get(admin::secrets::list))])
        .at("/admin/secrets-key", [may(LocalOnly, post(admin::secrets::replace_key))])
        .at("/admin/backup", [may(LocalOnly, post(admin::backup::post).put(admin::backup::put))])
        .at("/admin/check", [may(LocalOnly, post(admin::check::post))])
        .at("/admin/clients/{id}", [
            may(LocalOnly, post(admin::client::create)),
            may(LocalOnly, put(admin::client::edit)),
        ])
        .at("/admin/clock", [may(LocalOnly, post(admin::clock::confirm))])
        .at("/admin/status", [may(LocalOnly, get(admin::status::get))])
        .at("/admin/agents/{name}/aside", [
            may(LocalOnly, put(admin::agents::drain).delete(admin::agents::resume)),
        ])
        .at("/admin/drain", [
            may(LocalOnly, get(admin::drain::get)),
            may(LocalOnly, put(admin::drain::begin).delete(admin::drain::end)),
        ])
        .at("/admin/queues", [may(LocalOnly, get(admin::queues::list))])
        .at("/admin/queues/{queue}", [may(LocalOnly, put(admin::queues::set))])
        .at("/admin/gc", [may(LocalOnly, get(admin::gc::list)), may(LocalOnly, post(admin::gc::post))])
        .at("/admin/notices", [may(LocalOnly, get(admin::notices::list))])
        .at("/admin/notices/{number}", [
            may(LocalOnly, post(admin::notices::retry)),
            may(LocalOnly, delete(admin::notices::drop)),
        ])
        .at("/admin/restricted-queues/{queue}", [may(LocalOnly, delete(admin::queue::open))])
}
