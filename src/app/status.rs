//! How the server is, for the administrator: everything that can be seen at a glance, and what needs a person.

use std::sync::LazyLock;

use super::{App, Result};
use crate::domain::Timestamp;
use crate::ops::{self, Doing, JobGlance, Lab, QueueGlance, Told};
use crate::store::ReadTx;
use crate::store::backup::Note;

/// The version, and the build if `packaging/build-static.sh` names one: a commit and its day.
#[must_use]
pub fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| match option_env!("TESTFLINGER_BUILD") {
        Some(build) => format!("{} ({build})", env!("CARGO_PKG_VERSION")),
        None => env!("CARGO_PKG_VERSION").to_owned(),
    });
    &VERSION
}

/// How the server is.
pub struct Status {
    /// When it started.
    pub started: Timestamp,
    /// Now.
    pub now: Timestamp,
    /// How many agents do what.
    pub agents: [(Doing, usize); 4],
    /// All queues, by name.
    pub queues: Vec<QueueGlance>,
    /// How many jobs that have not ended stand where.
    pub jobs: [(&'static str, i64); 4],
    /// The job that has waited longest.
    pub oldest: Option<JobGlance>,
    /// How many requests for a job are held.
    pub held: i64,
    /// What things take on the disk, and what is left, bytes.
    pub bytes: Bytes,
    /// The newest backups that were noted, the newest first.
    pub backups: Vec<Note>,
    /// What needs a person, in sentences.
    pub warnings: Vec<String>,
}

/// Bytes on the disk.
#[derive(Clone, Copy, Debug)]
pub struct Bytes {
    /// The files of the database and of its journal.
    pub database: u64,
    /// All artifacts and attachments.
    pub blobs: u64,
    /// What is free.
    pub free: u64,
    /// What is left for the database: below this, uploads are refused.
    pub reserve: u64,
}

impl App {
    /// How the server is.
    pub async fn status(&self) -> Result<Status> {
        let app = self.clone();
        self.scan(move |tx| app.look_around(tx)).await
    }

    fn look_around(&self, tx: &ReadTx) -> std::result::Result<Status, ops::Error> {
        let (now, metrics) = (self.now(), self.metrics());
        let lab = Lab::now(tx, &self.store().lines()?, now, &self.hearing())?;
        let of = |doing| (doing, lab.agents.iter().filter(|agent| agent.doing == doing).count());
        let (jobs, blobs) = self.counted();
        let (database, free) = self.on_disk().unwrap_or_default();
        Ok(Status {
            started: Timestamp::from_micros(metrics.started.get().saturating_mul(1_000_000)),
            now,
            agents: [Doing::Busy, Doing::Idle, Doing::Offline, Doing::Silent].map(of),
            queues: lab.queues(tx)?,
            jobs,
            oldest: ops::longest_waiting(tx, 1)?.pop(),
            held: metrics.held.get(),
            bytes: Bytes {
                database,
                blobs: blobs.cast_unsigned(),
                free,
                reserve: self.limits().disk_reserve,
            },
            backups: self.backups(),
            warnings: ops::told(&self.troubles(tx)?).iter().map(Told::sentence).collect(),
        })
    }

    /// How many bytes the database takes and how many are free; `None` once the data directory was removed, which is a
    /// trouble of its own and must be told.
    pub(super) fn on_disk(&self) -> Option<(u64, u64)> {
        let store = self.store();
        store.file_size().ok().zip(store.blobs().free().ok())
    }

    /// The newest backups that were noted, the newest first. A note that cannot be read counts as none.
    #[must_use]
    pub fn backups(&self) -> Vec<Note> {
        let notes = self.store().noted_backups().unwrap_or_default();
        notes.newest().into_iter().cloned().collect()
    }

    /// The newest backup that was verified.
    #[must_use]
    pub fn verified_backup(&self) -> Option<Note> {
        self.backups().into_iter().find(|note| note.verified)
    }
}
