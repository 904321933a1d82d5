//! How the server is, for the administrator: everything that can be seen at a glance, and what needs a person.

use std::sync::LazyLock;
use std::time::Duration;

use super::{App, Result, Unready};
use crate::domain::{AgentName, QueueName, Timestamp};
use crate::ops::{self, Doing, JobGlance, Lab, QueueGlance};
use crate::store::ReadTx;
use crate::store::backup::Note;

/// How old the newest verified backup may be. The timer that is shipped makes one each night.
const FRESH: Duration = Duration::from_hours(48);

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
    /// What needs a person.
    pub warnings: Vec<Warning>,
}

/// Bytes on the disk.
#[derive(Clone, Copy, Debug)]
pub struct Bytes {
    /// The database's file.
    pub database: u64,
    /// All artifacts and attachments.
    pub blobs: u64,
    /// What is free.
    pub free: u64,
    /// What is left for the database: below this, uploads are refused.
    pub reserve: u64,
}

/// Something that needs a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// The server cannot do what it is asked.
    #[error("{0}")]
    Unready(Unready),
    /// Jobs wait and nobody will take them.
    #[error("jobs wait in the queue {0}, and none of its agents is there")]
    Stuck(QueueName),
    /// An agent is gone.
    #[error("the agent {0} has been silent since {1}, and it has not said that it is offline")]
    Silent(AgentName, Timestamp),
    /// There is nothing to restore.
    #[error("no verified backup was made on this server")]
    NoBackup,
    /// What could be restored is old.
    #[error("the newest verified backup is of {0}, more than two days ago")]
    OldBackup(Timestamp),
    /// A backup lacks files.
    #[error("the newest verified backup lacks {0} files that are gone")]
    Missing(u64),
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
        let backups = self.backups();
        let mut warnings: Vec<_> = self.unready().into_iter().map(Warning::Unready).collect();
        warnings.extend(lab.stuck(tx)?.into_iter().map(|(queue, _)| Warning::Stuck(queue)));
        let silent = lab.agents.iter().filter(|agent| agent.doing == Doing::Silent);
        warnings.extend(
            silent.map(|agent| Warning::Silent(agent.view.agent.name.clone(), agent.heard)),
        );
        warnings.extend(self.backup_warning());
        Ok(Status {
            started: Timestamp::from_micros(metrics.started.get().saturating_mul(1_000_000)),
            now,
            agents: [Doing::Busy, Doing::Idle, Doing::Offline, Doing::Silent].map(of),
            queues: lab.queues(tx)?,
            jobs,
            oldest: ops::longest_waiting(tx, 1)?.pop(),
            held: metrics.held.get(),
            bytes: Bytes {
                database: self.store().file_size()?,
                blobs: blobs.cast_unsigned(),
                free: self.store().blobs().free()?,
                reserve: self.limits().disk_reserve,
            },
            backups,
            warnings,
        })
    }

    /// The newest backups that were noted, the newest first. A note that cannot be read counts as none.
    #[must_use]
    pub fn backups(&self) -> Vec<Note> {
        let notes = self.store().noted_backups().unwrap_or_default();
        notes.newest().into_iter().cloned().collect()
    }

    /// Why the newest verified backup needs a person, if it does.
    #[must_use]
    pub fn backup_warning(&self) -> Option<Warning> {
        let newest = self.backups().into_iter().find(|note| note.verified);
        match newest {
            None => Some(Warning::NoBackup),
            Some(note) if self.now().since(note.at()) > FRESH => {
                Some(Warning::OldBackup(note.at()))
            }
            Some(note) if note.missing > 0 => Some(Warning::Missing(note.missing)),
            Some(_) => None,
        }
    }
}
