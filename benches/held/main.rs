//! Held requests over real TCP: how much memory each takes, and how late a delivery is compared with the
//! acknowledgement.
//!
//! `cargo bench --bench held [-- AGENTS]`. The server runs in this process on a data directory on disk; the agents and
//! the submitter run in another process of this program. Each agent has a queue of its own and asks again whenever it
//! was answered. The submitter sends jobs to the agents in turn and notes when its own answer and when the agent's
//! arrived.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on shall panic")]

mod client;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use testflinger_server::config::{Env, Raw, Settings, Span};
use testflinger_server::server::Server;

const CLIENT: &str = "TESTFLINGER_BENCH_CLIENT";

fn main() {
    raise_open_files();
    let agents = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(10_000);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Ok(addr) = std::env::var(CLIENT) {
        runtime.block_on(client::run(&addr, agents));
        return;
    }
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let flags = Raw {
        data_dir: Some(dir.path().to_owned()),
        listen: Some("127.0.0.1:0".parse().unwrap()),
        hold: Some(Span(Duration::from_secs(25))),
        ..Raw::default()
    };
    let settings = Settings::load(flags, None, &Env::new()).unwrap();
    let server = runtime.block_on(Server::bind(&settings)).unwrap();
    let before = resident();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg(agents.to_string())
        .env(CLIENT, server.addr().to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if line == client::PARKED {
            let grown = resident() - before;
            println!("{agents} held requests: {} kB each ({before} kB before)", grown / agents);
        } else {
            println!("{line}");
        }
    }
    child.wait().unwrap();
    println!("load average: {}", std::fs::read_to_string("/proc/loadavg").unwrap().trim());
    runtime.block_on(server.shutdown()).unwrap();
}

/// Resident memory of this process, kB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
