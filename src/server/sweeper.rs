//! Retention, now and then.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::domain::Timestamp;
use crate::ops::{self, Sweep};
use crate::store::Ages;

/// How often to check whether anything is old enough. A check that finds nothing writes nothing.
const PAUSE: Duration = Duration::from_mins(1);
/// How many things of a kind one transaction removes: small, because every other write waits for it.
const BATCH: usize = 64;
/// The pause between two batches, in which other writes have their turn.
const BREATH: Duration = Duration::from_millis(20);

/// Removes what is older than `ages` allow, until `stop`. A sweep of many batches is one line in the log.
pub(super) async fn sweep(app: App, ages: watch::Receiver<Ages>, stop: CancellationToken) {
    let (mut removed, mut was_held) = (0, false);
    loop {
        let now = ages.borrow().clone();
        let swept = app.write(move |tx, at| ops::sweep(tx, at, &now, BATCH)).await;
        // A failure is in the log already; the next sweep may fare better.
        let (more, held) = match swept {
            Ok(Sweep::Done(swept)) => {
                removed += swept.removed;
                (swept.more, None)
            }
            Ok(Sweep::Held { last }) => (false, Some(last)),
            Err(_) => (false, None),
        };
        if let Some(last) = held.filter(|_| !was_held) {
            warn_of_jump(&app, last);
        }
        was_held = held.is_some();
        if !more && removed > 0 {
            tracing::info!(removed, "removed what was older than retention allows");
            removed = 0;
        }
        tokio::select! {
            () = tokio::time::sleep(if more { BREATH } else { PAUSE }) => {}
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
