//! A store full of waiting jobs on a real disk, and the operations that are measured on it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use testflinger_server::auth::Identity;
use testflinger_server::domain::{Access, AgentPost, Guarded, JobId, SystemClock, Timestamp};
use testflinger_server::ops::{self, By, Claimed, Submission};
use testflinger_server::store::{Ask, JobReads, Options, Store, Where, WriteTx};

/// How many queues the jobs are spread over.
pub(crate) const QUEUES: u64 = 1000;
/// Every tenth job has this tag.
pub(crate) const COMMON: &str = "common";
/// A hundred jobs of each store have this tag, however large it is.
pub(crate) const RARE: &str = "rare";
/// A queue that nothing is claimed from, with [`LISTED_JOBS`] jobs.
pub(crate) const LISTED: &str = "listed";
/// As many jobs as [`LISTED`] holds.
pub(crate) const LISTED_JOBS: usize = 1100;
/// A queue whose first [`SHUNNED_JOBS`] jobs exclude the agent with the same name.
pub(crate) const SHUNNED: &str = "shunned";
/// As many jobs as exclude that agent.
pub(crate) const SHUNNED_JOBS: usize = 1000;
/// How many agents serve each of the [`QUEUES`] queues.
pub(crate) const AGENTS: u64 = 10;
/// A queue as deep as [`SHUNNED`] whose jobs exclude nobody.
pub(crate) const PLAIN: &str = "plain";

/// Operations under way at once while many jobs are moved: below what the writer's queue holds.
const IN_FLIGHT: usize = 2000;
/// Jobs that one such operation moves, so that a commit holds many.
const CHUNK: u64 = 16;

static NEXT: AtomicU64 = AtomicU64::new(0);

pub(crate) struct Fixture {
    pub(crate) jobs: usize,
    pub(crate) store: Arc<Store>,
    submitted: u64,
    claimed: u64,
    looked: u64,
    // Removed when dropped, after the store.
    dir: TempDir,
}

impl Fixture {
    /// A store with `jobs` waiting jobs over [`QUEUES`] queues and, on top, the three special ones; `rounds` jobs can
    /// be claimed from [`SHUNNED`] and [`PLAIN`].
    pub(crate) fn new(below: &Path, jobs: usize, rounds: usize) -> Self {
        let begin = Instant::now();
        let dir = TempDir::new_in(below).unwrap();
        let mut fixture =
            Self { jobs, store: open(&dir), submitted: 0, claimed: 0, looked: 0, dir };
        fixture.fill_special(rounds);
        fixture.enrol();
        while fixture.submitted < jobs as u64 {
            fixture.submit_many((jobs as u64 - fixture.submitted).min(50_000));
            let rate = fixture.submitted as f64 / begin.elapsed().as_secs_f64();
            eprint!("\rfilling: {} of {jobs} jobs, {rate:.0}/s ", fixture.submitted);
        }
        eprintln!();
        // Claims follow half a walk behind, so that they do not find in the cache what was just submitted.
        fixture.claimed = fixture.submitted + QUEUES / 2;
        fixture
    }

    /// Makes the agents known that serve the queues.
    fn enrol(&self) {
        for number in 0..QUEUES {
            let enrolled = self.store.write(move |tx, now| {
                for agent in 0..AGENTS {
                    let fields = [("state".to_owned(), "\"waiting\"".to_owned())].into();
                    let queues = Some(vec![name(&queue(number))]);
                    let post = AgentPost { fields, queues, ..AgentPost::default() };
                    let agent = name(&format!("agent-{number}-{agent}"));
                    ops::post_agent(tx, now, &agent, &post, &by())?;
                }
                Ok::<_, ops::Error>(())
            });
            enrolled.unwrap();
        }
    }

    /// Closes the store and says how long it takes to open it again.
    pub(crate) fn reopen(&mut self) -> Duration {
        self.store.close().unwrap();
        let begin = Instant::now();
        self.store = open(&self.dir);
        begin.elapsed()
    }

    fn fill_special(&mut self, rounds: usize) {
        let filled = self.store.write(move |tx, now| {
            // A job may exclude an agent of a queue that has another one.
            let post = AgentPost { queues: Some(vec![name(SHUNNED)]), ..AgentPost::default() };
            ops::post_agent(tx, now, &name("other"), &post, &by())?;
            for number in 0..(SHUNNED_JOBS + rounds) {
                let shunned = (number < SHUNNED_JOBS).then(|| name(SHUNNED));
                let shunned = Submission {
                    exclude_agents: shunned.into_iter().collect(),
                    ..submission(SHUNNED)
                };
                ops::submit(tx, now, &shunned, &by())?;
                ops::submit(tx, now, &submission(PLAIN), &by())?;
            }
            for _ in 0..LISTED_JOBS {
                ops::submit(tx, now, &submission(LISTED), &by())?;
            }
            Ok::<_, ops::Error>(())
        });
        filled.unwrap();
    }

    /// The next job of the walk over all queues. Submissions and claims walk alike, so that no queue runs dry.
    pub(crate) fn next_submission(&mut self) -> Submission {
        let number = self.submitted;
        self.submitted += 1;
        let mut tags = vec![name("arch:amd64")];
        if number.is_multiple_of(10) {
            tags.push(name(COMMON));
        }
        if number.is_multiple_of((self.jobs as u64 / 100).max(1)) && number < self.jobs as u64 {
            tags.push(name(RARE));
        }
        Submission {
            priority: (number.wrapping_mul(2_654_435_761) >> 7).cast_signed().rem_euclid(10),
            tags,
            ..submission(&queue(number))
        }
    }

    /// A job that waits first or near the front in one of the queues, another each time.
    pub(crate) fn waiting(&mut self) -> JobId {
        let queue = name(&queue(self.somewhere(QUEUES)));
        self.store.read().unwrap().first_waiting(&queue, 1).unwrap()[0]
    }

    /// A number below `end`, another each time.
    pub(crate) fn somewhere(&mut self, end: u64) -> u64 {
        self.looked += 1;
        self.looked.wrapping_mul(2_654_435_761) % end
    }

    /// The next queue of the walk, asked for by an agent that has no job.
    pub(crate) fn next_ask(&mut self) -> Ask {
        let number = self.claimed;
        self.claimed += 1;
        ask(&queue(number), None)
    }

    /// Submits the next `count` jobs, many in a commit.
    pub(crate) fn submit_many(&mut self, count: u64) {
        self.in_chunks(count, Self::next_submission, |tx, now, submission| {
            ops::submit(tx, now, submission, &by()).map(drop)
        });
    }

    /// Submits `count` jobs to a queue, many in a commit.
    pub(crate) fn fill(&mut self, queue: &str, count: u64) {
        self.in_chunks(
            count,
            |_| submission(queue),
            |tx, now, submission| ops::submit(tx, now, submission, &by()).map(drop),
        );
    }

    /// Claims `count` jobs, many in a commit.
    pub(crate) fn claim_many(&mut self, count: u64) {
        self.in_chunks(count, Self::next_ask, |tx, now, ask| {
            ops::claim(tx, now, ask, &by()).map(|claimed| assert!(claimed.is_some()))
        });
    }

    fn in_chunks<T: Send + 'static>(
        &mut self,
        count: u64,
        mut next: impl FnMut(&mut Self) -> T,
        run: impl Fn(&mut WriteTx<'_>, Timestamp, &T) -> Result<(), ops::Error> + Copy + Send + 'static,
    ) {
        let (sender, replies) = channel();
        let (mut left, mut waiting) = (count, 0);
        while left > 0 || waiting > 0 {
            if left == 0 || waiting == IN_FLIGHT {
                let outcome: Result<(), ops::Error> = replies.recv().unwrap();
                outcome.unwrap();
                waiting -= 1;
                continue;
            }
            let items: Vec<T> = (0..left.min(CHUNK)).map(|_| next(self)).collect();
            left -= items.len() as u64;
            waiting += 1;
            let sender = sender.clone();
            self.store.submit(
                Where::Writer,
                move |tx, now| items.iter().try_for_each(|item| run(tx, now, item)),
                move |outcome| drop(sender.send(outcome)),
            );
        }
    }

    /// One durable submission.
    pub(crate) fn submit(&mut self) -> Duration {
        let submission = self.next_submission();
        let begin = Instant::now();
        submit(&self.store, submission);
        begin.elapsed()
    }

    /// One durable claim: until it is on disk, and within the operation alone.
    pub(crate) fn claim(&mut self) -> (Duration, Duration) {
        let ask = self.next_ask();
        let begin = Instant::now();
        let within = claim(&self.store, ask).1;
        (begin.elapsed(), within)
    }
}

fn open(dir: &TempDir) -> Arc<Store> {
    let options = Options {
        cache: 64 << 20,
        clock: Arc::new(SystemClock),
        on_fatal: Box::new(|error| panic!("{error}")),
    };
    Arc::new(Store::open(dir.path(), options).unwrap())
}

pub(crate) fn submit(store: &Store, submission: Submission) -> JobId {
    store.write(move |tx, now| ops::submit(tx, now, &submission, &by())).unwrap()
}

/// Claims a job, which must be there; also says how long the operation took before its commit.
pub(crate) fn claim(store: &Store, ask: Ask) -> (Claimed, Duration) {
    store
        .write(move |tx, now| {
            let begin = Instant::now();
            let claimed = ops::claim(tx, now, &ask, &by())?;
            Ok::<_, ops::Error>((claimed.unwrap(), begin.elapsed()))
        })
        .unwrap()
}

/// `agent` asks for a job of `queue`; without a name an agent that was never seen before, since one that has not
/// acknowledged its job is handed the same one again.
pub(crate) fn ask(queue: &str, agent: Option<&str>) -> Ask {
    let agent = agent
        .map_or_else(|| name(&format!("agent-{}", NEXT.fetch_add(1, Ordering::Relaxed))), name);
    Ask { queues: vec![name(queue)], agent: Some(agent), secrets: false }
}

pub(crate) fn by() -> By {
    By { identity: Identity::LocalAdmin, agent: None, access: Access::Open, guarded: Guarded::All }
}

/// The walk: all queues once, in an order in which neighbours are far apart.
fn queue(number: u64) -> String {
    format!("queue-{:04}", number * 387 % QUEUES)
}

/// A job of about 950 bytes without tags.
pub(crate) fn submission(queue: &str) -> Submission {
    let commands = "echo one of the lines of a test script that does something useful; ".repeat(9);
    let body = format!(
        r#"{{"job_queue":"{queue}","global_timeout":14400,"output_timeout":9000,"provision_data":{{"url":"https://images.example.com/releases/24.04/current/server-amd64.img.xz","distro":"noble"}},"test_data":{{"test_username":"ubuntu","test_password":"ubuntu","test_cmds":"{commands}"}},"reserve_data":{{"ssh_keys":["lp:somebody"],"timeout":3600}}}}"#
    );
    Submission {
        id: None,
        queue: name(queue),
        priority: 0,
        tags: Vec::new(),
        exclude_agents: Vec::new(),
        reserves: false,
        reserve_seconds: None,
        queue_timeout: None,
        retries: None,
        attachments: false,
        secrets: Vec::new(),
        body,
    }
}

pub(crate) fn name<T: TryFrom<String, Error: std::fmt::Debug>>(text: &str) -> T {
    T::try_from(text.to_owned()).unwrap()
}
