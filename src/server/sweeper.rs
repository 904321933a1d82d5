//! Retention, now and then.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::ops;
use crate::store::{Ages, Swept};

/// How often to check whether anything is old enough. A check that finds nothing writes nothing.
const PAUSE: Duration = Duration::from_mins(1);
/// How many things of a kind one transaction removes: small, because every other write waits for it.
const BATCH: usize = 64;

/// Removes what is older than `ages` allow, until `stop`.
pub(super) async fn sweep(app: App, ages: Ages, stop: CancellationToken) {
    loop {
        let ages = ages.clone();
        let swept = app.write(move |tx, now| ops::sweep(tx, now, &ages, BATCH)).await;
        let Swept { removed, more } = swept.unwrap_or_default();
        if removed > 0 {
            tracing::info!(removed, "removed what was older than retention allows");
        }
        let pause = if more { Duration::from_millis(20) } else { PAUSE };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}
