//! What Prometheus can read: the list of all metrics, each stated once.
//!
//! The number of series is bounded: every label has a fixed set of values, except names of queues, of which only so many
//! are shown and all others count as [`OTHER`].

mod names;

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, prometheus_text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use self::names::Names;

/// The content type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;
/// Stands for everything that has no label of its own.
pub const OTHER: &str = "other";

/// Seconds that requests take; a held one takes up to the setting `hold`.
const REQUEST: [f64; 13] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];
/// Seconds that a commit takes.
const COMMIT: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Operations that share a commit.
const BATCH: [f64; 8] = [1.0, 2.0, 4.0, 16.0, 64.0, 256.0, 512.0, 1024.0];

/// One label.
type Label = [(&'static str, String); 1];

/// The labels of a request.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    method: &'static str,
    path: String,
    status: u16,
}

/// The place of an agent's free text among the states that are told apart.
const AGENT_STATES: [&str; 12] = [
    "waiting",
    "setup",
    "provision",
    "firmware_update",
    "test",
    "allocate",
    "reserve",
    "cleanup",
    "offline",
    "maintenance",
    "restricted",
    "unknown",
];

/// Each metric: who may see it, its field, its kind and how it begins, its name, and what it says. Counters get `_total` at
/// the end of their names.
macro_rules! metrics {
    ($($vis:vis $field:ident: $kind:ty = $new:expr, $name:literal, $help:literal;)*) => {
        /// All metrics of a server.
        pub struct Metrics {
            registry: Registry,
            queues: Names,
            $(#[doc = $help] $vis $field: $kind,)*
        }

        impl Metrics {
            /// Metrics of a server that has done nothing yet, with labels for so many queues.
            #[must_use]
            pub fn new(queues: usize) -> Self {
                let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
                let mut registry = Registry::default();
                registry.register("testflinger_build", "The version of the server", build);
                $(
                    let $field: $kind = $new;
                    registry.register($name, $help, $field.clone());
                )*
                Self { registry, queues: Names::new(queues), $($field,)* }
            }
        }
    };
}

metrics! {
    jobs: Family<Label, Counter> = Family::default(),
        "testflinger_jobs", "Jobs that were submitted";
    reservations: Family<Label, Counter> = Family::default(),
        "testflinger_reservations", "Jobs with reserve_data that were submitted";
    requests: Family<Request, Histogram, fn() -> Histogram> =
        Family::new_with_constructor(|| Histogram::new(REQUEST)),
        "flask_http_request_duration_seconds",
        "How long requests took, held ones included; path is the route";
    waiting: Family<Label, Gauge> = Family::default(),
        "testflinger_waiting_jobs", "Jobs that the queue could hand out";
    oldest: Family<Label, Gauge> = Family::default(),
        "testflinger_oldest_waiting_job_age_seconds",
        "How long ago the oldest of them was submitted; 0 when there is none";
    standing: Family<Label, Gauge> = Family::default(),
        "testflinger_unfinished_jobs",
        "Jobs that have not ended: waiting, awaiting_attachments, running, or suspect when the agent has been silent";
    ended: Family<Label, Counter> = Family::default(),
        "testflinger_ended_jobs", "Jobs that ended, by the reason";
    agents: Family<Label, Gauge> = Family::default(),
        "testflinger_agents", "Agents by the state that they reported last";
    pub silent: Gauge = Gauge::default(),
        "testflinger_silent_agents",
        "Agents that have not been heard for suspect_after and have not said that they are offline";
    serving: Family<Label, Gauge> = Family::default(),
        "testflinger_queue_agents", "Agents that serve the queue and are neither offline nor silent";
    left_out: Gauge = Gauge::default(),
        "testflinger_metrics_queues_left_out",
        "1 when there are more queues than metrics_queues and the queue named other stands for the rest";
    commit: Histogram = Histogram::new(COMMIT),
        "testflinger_commit_seconds", "How long the disk took to make a batch durable";
    batch: Histogram = Histogram::new(BATCH),
        "testflinger_commit_operations", "How many operations shared a commit";
    journal: Counter = Counter::default(),
        "testflinger_journal_bytes", "Bytes that were written to the journal";
    checkpoint: Histogram = Histogram::new(COMMIT),
        "testflinger_checkpoint_seconds",
        "How long the disk took to make the database durable, while the server went on";
    refused: Family<Label, Counter> = Family::default(),
        "testflinger_refused", "Requests and connections that were refused, by the limit";
    pub held: Gauge = Gauge::default(),
        "testflinger_held_requests", "Requests for a job that are held";
    pub failed_logins: Counter = Counter::default(),
        "testflinger_failed_logins", "Logins with an unknown id or a wrong secret";
    troubles: Family<Label, Gauge> = Family::default(),
        "testflinger_troubles",
        "Agents or queues that need a person, or 1 when it is about the server; 0 when all is well";
    pub started: Gauge = Gauge::default(),
        "testflinger_start_time_seconds", "When the server started, in seconds since 1970";
    pub database: Gauge = Gauge::default(),
        "testflinger_database_bytes", "The size of the database's file and its journal";
    pub blobs: Gauge = Gauge::default(),
        "testflinger_blob_bytes", "The size of all artifacts and attachments";
    pub free: Gauge = Gauge::default(),
        "testflinger_disk_free_bytes", "What is free on the disk of the data directory";
    pub reserve: Gauge = Gauge::default(),
        "testflinger_disk_reserve_bytes", "The setting disk_reserve: below it uploads are refused";
    pub in_flight: Gauge = Gauge::default(),
        "testflinger_in_flight_bytes", "Memory that request bodies and answers take";
    log_bytes: Family<Label, Counter> = Family::default(),
        "testflinger_log_bytes", "Bytes of logs that agents sent, by the log";
    backup_time: Family<Label, Gauge> = Family::default(),
        "testflinger_last_backup_time_seconds",
        "The moment that the newest backup shows, in seconds since 1970; 0 when none was made";
    backup_bytes: Family<Label, Gauge> = Family::default(),
        "testflinger_last_backup_bytes", "About how many bytes the newest backup has";
}

impl Metrics {
    /// Everything in Prometheus' text format.
    #[must_use]
    pub fn text(&self) -> String {
        self.left_out.set(i64::from(self.queues.are_full()));
        let mut text = String::new();
        // A String takes everything.
        let _ = prometheus_text::encode(&mut text, &self.registry);
        text
    }

    /// A job was submitted.
    pub fn submitted(&self, queue: &str, reserves: bool) {
        let queue = [("queue", self.queues.label(queue))];
        self.jobs.get_or_create(&queue).inc();
        if reserves {
            self.reservations.get_or_create(&queue).inc();
        }
    }

    /// A request was answered; `route` is `None` when no route took it.
    pub fn answered(&self, method: &str, route: Option<&str>, status: u16, took: Duration) {
        const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];
        let method = METHODS.into_iter().find(|known| *known == method).unwrap_or(OTHER);
        let path = route.unwrap_or(OTHER).to_owned();
        let request = Request { method, path, status };
        self.requests.get_or_create(&request).observe(took.as_secs_f64());
    }

    /// A request or a connection was refused because of a limit.
    pub fn refused(&self, limit: &'static str) {
        self.refused.get_or_create(&[("limit", limit.to_owned())]).inc();
    }

    /// An agent has sent a piece of a log.
    pub fn logged(&self, log: &'static str, bytes: usize) {
        self.log_bytes.get_or_create(&[("log", log.to_owned())]).inc_by(bytes as u64);
    }

    /// The newest backup, of those that were verified or of the others: its moment in seconds since 1970, and its bytes.
    pub fn set_backup(&self, verified: bool, at: i64, bytes: i64) {
        let verified = [("verified", verified.to_string())];
        self.backup_time.get_or_create(&verified).set(at);
        self.backup_bytes.get_or_create(&verified).set(bytes);
    }

    /// A batch was made durable.
    pub fn committed(&self, operations: usize, took: Duration) {
        self.commit.observe(took.as_secs_f64());
        self.batch.observe(u32::try_from(operations).unwrap_or(u32::MAX).into());
    }

    /// So many bytes went to the journal, and a checkpoint has ended that took so long.
    pub fn journalled(&self, bytes: u64, checkpoint: Option<Duration>) {
        self.journal.inc_by(bytes);
        if let Some(took) = checkpoint {
            self.checkpoint.observe(took.as_secs_f64());
        }
    }

    /// A job ended.
    pub fn ended(&self, reason: &'static str) {
        self.ended.get_or_create(&[("reason", reason.to_owned())]).inc();
    }

    /// How many jobs stand in a place.
    pub fn set_standing(&self, standing: &'static str, count: i64) {
        self.standing.get_or_create(&[("standing", standing.to_owned())]).set(count);
    }

    /// How many agents or queues a trouble is about.
    pub fn set_trouble(&self, trouble: &'static str, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.troubles.get_or_create(&[("trouble", trouble.to_owned())]).set(count);
    }

    /// How many jobs wait in each queue.
    pub fn set_waiting<'a>(&self, queues: impl Iterator<Item = (&'a str, i64)>) {
        for name in self.queues.shown() {
            self.waiting.get_or_create(&[("queue", name)]).set(0);
        }
        self.waiting.get_or_create(&[("queue", OTHER.to_owned())]).set(0);
        for (queue, count) in queues {
            let queue = [("queue", self.queues.label(queue))];
            self.waiting.get_or_create(&queue).inc_by(count);
        }
    }

    /// The queues that have labels of their own.
    #[must_use]
    pub fn queues(&self) -> Vec<String> {
        self.queues.shown()
    }

    /// How old the oldest waiting job of a queue is, seconds.
    pub fn set_oldest(&self, queue: String, seconds: i64) {
        self.oldest.get_or_create(&[("queue", queue)]).set(seconds);
    }

    /// How many agents serve a queue that has labels of its own.
    pub fn set_serving(&self, queue: String, agents: i64) {
        self.serving.get_or_create(&[("queue", queue)]).set(agents);
    }

    /// The states of all agents, each as often as agents have it.
    pub fn set_agents<'a>(&self, states: impl Iterator<Item = &'a str>) {
        for state in AGENT_STATES.iter().chain([&OTHER]) {
            self.agents.get_or_create(&[("state", (*state).to_owned())]).set(0);
        }
        for state in states {
            let state = AGENT_STATES.into_iter().find(|known| *known == state).unwrap_or(OTHER);
            self.agents.get_or_create(&[("state", state.to_owned())]).inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_beyond_the_limit_count_as_other_and_that_is_said() {
        let metrics = Metrics::new(2);
        for queue in ["a", "b", "a"] {
            metrics.submitted(queue, false);
        }
        assert!(metrics.text().contains("\ntestflinger_metrics_queues_left_out 0\n"));
        for number in 0..1000 {
            metrics.submitted(&format!("q{number}"), true);
        }
        let text = metrics.text();
        for line in [
            "testflinger_jobs_total{queue=\"a\"} 2",
            "testflinger_jobs_total{queue=\"other\"} 1000",
            "testflinger_reservations_total{queue=\"other\"} 1000",
            "testflinger_metrics_queues_left_out 1",
        ] {
            assert!(text.contains(&format!("\n{line}\n")), "{line}: {text}");
        }
        assert!(!text.contains("q1"), "{text}");
    }

    #[test]
    fn methods_and_states_that_callers_invent_count_as_other() {
        let metrics = Metrics::new(2);
        metrics.answered("BREW", None, 405, Duration::from_millis(2));
        metrics.set_agents(["waiting", "on fire", "waiting"].into_iter());
        let text = metrics.text();
        for line in [
            "flask_http_request_duration_seconds_count{method=\"other\",path=\"other\",status=\"405\"} 1",
            "testflinger_agents{state=\"waiting\"} 2",
            "testflinger_agents{state=\"other\"} 1",
        ] {
            assert!(text.contains(&format!("\n{line}\n")), "{line}: {text}");
        }
    }

    #[test]
    fn a_name_with_quotes_and_newlines_stays_one_label() {
        let metrics = Metrics::new(2);
        metrics.submitted("a\"b\\c\nd", false);
        assert!(metrics.text().contains(r#"{queue="a\"b\\c\nd"} 1"#), "{}", metrics.text());
    }
}
