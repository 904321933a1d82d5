//! Alerts: what is wrong with the lab, until it no longer is.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Timestamp, plain};

/// What an alert is about. Its words are on disk and on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// An agent that is in service was not heard for long.
    AgentLost,
    /// Jobs wait in a queue that no agent in service serves.
    QueueUnserved,
    /// An agent was set aside because its provisionings fail.
    AgentQuarantined,
    /// Less of the disk is free than uploads must leave.
    DiskReserve,
    /// The data directory was removed.
    DataGone,
    /// There is no verified backup, or it is too old.
    BackupOld,
    /// The newest verified backup lacks files.
    BackupIncomplete,
    /// The clock jumped ahead, so retention rests.
    ClockJumped,
}

impl Trouble {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::AgentLost,
        Self::QueueUnserved,
        Self::AgentQuarantined,
        Self::DiskReserve,
        Self::DataGone,
        Self::BackupOld,
        Self::BackupIncomplete,
        Self::ClockJumped,
    ];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AgentLost => "agent_lost",
            Self::QueueUnserved => "queue_unserved",
            Self::AgentQuarantined => "agent_quarantined",
            Self::DiskReserve => "disk_reserve",
            Self::DataGone => "data_gone",
            Self::BackupOld => "backup_old",
            Self::BackupIncomplete => "backup_incomplete",
            Self::ClockJumped => "clock_jumped",
        }
    }

    /// What is said when it begins, and when it ends.
    #[must_use]
    pub const fn sentences(self) -> (&'static str, &'static str) {
        match self {
            Self::AgentLost => ("Agents are lost", "Agents are back"),
            Self::QueueUnserved => {
                ("Jobs wait in queues without agents", "Queues have agents, or no jobs, again")
            }
            Self::AgentQuarantined => ("Agents are set aside", "Agents are no longer set aside"),
            Self::DiskReserve => (
                "Less of the disk is free than disk_reserve, so uploads are refused",
                "More of the disk is free than disk_reserve again",
            ),
            Self::DataGone => (
                "The data directory was removed: what it held is lost when the server stops",
                "The data directory is there again",
            ),
            Self::BackupOld => (
                "There is no verified backup that is younger than alert_backup_age",
                "There is a new backup",
            ),
            Self::BackupIncomplete => (
                "The newest verified backup lacks files that are gone",
                "The newest verified backup lacks no files",
            ),
            Self::ClockJumped => (
                "The clock jumped ahead, so retention rests until it is set right or confirmed",
                "The clock is believed again",
            ),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An alert that has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// What it is about.
    pub trouble: Trouble,
    /// Which agent or queue; empty when it is about the server.
    pub name: String,
    /// Since when.
    #[serde(with = "plain::exact")]
    pub since: Timestamp,
}
