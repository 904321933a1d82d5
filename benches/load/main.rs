//! Load on the real program over real TCP.
//!
//! ```sh
//! cargo bench --bench load -- [SCENARIO..] [--seconds N] [--repetitions N] [--agents N] [--jobs N] [--target NAME=WHERE]..
//! ```
//!
//! | scenario | load |
//! |---|---|
//! | `pairs` | 1, 8 and 64 clients that submit a job and claim one, closed loop |
//! | `beside` | the same with 8 and 64 clients alone, while backups are made, and while ended jobs are removed; `--jobs` of both kinds |
//! | `start` | the program starts with `--jobs` waiting jobs, after a clean stop and after it was killed just when it had written |
//! | `held` | agents whose requests are held, 200 jobs a second for them, open loop |
//! | `polls` | 256 clients that ask for a job's status while 8 others write, closed loop |
//! | `logs` | fragments of 1 KB and of 1 MB |
//! | `artifacts` | 8 MB up and down |
//! | `lab` | 400 agents and their users with the requests of the stock programs, faster than those |
//! | `gates` | counts and sizes that do not depend on the machine's other work, against their limits; needs strace |
//!
//! A target is a program (a path; without any the one that cargo has built) or a peer that runs already
//! (`postgresql://ADDR`, `redis://ADDR`, `beanstalkd://ADDR`; `pairs` only). Several are measured in turn within each
//! repetition, because only ratios within one run mean much. `benches/peers/compare` starts the peers.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a load that fails shall panic")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures are rounded when they are printed"
)]

mod artifacts;
mod beside;
mod drive;
mod fill;
mod gates;
mod held;
mod histogram;
mod http;
mod lab;
mod logs;
mod pairs;
mod peers;
mod play;
mod polls;
mod report;
mod server;
mod start;

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use histogram::Histogram;
use report::{Outcome, Row};
use server::Server;

/// What is measured.
pub(crate) enum Target {
    Ours(PathBuf),
    PostgreSql(String),
    Redis(String),
    Beanstalkd(String),
}

impl Target {
    fn parse(text: &str) -> Self {
        match text.split_once("://") {
            Some(("postgresql", addr)) => Self::PostgreSql(addr.to_owned()),
            Some(("redis", addr)) => Self::Redis(addr.to_owned()),
            Some(("beanstalkd", addr)) => Self::Beanstalkd(addr.to_owned()),
            _ => Self::Ours(text.into()),
        }
    }
}

/// How each scenario is run.
pub(crate) struct Run {
    pub(crate) span: Duration,
    pub(crate) agents: usize,
    pub(crate) jobs: usize,
    repetitions: usize,
    /// Where data directories are made and removed.
    below: PathBuf,
}

impl Run {
    pub(crate) fn start(&self, target: &Target) -> Server {
        self.start_with(target, &["--hold", "25s"])
    }

    pub(crate) fn start_with(&self, target: &Target, settings: &[&str]) -> Server {
        let Target::Ours(binary) = target else { panic!("peers know pairs only") };
        Server::start(binary, &[], settings, &self.below)
    }

    /// Waits for a load on `server`, and says what it cost.
    pub(crate) async fn row(
        &self,
        name: String,
        server: &Server,
        load: impl Future<Output = Histogram>,
    ) -> Row {
        let before = server.processor();
        let mut row = self.peer_row(name, load).await;
        // The time before the span counts for the processor, but not for the operations.
        let spent = (server.processor() - before) / 1.2;
        row.processor = Some(spent * 1e6 / row.took.count() as f64);
        row
    }

    pub(crate) async fn peer_row(
        &self,
        name: String,
        load: impl Future<Output = Histogram>,
    ) -> Row {
        let took = load.await;
        let rate = took.count() as f64 / self.span.as_secs_f64();
        Row { name, rate, took, processor: None }
    }
}

#[tokio::main]
async fn main() {
    raise_open_files();
    let mut run = Run {
        span: Duration::from_secs(3),
        agents: 1000,
        jobs: 20_000,
        repetitions: 1,
        below: env!("CARGO_TARGET_TMPDIR").into(),
    };
    let mut scenarios = Vec::new();
    let mut targets = Vec::new();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value after the flag");
        match word.as_str() {
            "--bench" => {}
            "play" => return play::run(words),
            "--seconds" => run.span = Duration::from_secs(value().parse().unwrap()),
            "--repetitions" => run.repetitions = value().parse().unwrap(),
            "--jobs" => run.jobs = value().parse().unwrap(),
            "--agents" => run.agents = value().parse().unwrap(),
            "--target" => {
                let value = value();
                let (name, target) = value.split_once('=').expect("NAME=WHERE");
                targets.push((name.to_owned(), Target::parse(target)));
            }
            _ => scenarios.push(word),
        }
    }
    if targets.is_empty() {
        let built = Target::parse(env!("CARGO_BIN_EXE_testflinger-server"));
        targets.push(("ours".to_owned(), built));
    }
    for scenario in scenarios {
        measure(&scenario, &targets, &run).await;
    }
}

async fn measure(scenario: &str, targets: &[(String, Target)], run: &Run) {
    let mut outcomes: Vec<Vec<Outcome>> = targets.iter().map(|_| Vec::new()).collect();
    for _ in 0..run.repetitions {
        for ((_, target), outcomes) in targets.iter().zip(&mut outcomes) {
            outcomes.push(match scenario {
                "pairs" => pairs::run(target, run).await,
                "beside" => beside::run(target, run).await,
                "start" => start::run(target, run).await,
                "held" => held::run(target, run).await,
                "polls" => polls::run(target, run).await,
                "logs" => logs::run(target, run).await,
                "artifacts" => artifacts::run(target, run).await,
                "lab" => lab::run(target, run).await,
                "gates" => gates::run(target, run).await,
                other => panic!("no scenario {other}"),
            });
        }
    }
    let names: Vec<&str> = targets.iter().map(|(name, _)| name.as_str()).collect();
    report::print(scenario, &names, &outcomes);
}

fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
