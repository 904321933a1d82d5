//! Jobs on the wire.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::ExposeSecret;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::queue::RETRIES_KIND;
use super::{ID, NAMES, TIME, distinct};
use crate::app::SecretValues;
use crate::domain::{AgentName, Job, JobId, JobState, QueueName, SecretPath, Tag, Timestamp};
use crate::http::shape::kind::{
    BOOLEAN, INTEGER, MAPPING, NAME, TEXT, list, map, one_of, text, text_by,
};
use crate::http::shape::{
    Input, Kind, Members, Others, Output, Shape, Size, excerpt, may, may_be_null, must,
};
use crate::http::{ApiResult, json};
use crate::ops::Submission;

/// How many secrets a job may use.
const MOST_SECRETS: usize = 100;

static SUBMISSION: Shape = Shape {
    name: "Submission",
    doc: "A job to be put into a queue. What is not listed is kept for the agent.",
    others: Others::Kept,
    members: &[
        must("job_queue", QUEUE, "The queue that the job waits in.").like("rack-7"),
        may("name", TEXT, "A name for people to read."),
        may("job_id", TEXT, "A UUID: the job with this id is submitted again, as a new attempt."),
        may("parent_job_id", TEXT, "The id of the job that this one is a part of."),
        may("tags", list(&NAME).up_to(NAMES), "Words to search the job by.").like(r#"["smoke"]"#),
        may("job_priority", INTEGER, "Jobs of a higher priority go first. Zero needs no rights.")
            .like("100"),
        may("exclude_agents", list(&NAME).up_to(NAMES), "The agents that must not get the job."),
        may_be_null(
            "queue_timeout",
            Kind::Seconds { least: 0 },
            "The job is cancelled when it has waited this long.",
        )
        .like("3600"),
        may(
            "retries",
            RETRIES_KIND,
            "How often the job goes to another agent when its provisioning fails, at most 10.",
        )
        .like("2"),
        may("global_timeout", INTEGER, "How long the job may run, in seconds.").like("14400"),
        may("output_timeout", INTEGER, "How long the job may print nothing, in seconds."),
        may("allocation_timeout", INTEGER, "How long its devices may be kept, in seconds."),
        may("debug", BOOLEAN, "Whether the agent tells more."),
        may_be_null(
            "provision_data",
            Kind::By(&MAPPING, provision_data),
            "What the device is installed with; each kind of device has members of its own.",
        )
        .like(r#"{"distro":"noble"}"#),
        may("firmware_update_data", MAPPING, "Which firmware the device gets."),
        may("test_data", Kind::Object(&TEST_DATA), "What is run on the device."),
        may("allocate_data", MAPPING, "Whether the device is only allocated."),
        may("reserve_data", Kind::Object(&RESERVE_DATA), "For whom the device is reserved."),
        may("job_status_webhook", TEXT, "Where the agent reports events of the job."),
    ],
};

static TEST_DATA: Shape = Shape {
    name: "TestData",
    doc: "What is run on the device.",
    others: Others::Kept,
    members: &[
        may("test_cmds", TEXT, "The commands.").like("echo hello"),
        may("test_username", TEXT, "The user that the agent logs in as."),
        may("test_password", TEXT, "The password of that user."),
        may(
            "secrets",
            map(&SECRET).named(VARIABLE).up_to(MOST_SECRETS),
            "Variables, and the paths of their secrets.",
        )
        .like(r#"{"TOKEN":"lab/token"}"#),
        may("attachments", list(&Kind::Object(&ATTACHMENT)).up_to(NAMES), "Files that go along."),
    ],
};

static ATTACHMENT: Shape = Shape {
    name: "Attachment",
    doc: "A file in the archive that is sent after the job.",
    others: Others::Kept,
    members: &[
        must("agent", TEXT, "Where the agent puts it."),
        may("device", TEXT, "Where it is put on the device."),
    ],
};

static RESERVE_DATA: Shape = Shape {
    name: "ReserveData",
    doc: "For whom the device is reserved, and for how long.",
    others: Others::Kept,
    members: &[
        may("ssh_keys", list(&SSH_KEY).up_to(NAMES), "Whose keys may log in.").like(r#"["lp:me"]"#),
        may_be_null(
            "timeout",
            Kind::Seconds { least: i64::MIN },
            "How long. More than six hours needs a right.",
        )
        .like("3600"),
    ],
};

const QUEUE: Kind = text(1, crate::domain::MAX_NAME);

const SSH_KEY: Kind =
    text_by(is_key, "String does not match expected pattern.", ("pattern", r"^(lp|gh):(\S+)$"));

/// `^(lp|gh):(\S+)$`
fn is_key(key: &str) -> bool {
    let user = key.strip_prefix("lp:").or_else(|| key.strip_prefix("gh:"));
    user.is_some_and(|user| !user.is_empty() && !user.contains(char::is_whitespace))
}

const SECRET: Kind = text_by(
    |path| SecretPath::try_from(path.to_owned()).is_ok(),
    "String does not match expected pattern.",
    ("pattern", "^[a-zA-Z0-9_-]+(/[a-zA-Z0-9_-]+)*$"),
);

const VARIABLE: Kind = text_by(
    is_variable,
    "String does not match expected pattern.",
    ("pattern", "^[a-zA-Z_][a-zA-Z0-9_]*$"),
);

fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Any mapping is taken: each generation of agents has its own shapes, and refusing one's would break its jobs.
fn provision_data(json: &str) -> Result<(), Value> {
    if json.starts_with('{') {
        return Ok(());
    }
    let word: Option<String> = serde_json::from_str(json).ok();
    let error = match word {
        Some(word) => json!(format!("Invalid data type: {}", excerpt(&word))),
        None => json!(["Invalid input type."]),
    };
    Err(json!({ "_schema": error }))
}

impl Input for Submission {
    const SHAPE: &'static Shape = &SUBMISSION;

    fn read(mut members: Members<'_>) -> ApiResult<Self> {
        #[derive(Deserialize)]
        struct Known {
            job_id: Option<String>,
            job_queue: QueueName,
            #[serde(default)]
            job_priority: i64,
            #[serde(default)]
            tags: Vec<Tag>,
            #[serde(default)]
            exclude_agents: Vec<AgentName>,
            reserve_data: Option<Reservation>,
            test_data: Option<Test>,
            queue_timeout: Option<u64>,
            retries: Option<u32>,
        }
        #[derive(Deserialize)]
        struct Test {
            #[serde(default)]
            secrets: BTreeMap<String, SecretPath>,
        }
        #[derive(Deserialize)]
        struct Reservation {
            timeout: Option<i64>,
        }
        let known: Known = members.to()?;
        members.remove("job_id");
        let secrets = known.test_data.map(|data| data.secrets).unwrap_or_default();
        Ok(Self {
            id: known.job_id.filter(|id| !id.is_empty()),
            queue: known.job_queue,
            priority: known.job_priority,
            tags: distinct(known.tags),
            exclude_agents: distinct(known.exclude_agents),
            reserves: known.reserve_data.is_some(),
            reserve_seconds: known.reserve_data.and_then(|data| data.timeout),
            queue_timeout: known.queue_timeout.map(Duration::from_secs),
            retries: known.retries,
            attachments: members
                .iter()
                .any(|(name, json)| name.ends_with("_data") && names_attachments(json)),
            secrets: secrets.into_iter().collect(),
            body: members.object(),
        })
    }
}

fn names_attachments(section: &str) -> bool {
    #[derive(Deserialize)]
    struct Section {
        #[serde(default)]
        attachments: Named,
    }
    /// Whether a member is there, be it null.
    #[derive(Default)]
    struct Named(bool);
    impl<'de> Deserialize<'de> for Named {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            IgnoredAny::deserialize(deserializer).map(|_| Self(true))
        }
    }
    // An object fails to be read only when it names them twice.
    section.starts_with('{')
        && serde_json::from_str(section).map_or(true, |Section { attachments }| attachments.0)
}

/// What is to be done with a job.
pub(in crate::api) enum Action {
    Cancel,
}

impl Input for Action {
    const SHAPE: &'static Shape = &Shape {
        name: "Action",
        doc: "What is to be done with a job.",
        others: Others::Refused,
        members: &[must("action", one_of(&["cancel"]), "`cancel` ends the job.").like("cancel")],
    };

    const SIZE: Size = Size::Small;

    fn read(_: Members<'_>) -> ApiResult<Self> {
        Ok(Self::Cancel)
    }
}

/// The answer to a submission.
#[derive(Serialize)]
pub(in crate::api) struct Submitted {
    pub(in crate::api) job_id: JobId,
}

impl Output for Submitted {
    const KIND: Kind = Kind::Object(&Shape {
        name: "Submitted",
        doc: "The job is in its queue.",
        others: Others::Refused,
        members: &[must("job_id", ID, "The id of the job.")],
    });
}

/// A job as it was submitted, with what the server adds.
pub(in crate::api) enum Shown {}

impl Output for Shown {
    const KIND: Kind = Kind::Object(&Shape {
        name: "Job",
        doc: "A job: all that was submitted, and what the server adds.",
        others: Others::Kept,
        members: &[
            must("job_id", ID, "The id of the job."),
            must("job_queue", TEXT, "The queue that the job was submitted to."),
            may("client_id", TEXT, "The client that submitted it, when it had a token."),
            may("started_at", TIME, "When it was handed to an agent; only the agent sees it."),
            may(
                "attachments_status",
                one_of(&["waiting", "complete"]),
                "Whether the archive of the attachments has arrived.",
            ),
        ],
    });
}

/// The job that an agent gets: what was submitted, with its id and what the agent needs to know of its state, and the
/// values of its secrets in the place of their paths.
pub(in crate::api) fn claimed(job: &Job, body: &str, secrets: &SecretValues) -> String {
    let mut members = Members::stored(body);
    let data = members.get("test_data").map(str::to_owned);
    if let (false, Some(data)) = (secrets.is_empty(), data) {
        let values = secrets.iter().map(|(variable, value)| (variable, value.expose_secret()));
        let mut data = Members::stored(&data);
        data.set("secrets", json::text(&values.collect::<BTreeMap<_, _>>()));
        members.set("test_data", data.object());
    }
    name_job(&mut members, job);
    if let Some(started) = job.started_at {
        members.set("started_at", json::text(&started));
    }
    match job.attachments.status() {
        Some(status) => members.set("attachments_status", json::text(&status)),
        None => members.remove("attachments_status"),
    }
    members.object()
}

/// What was submitted, with its id and who did it.
pub(in crate::api) fn shown(job: &Job, body: &str) -> String {
    let mut members = Members::stored(body);
    name_job(&mut members, job);
    members.object()
}

/// Sets the id of a job and who submitted it, whatever a submitter has written there.
fn name_job(members: &mut Members<'_>, job: &Job) {
    members.set("job_id", json::text(&job.id));
    match &job.client {
        Some(client) => members.set("client_id", json::text(client)),
        None => members.remove("client_id"),
    }
}

/// A job in a list.
#[derive(Serialize)]
pub(in crate::api) struct Row<'a> {
    created_at: Timestamp,
    job_id: JobId,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_queue: Option<&'a QueueName>,
    job_state: &'a JobState,
}

impl Output for Row<'_> {
    const KIND: Kind = Kind::Object(&Shape {
        name: "JobRow",
        doc: "A job in a list.",
        others: Others::Refused,
        members: &[
            must("created_at", TIME, "When it was submitted."),
            must("job_id", ID, "Its id."),
            may("job_queue", TEXT, "Its queue, in the list of a queue."),
            must("job_state", TEXT, "Its state: waiting, running, a phase, or how it ended."),
        ],
    });
}

/// A row of a search, as JSON text.
pub(in crate::api) fn found(job: &Job) -> String {
    row(job, None)
}

/// A row of a queue's jobs, as JSON text.
pub(in crate::api) fn queued(job: &Job) -> String {
    row(job, Some(&job.queue))
}

fn row(job: &Job, job_queue: Option<&QueueName>) -> String {
    json::text(&Row {
        created_at: job.created_at,
        job_id: job.id,
        job_queue,
        job_state: &job.state,
    })
}
