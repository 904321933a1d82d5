//! What a line of each kind holds, where that is more than the thing itself. `docs/EXPORT.md` has an example of each.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::domain::{
    AgentName, BlobKind, Event, Job, JobId, JobSecret, LogKind, Notice, Phase, Provision,
    QueueName, Refresh, Subject, Timestamp, plain,
};
use crate::store::{LogEnd, Tray, Whole};

/// What an export says about itself.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Server {
    pub(super) format: u64,
    /// The program that wrote it, with its version.
    pub(super) product: String,
    #[serde(with = "plain::exact")]
    pub(super) created_at: Timestamp,
    /// Whether hashes, tokens, secrets and keys are in it.
    pub(super) secrets: bool,
    /// The lines of each file.
    pub(super) lines: BTreeMap<String, u64>,
    #[serde(with = "plain::exact_if_any")]
    pub(super) drained_since: Option<Timestamp>,
    /// How often a job of these queues is tried again.
    pub(super) retries: BTreeMap<QueueName, u32>,
    #[serde(flatten)]
    pub(super) whole: Whole,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Restricted {
    pub(super) queue: QueueName,
}

#[derive(Serialize, Deserialize)]
pub(super) struct RefreshLine {
    pub(super) sha256: Sum,
    #[serde(flatten)]
    pub(super) token: Refresh,
}

#[derive(Serialize, Deserialize)]
pub(super) struct AgentLog {
    pub(super) agent: AgentName,
    pub(super) lines: Vec<String>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ProvisionLine {
    pub(super) agent: AgentName,
    #[serde(flatten)]
    pub(super) end: Provision,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Images {
    pub(super) queue: QueueName,
    pub(super) images: Box<RawValue>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Times {
    pub(super) queue: QueueName,
    /// Seconds, oldest first.
    pub(super) waits: Vec<u32>,
    pub(super) runs: Vec<u32>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct JobLine {
    #[serde(flatten)]
    pub(super) job: Job,
    /// What was submitted.
    pub(super) body: Box<RawValue>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct JobSecretLine {
    pub(super) job_id: JobId,
    #[serde(flatten)]
    pub(super) secret: JobSecret,
}

/// A result as it is read. It is written piece by piece.
#[derive(Deserialize)]
pub(super) struct ResultLine {
    pub(super) job_id: JobId,
    #[serde(with = "plain::exact_if_any")]
    pub(super) since: Option<Timestamp>,
    pub(super) result: BTreeMap<String, Box<RawValue>>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct EventLine {
    pub(super) of: Subject,
    pub(super) number: u64,
    #[serde(flatten)]
    pub(super) event: Event,
}

#[derive(Serialize, Deserialize)]
pub(super) struct LogLine {
    pub(super) job_id: JobId,
    pub(super) log: LogKind,
    #[serde(flatten)]
    pub(super) end: LogEnd,
    /// Where its fragments are, and how many lines that file has.
    pub(super) file: String,
    pub(super) lines: u64,
}

/// A line of a log.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum LogText {
    /// Text that stays.
    Fragment {
        phase: Phase,
        number: i64,
        #[serde(with = "plain::exact")]
        at: Timestamp,
        text: String,
    },
    /// Text that is read once, and has not been.
    Unread { unread: u64, text: String },
}

#[derive(Serialize, Deserialize)]
pub(super) struct FileLine {
    pub(super) job_id: JobId,
    pub(super) kind: BlobKind,
    pub(super) size: u64,
    pub(super) sha256: Sum,
    #[serde(with = "plain::exact")]
    pub(super) created_at: Timestamp,
    pub(super) file: String,
}

#[derive(Serialize, Deserialize)]
pub(super) struct NoticeLine {
    pub(super) given_up: bool,
    #[serde(flatten)]
    pub(super) notice: Notice,
}

impl NoticeLine {
    pub(super) const fn tray(&self) -> Tray {
        if self.given_up { Tray::Dead } else { Tray::Waiting }
    }
}

/// Where a log or a file of a job is in an export: folders by the end of the id, because ids that are made in one hour begin
/// alike.
pub(super) fn place(folder: &str, job: JobId, end: &str) -> String {
    let id = job.to_string();
    let shelf = id.get(id.len() - 2..).unwrap_or_default();
    format!("{folder}/{shelf}/{id}.{end}")
}

/// A SHA-256, written as hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Sum(pub(super) [u8; 32]);

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Sum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sum {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        let byte = |at: usize| u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok();
        let bytes: Option<Vec<u8>> = (0..text.len().div_ceil(2)).map(byte).collect();
        let sum = bytes.and_then(|bytes| bytes.try_into().ok()).map(Self);
        sum.filter(|sum| sum.to_string() == text)
            .ok_or_else(|| D::Error::custom("not a SHA-256 in hexadecimal digits"))
    }
}
