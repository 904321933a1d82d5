//! Retention: removes what is too old, and the oldest files while too little of the disk is free, in small batches.

use std::sync::PoisonError;
use std::time::Duration;

use super::{App, Result};
use crate::domain::Timestamp;
use crate::ops::{self, Sweep};
use crate::store::Ages;

/// How many things of a kind one transaction removes: small, because every other write waits for it.
const BATCH: usize = 64;
/// The pause between two batches, in which other writes have their turn.
const BREATH: Duration = Duration::from_millis(20);

/// What is kept, and for how long.
#[derive(Clone, Debug)]
pub struct Retention {
    /// How old things may get.
    pub ages: Ages,
    /// How many bytes of the disk are kept free at the cost of files.
    pub keep_free: u64,
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// How many things were too old.
    pub removed: usize,
    /// How many files went before their time, because too little of the disk was free.
    pub early: usize,
    /// Bytes of all files that went.
    pub bytes: u64,
    /// How many bytes are still missing although no file is left that may go.
    pub short: u64,
    /// When the last sweep was, if nothing was removed because the clock jumped ahead since then.
    pub held: Option<Timestamp>,
}

impl App {
    /// What is kept.
    #[must_use]
    pub fn retention(&self) -> Retention {
        self.0.retention.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes what is kept, from the next batch on.
    pub fn set_retention(&self, retention: Retention) {
        *self.0.retention.write().unwrap_or_else(PoisonError::into_inner) = retention;
    }

    /// Removes what retention no longer keeps, and says so in the log. Ends early when the server stops.
    ///
    /// # Errors
    /// What the store says.
    pub async fn collect(&self) -> Result<Collected> {
        let _turn = self.0.collecting.lock().await;
        let mut all = Collected::default();
        loop {
            let ages = self.retention().ages;
            let swept = self.write_large(move |tx, now| ops::sweep(tx, now, &ages, BATCH)).await?;
            match swept {
                Sweep::Held { last } => return Ok(Collected { held: Some(last), ..all }),
                Sweep::Done(swept) => {
                    all.removed += swept.removed;
                    all.bytes += swept.bytes;
                    if !swept.more || self.breathe().await {
                        break;
                    }
                }
            }
        }
        if all.removed > 0 {
            tracing::info!(removed = all.removed, "removed what was older than retention allows");
        }
        self.make_room(&mut all).await?;
        Ok(all)
    }

    /// How many bytes must become free, as far as the disk says; nothing while a backup or a check keeps all files.
    #[must_use]
    pub fn missing_room(&self) -> u64 {
        let free = self.store().blobs().free().unwrap_or(u64::MAX);
        if self.0.backup.available_permits() == 0 {
            return 0;
        }
        self.retention().keep_free.saturating_sub(free)
    }

    async fn make_room(&self, all: &mut Collected) -> Result<()> {
        // Asked once: what is removed counts, and not what the disk says meanwhile, because a file that somebody still
        // reads frees nothing until then.
        let missing = self.missing_room();
        let (mut after, mut bytes) = (None, 0);
        while bytes < missing {
            let from = after.take();
            let needed = missing - bytes;
            let free = self
                .write_large(move |tx, _| ops::free_files(tx, needed, from.as_ref(), BATCH))
                .await?;
            all.early += free.files;
            bytes += free.bytes;
            after = free.next;
            if after.is_none() || self.breathe().await {
                break;
            }
        }
        all.bytes += bytes;
        all.short = missing.saturating_sub(bytes);
        if all.early > 0 {
            let (files, keep_free) = (all.early, self.retention().keep_free);
            tracing::info!(
                files,
                bytes,
                keep_free,
                "removed the oldest files of jobs that had ended, because less than keep_free was free"
            );
        }
        Ok(())
    }

    /// Lets others write; says whether the server stops.
    async fn breathe(&self) -> bool {
        tokio::select! {
            () = tokio::time::sleep(BREATH) => false,
            () = self.stopping().cancelled() => true,
        }
    }
}
