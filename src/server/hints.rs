//! What the log says at the start, so that nobody has to find it out later.

use std::net::SocketAddr;
use std::path::Path;

use crate::app::App;
use crate::config::{self, Mode, Span};
use crate::ops;

/// Says that no job will be handed out, because nobody remembers a drain of last week.
pub(super) fn warn_of_drain(app: &App) {
    if let Ok(ops::Drain { since: Some(since), .. }) = app.read(ops::drained) {
        tracing::warn!(
            "the server has been drained since {since}: it hands out no jobs until testflinger-server resume"
        );
    }
}

/// Names the data directory: the default may be another one, where the command would make a new database.
pub(super) fn hint_at_first_admin(app: &App, data_dir: &Path) {
    if app.read(ops::has_clients).is_ok_and(|there_are| !there_are) {
        tracing::info!(
            "there is no client yet; create the admin with: \
             testflinger-server client-admin create testflinger-admin --role admin --data-dir {}",
            data_dir.display()
        );
    }
}

/// In open mode anybody who reaches the address may submit jobs and act as an agent.
pub(super) fn warn_of_strangers(access: Mode, addr: SocketAddr) {
    if access == Mode::Open && !addr.ip().is_loopback() {
        tracing::warn!(
            "everybody who reaches {addr} may submit jobs and act as an agent: use access = \"contributor\" or \
             \"locked\" unless the whole network is trusted"
        );
    }
}

pub(super) fn log_retention(settings: &config::Retention) {
    tracing::info!(
        jobs = %Span(settings.keep_jobs),
        files = %Span(settings.keep_files),
        agents = %Span(settings.keep_agents),
        queues = %Span(settings.keep_queues),
        output = %Span(settings.keep_output),
        refresh_tokens = %Span(settings.keep_refresh_tokens),
        keep_free = settings.keep_free,
        "retention in force"
    );
}
