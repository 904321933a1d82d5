//! Retention, now and then.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::{App, Collected};
use crate::domain::Timestamp;

/// How often to check whether anything is old enough. A check that finds nothing writes nothing.
const PAUSE: Duration = Duration::from_mins(1);

/// Removes what is no longer kept, until `stop`. A sweep of many batches is one line in the log.
pub(super) async fn sweep(app: App, stop: CancellationToken) {
    let mut before = Collected::default();
    loop {
        // A failure is in the log already; the next sweep may fare better.
        if let Ok(now) = app.collect().await {
            if let (Some(last), None) = (now.held, before.held) {
                warn_of_jump(&app, last);
            }
            if now.short > 0 && before.short == 0 {
                tracing::warn!(
                    missing = now.short,
                    "less than keep_free is free on the disk, and no file is left that may go"
                );
            }
            before = now;
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stop.cancelled() => return,
        }
    }
}

fn warn_of_jump(app: &App, last: Timestamp) {
    tracing::warn!(
        "the clock says {}, more than a day after the last sweep at {last}: nothing is removed until the clock is set \
         back, or confirmed with: testflinger-server confirm-clock",
        app.now()
    );
}
