//! Looks after jobs whose agents fall silent.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::config;
use crate::ops::{self, Patience};

/// How often to check. A check reads the jobs that agents hold and writes only when something is due.
const PAUSE: Duration = Duration::from_secs(5);

/// Watches until `stop`.
pub(super) async fn watch(app: App, settings: config::Agents, stop: CancellationToken) {
    loop {
        look(&app, &settings).await;
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn look(app: &App, settings: &config::Agents) {
    let (now, began) = app.listening();
    let patience = Patience {
        began,
        acknowledge: settings.acknowledge_within,
        suspect: settings.suspect_after,
        lost: settings.lost_after,
    };
    let reader = app.clone();
    let heard = move |agent: &_| reader.presence().last_heard(agent);
    let Ok(due) = app.scan(move |tx| ops::overdue(tx, now, &patience, heard)).await else {
        // It is in the log; the next look may fare better.
        return;
    };
    for due in due {
        let writer = app.clone();
        // At the moment of the look: the clock may be set meanwhile.
        let act = app.write(move |tx, _| {
            ops::act(tx, now, due, &patience, |agent| writer.presence().last_heard(agent))
        });
        // Here too.
        let _ = act.await;
    }
}
