//! Alerts, now and then.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::{Alerts, App};

/// How often to look at the lab. A look that finds nothing new writes nothing.
const PAUSE: Duration = Duration::from_secs(15);

/// Looks until `stop`.
pub(super) async fn watch(app: App, alerts: Alerts, stop: CancellationToken) {
    loop {
        // A failure is in the log already; the next look may fare better.
        let _ = app.look_for_trouble(&alerts).await;
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stop.cancelled() => return,
        }
    }
}
