//! Keeps the metrics: counts what commits change, and looks at the rest when somebody asks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::watch_lab::Publisher;
use super::{App, Result};
use crate::domain::{Agent, AgentName, EndedBy, QueueName, Standing, Timestamp, Trouble};
use crate::metrics::Metrics;
use crate::ops::{self, Hearing};
use crate::store::{
    self, AgentReads, BlobReads, Committed, JobChange, JobCounts, Lines, Observer, ReadTx,
};

/// How many agents are read together.
const PAGE: usize = 256;

/// The metrics, and what they are counted from. Cheap to clone.
#[derive(Clone)]
pub(super) struct Watch(Arc<Inner>);

struct Inner {
    metrics: Metrics,
    counts: Mutex<Counts>,
    turn: tokio::sync::Mutex<()>,
}

/// Counts that no look-up would give without reading every job.
#[derive(Default)]
struct Counts {
    standings: HashMap<Standing, i64>,
    blob_bytes: i64,
}

impl Watch {
    pub(super) fn new(queues: usize) -> Self {
        Self(Arc::new(Inner {
            metrics: Metrics::new(queues),
            counts: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }))
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn of(tx: &ReadTx) -> std::result::Result<Self, store::Error> {
        let standings = tx.standings()?.into_iter();
        Ok(Self {
            standings: standings.map(|(place, count)| (place, count.cast_signed())).collect(),
            blob_bytes: tx.blob_bytes()?.cast_signed(),
        })
    }

    /// How many jobs that have not ended stand where.
    fn unfinished(&self) -> [(&'static str, i64); 4] {
        [
            ("waiting", Standing::Waiting),
            ("awaiting_attachments", Standing::AwaitingAttachments),
            ("running", Standing::Running),
            ("suspect", Standing::Suspect),
        ]
        .map(|(word, place)| (word, self.standings.get(&place).copied().unwrap_or(0)))
    }

    fn note(&mut self, change: &JobChange) {
        for (place, by) in [(change.before, -1), (change.after, 1)] {
            let Some(place) = place.filter(|place| !place.is_final()) else { continue };
            *self.standings.entry(place).or_default() += by;
        }
    }
}

/// Everybody who hears of commits.
struct Watchers {
    watch: Watch,
    publisher: Arc<Publisher>,
}

impl Observer for Watchers {
    fn committed(&self, what: &Committed<'_>) {
        self.watch.count(what);
        self.publisher.publish(what.news);
    }
}

impl Watch {
    fn count(&self, what: &Committed<'_>) {
        let metrics = self.metrics();
        metrics.committed(what.operations, what.took);
        metrics.journalled(what.journal_bytes, what.checkpoint);
        let mut counts = self.counts();
        counts.blob_bytes += what.blob_bytes;
        for change in what.jobs {
            counts.note(change);
            let was_final = change.before.is_none_or(Standing::is_final);
            if let Some(after) = change.after.filter(|after| after.is_final() && !was_final) {
                metrics.ended(reason(after));
            }
        }
    }
}

const fn reason(standing: Standing) -> &'static str {
    match standing {
        Standing::Cancelled(Some(EndedBy::Person)) => "cancelled_by_person",
        Standing::Cancelled(Some(EndedBy::Server)) => "ended_by_server",
        Standing::Cancelled(_) => "cancelled_by_agent",
        _ => "complete",
    }
}

impl App {
    /// What is counted while the server runs.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        self.0.watch.metrics()
    }

    /// Begins to count, and to tell watchers. Call it while nobody can write yet: what is there is counted once, and then
    /// what commits change.
    pub fn watch_store(&self) -> Result<()> {
        self.metrics().started.set(seconds(self.now().as_micros()));
        let watch = &self.0.watch;
        *watch.counts() = self.read(Counts::of)?;
        let publisher = Arc::clone(&self.0.publisher);
        self.store().observe(Box::new(Watchers { watch: watch.clone(), publisher }));
        Ok(())
    }

    /// How many jobs that have not ended stand where, and the bytes of all blobs.
    pub(super) fn counted(&self) -> ([(&'static str, i64); 4], i64) {
        let counts = self.0.watch.counts();
        (counts.unfinished(), counts.blob_bytes)
    }

    /// The waiting jobs of all queues, in order. Whoever asks first after a start waits until they were read.
    pub async fn lines(&self) -> Result<Lines> {
        if let Some(lines) = self.store().lines_if_read() {
            return Ok(lines);
        }
        let app = self.clone();
        Ok(self.blocking(move || app.store().lines()).await??)
    }

    /// All metrics as they are now, in Prometheus' text format. One at a time: each reads all agents.
    pub async fn metrics_text(&self) -> Result<String> {
        let _turn = self.0.watch.0.turn.lock().await;
        let app = self.clone();
        self.scan(move |tx| app.look(tx)).await
    }

    fn look(&self, tx: &ReadTx) -> std::result::Result<String, ops::Error> {
        let metrics = self.metrics();
        {
            let counts = self.0.watch.counts();
            for (standing, count) in counts.unfinished() {
                metrics.set_standing(standing, count);
            }
            metrics.blobs.set(counts.blob_bytes);
        }
        let waiting = self.store().lines()?.claimable();
        metrics.set_waiting(
            waiting.iter().map(|(queue, count)| (queue.as_str(), count.cast_signed())),
        );
        let now = self.now();
        let agents = Agents::of(tx, now, &self.hearing())?;
        for name in metrics.queues() {
            let queue = QueueName::trusted(name.clone());
            let oldest = tx.oldest_waiting(&queue)?;
            let age = oldest.map_or(0, |at| now.since(at).as_secs().cast_signed());
            metrics.set_oldest(name.clone(), age);
            metrics.set_serving(name, agents.serving.get(&queue).copied().unwrap_or(0));
        }
        metrics.set_agents(agents.states.iter().map(String::as_str));
        metrics.silent.set(agents.silent);
        // Zero would be taken for a full disk.
        if let Some((database, free)) = self.on_disk() {
            metrics.database.set(database.cast_signed());
            metrics.free.set(free.cast_signed());
        }
        metrics.reserve.set(self.limits().disk_reserve.cast_signed());
        metrics.in_flight.set(self.budget().used().cast_signed());
        let troubles = self.troubles(tx)?;
        for trouble in Trouble::ALL {
            let count = troubles.iter().filter(|(which, _)| *which == trouble).count();
            metrics.set_trouble(trouble.as_str(), count);
        }
        let backups = self.backups();
        for verified in [false, true] {
            let newest = backups.iter().find(|note| note.verified == verified);
            let (at, bytes) = newest.map_or((0, 0), |note| (note.at().as_secs(), note.bytes));
            metrics.set_backup(verified, at, bytes.cast_signed());
        }
        Ok(metrics.text())
    }
}

/// What is counted of all agents.
#[derive(Default)]
struct Agents {
    states: Vec<String>,
    silent: i64,
    /// Those that would take a job, by queue.
    serving: HashMap<QueueName, i64>,
}

impl Agents {
    fn of(
        tx: &ReadTx,
        now: Timestamp,
        hearing: &Hearing<impl Fn(&AgentName) -> Timestamp>,
    ) -> std::result::Result<Self, store::Error> {
        let (mut found, mut after) = (Self::default(), 0);
        loop {
            let agents = tx.agents_after(after, PAGE)?;
            let Some(last) = agents.last() else { return Ok(found) };
            after = last.seq;
            for agent in &agents {
                found.add(agent, hearing.silent_since(agent, now).is_some());
            }
        }
    }

    fn add(&mut self, agent: &Agent, is_silent: bool) {
        let state = agent.fields.get("state").map_or("unknown", String::as_str);
        self.states.push(state.trim_matches('"').to_owned());
        if agent.is_out_of_service() {
            return;
        }
        if is_silent {
            self.silent += 1;
            return;
        }
        for queue in &agent.queues {
            *self.serving.entry(queue.clone()).or_default() += 1;
        }
    }
}

const fn seconds(micros: i64) -> i64 {
    micros / 1_000_000
}
