//! Times, spans, sizes, states and events as people read them.

use std::time::Duration;

use crate::domain::{Actor, Change, Event, Job, JobState, LogKind, Phase, Timestamp};
use crate::ops::{AgentGlance, Doing, JobGlance};

/// A moment: how long ago, and exactly.
#[derive(Clone)]
pub(super) struct When {
    pub(super) ago: String,
    pub(super) exact: String,
}

impl When {
    pub(super) fn at(moment: Timestamp, now: Timestamp) -> Self {
        let ago = match (now.since(moment), moment.since(now)) {
            // Coarse on purpose: a page that is asked for again should not differ only by seconds.
            (past, future) if past < MINUTE && future < MINUTE => "just now".to_owned(),
            (Duration::ZERO, future) => format!("in {}", coarse(future)),
            (past, _) => format!("{} ago", coarse(past)),
        };
        Self { ago, exact: moment.to_string() }
    }
}

const MINUTE: Duration = Duration::from_mins(1);

fn coarse(span: Duration) -> String {
    match span.as_secs() {
        0..3600 => format!("{} min", span.as_secs() / 60),
        3600..172_800 => format!("{} h", span.as_secs() / 3600),
        _ => format!("{} d", span.as_secs() / 86_400),
    }
}

/// A span that has ended, such as `42 s`, `7 min` or `2 h 5 min`.
pub(super) fn span(span: Duration) -> String {
    match span.as_secs() {
        seconds @ ..60 => format!("{seconds} s"),
        _ => growing(span),
    }
}

/// The same for one that goes on.
pub(super) fn growing(span: Duration) -> String {
    let minutes = span.as_secs() / 60;
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, 0) => "under 1 min".to_owned(),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// A number of bytes.
pub(super) fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut tenths = bytes.saturating_mul(10) / 1024;
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    for unit in units {
        if tenths < 10_240 || unit == "TiB" {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
        tenths /= 1024;
    }
    String::new()
}

/// A word in the colour of what it means.
#[derive(Clone)]
pub(super) struct Badge {
    pub(super) class: &'static str,
    pub(super) word: String,
}

impl Badge {
    pub(super) fn new(class: &'static str, word: impl Into<String>) -> Self {
        Self { class, word: word.into() }
    }

    pub(super) fn of_job(glance: &JobGlance) -> Self {
        let JobGlance { job, failed, .. } = glance;
        let word = job.state.as_str();
        match (word, failed) {
            (JobState::WAITING, _) => Self::new("", "waiting"),
            (JobState::CANCELLED, _) => Self::new("warn", "cancelled"),
            (JobState::COMPLETE | JobState::COMPLETED, Some((phase, _))) => {
                Self::new("bad", format!("{} failed", phase.as_str()))
            }
            (JobState::COMPLETE | JobState::COMPLETED, None) => Self::new("good", "complete"),
            _ if job.suspect_since.is_some() => Self::new("warn", format!("{word}, silent")),
            _ if job.state.phase() == Some(Phase::Reserve) => Self::new("held", "reserved"),
            _ => Self::new("busy", word),
        }
    }

    pub(super) fn of_agent(glance: &AgentGlance) -> Self {
        let said = glance.view.agent.text("state").filter(|word| !word.is_empty());
        let word = said.unwrap_or_else(|| "unknown".to_owned());
        if let Some(aside) = &glance.view.agent.aside {
            return Self::new("warn", aside.cause.as_str());
        }
        match glance.doing {
            Doing::Offline => Self::new("bad", word),
            Doing::Silent => Self::new("warn", "silent"),
            Doing::Idle => Self::new("good", word),
            Doing::Busy if word == Phase::Reserve.as_str() => Self::new("held", "reserved"),
            Doing::Busy if word == JobState::WAITING => Self::new("busy", "busy"),
            Doing::Busy => Self::new("busy", word),
        }
    }
}

/// The name of a log in a page and in its stream.
pub(super) fn log_key(phase: Phase, kind: LogKind) -> String {
    format!("{}-{}", phase.as_str(), kind.as_str())
}

/// A job in a list.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) badge: Badge,
    pub(super) queue: String,
    pub(super) agent: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) client: String,
    pub(super) submitted: When,
    pub(super) waited: String,
    pub(super) ran: String,
}

impl Line {
    pub(super) fn of(glance: &JobGlance, now: Timestamp) -> Self {
        let job = &glance.job;
        Self {
            id: job.id.to_string(),
            name: glance.name.chars().take(200).collect(),
            badge: Badge::of_job(glance),
            queue: job.queue.to_string(),
            agent: job.agent.as_ref().map(ToString::to_string),
            tags: job.tags.iter().map(ToString::to_string).collect(),
            client: job.client.as_ref().map(ToString::to_string).unwrap_or_default(),
            submitted: When::at(job.created_at, now),
            waited: waited(job, now),
            ran: ran(job, now),
        }
    }

    pub(super) fn all(glances: &[JobGlance], now: Timestamp) -> Vec<Self> {
        glances.iter().map(|glance| Self::of(glance, now)).collect()
    }
}

fn waited(job: &Job, now: Timestamp) -> String {
    match (job.started_at, job.finished_at) {
        (Some(started), _) => span(started.since(job.queued_at())),
        (None, Some(_)) => String::new(),
        (None, None) => growing(now.since(job.queued_at())),
    }
}

fn ran(job: &Job, now: Timestamp) -> String {
    match (job.started_at, job.finished_at) {
        (None, _) => String::new(),
        (Some(started), Some(finished)) => span(finished.since(started)),
        (Some(started), None) => growing(now.since(started)),
    }
}

/// A line of a history.
pub(super) struct Told {
    pub(super) at: When,
    pub(super) what: String,
    pub(super) by: String,
}

impl Told {
    pub(super) fn of(event: &Event, now: Timestamp) -> Self {
        let plain = |json: &Option<String>| {
            let json = json.as_deref().unwrap_or_default();
            serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_owned())
        };
        let what = match &event.change {
            Change::State { from: None, to } => format!("submitted, {to}"),
            Change::State { from: Some(from), to } => format!("{from} → {to}"),
            Change::Attachments => "attachments arrived".to_owned(),
            Change::Silence { begins: true } => "its agent fell silent".to_owned(),
            Change::Silence { begins: false } => "its agent was heard again".to_owned(),
            Change::Member { name, from, to } => match (plain(from), plain(to)) {
                (_, to) if to.is_empty() => format!("{name} cleared"),
                (from, to) if from.is_empty() || name != "state" => format!("{name}: {to}"),
                (from, to) => format!("{from} → {to}"),
            },
        };
        let by = match &event.actor {
            Actor::Anonymous => "by somebody without a name".to_owned(),
            Actor::Agent(name) => format!("by agent {name}"),
            Actor::Client(id) => format!("by {id}"),
            Actor::LocalAdmin => "by the administrator".to_owned(),
            Actor::Server => "by this server".to_owned(),
        };
        let by = if event.why.is_empty() { by } else { format!("{by}: {}", event.why) };
        Self { at: When::at(event.at, now), what: what.chars().take(300).collect(), by }
    }
}
