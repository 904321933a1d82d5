//! What every handler shares.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::error::ApiError;
use crate::domain::{Clock, Timestamp};
use crate::ops;
use crate::store::{ReadTx, Store, WriteTx};

/// How large requests may be, bytes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A JSON body.
    pub json: u64,
    /// The JSON body of a result, which holds whole logs.
    pub result: u64,
    /// An uploaded file.
    pub upload: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { json: 16 << 20, result: 64 << 20, upload: 8 << 30 }
    }
}

/// The application: what is shared by all requests. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Shared>);

struct Shared {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    limits: Limits,
}

impl App {
    /// An application on an opened store.
    #[must_use]
    pub fn new(store: Arc<Store>, clock: Arc<dyn Clock>, limits: Limits) -> Self {
        Self(Arc::new(Shared { store, clock, limits }))
    }

    /// How large requests may be.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.0.limits
    }

    /// The store, for what is not a transaction: blobs.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.0.store
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Reads a few rows from a snapshot, on the caller's thread: a look-up takes microseconds and never waits for the
    /// writer.
    ///
    /// # Errors
    /// What `read` says.
    pub fn read<T, E>(&self, read: impl FnOnce(&ReadTx) -> Result<T, E>) -> Result<T, ApiError>
    where
        E: Into<ops::Error>,
    {
        let tx = self.0.store.read().map_err(ops::Error::from)?;
        Ok(read(&tx).map_err(Into::into)?)
    }

    /// Reads many rows from a snapshot, away from the threads that serve requests.
    ///
    /// # Errors
    /// What `read` says.
    pub async fn scan<T, E>(
        &self,
        read: impl FnOnce(&ReadTx) -> Result<T, E> + Send + 'static,
    ) -> Result<T, ApiError>
    where
        T: Send + 'static,
        E: Into<ops::Error>,
    {
        let app = self.clone();
        self.blocking(move || app.read(read)).await?
    }

    /// Runs a use case in the writer's next transaction and answers once it is on disk.
    ///
    /// # Errors
    /// What `write` says.
    pub async fn write<T>(
        &self,
        write: impl FnMut(&mut WriteTx<'_>, Timestamp) -> Result<T, ops::Error> + Send + 'static,
    ) -> Result<T, ApiError>
    where
        T: Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        self.0.store.submit(write, move |outcome| {
            // The request may be gone; what it asked for is done all the same.
            let _ = sender.send(outcome);
        });
        let outcome = receiver.await.unwrap_or_else(|_| Err(crate::store::Error::Closed.into()));
        Ok(outcome?)
    }

    /// Runs something that blocks (files) away from the threads that serve requests.
    ///
    /// # Errors
    /// Only when it panics.
    pub async fn blocking<T: Send + 'static>(
        &self,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        tokio::task::spawn_blocking(run)
            .await
            .map_err(|_| ApiError::from(ops::Error::from(crate::store::Error::Panicked)))
    }
}
