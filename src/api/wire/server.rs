//! How the server is, on the wire.

use std::collections::BTreeMap;

use serde::Serialize;

use super::backup::Noted;
use super::{ID, TIME};
use crate::app::{self, Status};
use crate::domain::{JobId, QueueName, Timestamp};
use crate::http::shape::kind::{TEXT, at_least, list};
use crate::http::shape::{Kind, Others, Output, Shape, must};
use crate::ops::{Doing, QueueGlance};

const COUNT: Kind = at_least(0);

/// How the server is.
#[derive(Serialize)]
pub(in crate::api) struct Shown {
    agents: BTreeMap<&'static str, usize>,
    backups: Vec<Noted>,
    bytes: BTreeMap<&'static str, u64>,
    held_requests: i64,
    jobs: BTreeMap<&'static str, i64>,
    oldest_waiting: Option<Oldest>,
    queues: Vec<Queue>,
    started_at: Timestamp,
    uptime_seconds: u64,
    version: &'static str,
    warnings: Vec<String>,
}

impl Output for Shown {
    const KIND: Kind = Kind::Object(&Shape {
        name: "ServerStatus",
        doc: "How the server is.",
        others: Others::Refused,
        members: &[
            must("agents", Kind::Object(&AGENTS), "How many agents do what."),
            must(
                "backups",
                list(&Noted::KIND),
                "The newest backup that was verified, and the newest one that was only sent.",
            ),
            must("bytes", Kind::Object(&BYTES), "What things take on the disk, and what is left."),
            must("held_requests", COUNT, "How many requests for a job are held."),
            must("jobs", Kind::Object(&JOBS), "How many jobs that have not ended stand where."),
            must(
                "oldest_waiting",
                Kind::OrNull(&OLDEST),
                "The job that has waited longest; null when none waits.",
            ),
            must("queues", list(&QUEUE), "All queues, by name."),
            must("started_at", TIME, "When the server started."),
            must("uptime_seconds", COUNT, "How long ago that is."),
            must(
                "version",
                TEXT,
                "Its version, and the commit that it was built from if that is known.",
            ),
            must("warnings", list(&TEXT), "What needs a person, in sentences."),
        ],
    });
}

static AGENTS: Shape = Shape {
    name: "AgentCounts",
    doc: "How many agents do what.",
    others: Others::Refused,
    members: &[
        must("busy", COUNT, "They have a job, or say that they do something."),
        must("idle", COUNT, "They wait for a job."),
        must("offline", COUNT, "They say that they take no jobs."),
        must("silent", COUNT, "They have not been heard, and do not say that they are offline."),
    ],
};

static BYTES: Shape = Shape {
    name: "DiskBytes",
    doc: "What things take on the disk, and what is left, in bytes.",
    others: Others::Refused,
    members: &[
        must("blobs", COUNT, "All artifacts and attachments."),
        must("database", COUNT, "The database and its journal."),
        must("free", COUNT, "What is free on the disk of the data directory."),
        must("reserve", COUNT, "The setting `disk_reserve`."),
    ],
};

static JOBS: Shape = Shape {
    name: "UnfinishedJobs",
    doc: "How many jobs that have not ended stand where.",
    others: Others::Refused,
    members: &[
        must("awaiting_attachments", COUNT, "They wait for their attachments."),
        must("running", COUNT, "An agent has them."),
        must("suspect", COUNT, "An agent has them, and it has been silent."),
        must("waiting", COUNT, "They wait for an agent."),
    ],
};

#[derive(Serialize)]
struct Oldest {
    job_id: JobId,
    job_queue: QueueName,
    submitted_at: Timestamp,
}

const OLDEST: Kind = Kind::Object(&Shape {
    name: "OldestWaiting",
    doc: "The job that has waited longest.",
    others: Others::Refused,
    members: &[
        must("job_id", ID, "Its id."),
        must("job_queue", TEXT, "Its queue."),
        must("submitted_at", TIME, "When it was submitted."),
    ],
});

#[derive(Serialize)]
struct Queue {
    agents: usize,
    idle: usize,
    name: QueueName,
    offline: usize,
    running: usize,
    waiting: usize,
}

const QUEUE: Kind = Kind::Object(&Shape {
    name: "QueueStatus",
    doc: "How a queue is.",
    others: Others::Refused,
    members: &[
        must("agents", COUNT, "How many agents serve it."),
        must("idle", COUNT, "Those that wait for a job."),
        must("name", TEXT, "Its name."),
        must("offline", COUNT, "Those that are offline or silent."),
        must("running", COUNT, "Its jobs that agents have."),
        must("waiting", COUNT, "The jobs in it, counted up to 1000."),
    ],
});

impl From<QueueGlance> for Queue {
    fn from(queue: QueueGlance) -> Self {
        let QueueGlance { name, waiting, running, agents, idle, offline, .. } = queue;
        Self { agents, idle, name, offline, running, waiting }
    }
}

impl From<Status> for Shown {
    fn from(status: Status) -> Self {
        let bytes = status.bytes;
        let oldest = status.oldest.map(|glance| Oldest {
            job_id: glance.job.id,
            job_queue: glance.job.queue,
            submitted_at: glance.job.created_at,
        });
        Self {
            agents: status.agents.map(|(doing, count)| (word(doing), count)).into(),
            backups: status.backups.iter().map(Noted::from).collect(),
            bytes: [
                ("blobs", bytes.blobs),
                ("database", bytes.database),
                ("free", bytes.free),
                ("reserve", bytes.reserve),
            ]
            .into(),
            held_requests: status.held,
            jobs: status.jobs.into(),
            oldest_waiting: oldest,
            queues: status.queues.into_iter().map(Queue::from).collect(),
            started_at: status.started,
            uptime_seconds: status.now.since(status.started).as_secs(),
            version: app::version(),
            warnings: status.warnings,
        }
    }
}

const fn word(doing: Doing) -> &'static str {
    match doing {
        Doing::Busy => "busy",
        Doing::Idle => "idle",
        Doing::Offline => "offline",
        Doing::Silent => "silent",
    }
}
