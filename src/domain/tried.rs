//! Tries of a job.

use serde::{Deserialize, Serialize};

use super::{AgentName, JobId, Timestamp, plain};

/// The most tries after the first that a job may ask for.
pub const MOST_RETRIES: u32 = 10;

/// A try of a job that failed in provisioning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// The agent that tried.
    pub agent: AgentName,
    /// When the job was handed to it.
    #[serde(with = "plain::exact")]
    pub started_at: Timestamp,
    /// When the agent reported the end.
    #[serde(with = "plain::exact")]
    pub ended_at: Timestamp,
    /// The exit code of provisioning.
    pub exit_code: i64,
    /// The id under which the result and the artifact of this try are kept. Nobody can guess it: what is read by it is not
    /// masked, because the secrets belong to the job.
    pub kept: JobId,
    /// The number of the first fragment of the next try, in the output and in the serial log: all tries share their logs, so
    /// that whoever follows one reads on.
    pub log_ends: [i64; 2],
}
