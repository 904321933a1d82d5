//! Use cases that change something.

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::Span;

use super::{App, Result};
use crate::domain::Timestamp;
use crate::ops;
use crate::store::{self, Where, WriteTx};

/// On which thread a short write may run. A request's own thread waits for the disk then, so there must be another one
/// that reads what comes meanwhile.
pub(super) fn here() -> Where {
    let threads = Handle::try_current().map_or(1, |runtime| runtime.metrics().num_workers());
    if threads > 1 { Where::Caller } else { Where::Writer }
}

impl App {
    /// Runs a use case in the writer's next transaction and answers once it is on disk.
    pub async fn write<T>(
        &self,
        write: impl FnMut(&mut WriteTx<'_>, Timestamp) -> std::result::Result<T, ops::Error>
        + Send
        + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
    {
        self.write_at(here(), write, |_| ()).await
    }

    /// The same for one that may take long, never on the request's own thread.
    pub async fn write_large<T>(
        &self,
        write: impl FnMut(&mut WriteTx<'_>, Timestamp) -> std::result::Result<T, ops::Error>
        + Send
        + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
    {
        self.write_then(write, |_| ()).await
    }

    /// [`App::write_large`], and `then` sees the outcome even when the request has ended meanwhile, because a write that was
    /// begun is not stopped.
    pub async fn write_then<T>(
        &self,
        write: impl FnMut(&mut WriteTx<'_>, Timestamp) -> std::result::Result<T, ops::Error>
        + Send
        + 'static,
        then: impl FnOnce(&std::result::Result<T, ops::Error>) + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
    {
        self.write_at(Where::Writer, write, then).await
    }

    async fn write_at<T>(
        &self,
        at: Where,
        mut write: impl FnMut(&mut WriteTx<'_>, Timestamp) -> std::result::Result<T, ops::Error>
        + Send
        + 'static,
        then: impl FnOnce(&std::result::Result<T, ops::Error>) + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        // What is logged while it is written belongs to the request, too.
        let span = Span::current();
        let write = move |tx: &mut WriteTx<'_>, now| span.in_scope(|| write(tx, now));
        self.0.store.submit(at, write, move |outcome| {
            then(&outcome);
            // The request may be gone; what it asked for is done all the same.
            let _ = sender.send(outcome);
        });
        let outcome = receiver.await.unwrap_or_else(|_| Err(store::Error::Closed.into()));
        Ok(outcome?)
    }
}
