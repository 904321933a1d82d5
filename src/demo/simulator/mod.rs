//! A simulated lab: agents and people that send what the stock programs send, in their order.
//!
//! Everything goes through the API, so nothing here can do what a real lab could not. The demo shows such a lab; the load
//! tool measures a large one (`benches/load/lab.rs`), and the soak test checks what it was told (`benches/soak`).

mod board;
mod caller;
mod clock;
mod jobs;
mod user;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

pub(super) use self::board::{Board, Plate};
pub use self::caller::Caller;
pub(super) use self::clock::LateClock;
pub(super) use self::jobs::{Dice, random, reservation};
use self::user::User;
use super::Error;

/// How many agents serve a queue of a large lab.
const AGENTS_OF_A_QUEUE: usize = 4;
/// How large the artifacts of a large lab are, bytes.
const ARTIFACT: usize = 200_000;

/// Is told what happens in a lab, by the thread of whoever did it.
pub trait Book: Send + Sync {
    /// A request was answered after `took`. `kind` is its method and path without names and ids.
    fn answered(&self, kind: &str, took: Duration) {
        let _ = (kind, took);
    }

    /// The server has acknowledged something.
    fn note(&self, told: Told<'_>) {
        let _ = told;
    }

    /// A request was refused or not answered. Whoever sent it sends it again.
    fn refused(&self, error: &Error) {
        tracing::debug!(%error, "somebody in the simulated lab was refused");
    }
}

/// Nobody wants to know.
impl Book for () {}

/// What the server has acknowledged.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// A job was submitted.
    Submitted {
        /// Its id.
        job: &'a str,
    },
    /// An agent was given a job.
    Claimed {
        /// The agent.
        agent: &'a str,
        /// The job's id.
        job: &'a str,
    },
    /// A fragment of a job's log was taken.
    Logged {
        /// The job's id.
        job: &'a str,
        /// The fragment's number.
        fragment: i64,
    },
    /// An artifact was taken.
    Uploaded {
        /// The job's id.
        job: &'a str,
        /// Its bytes.
        file: &'a [u8],
    },
    /// An agent is about to report that a job has ended, and no longer works on it.
    Leaves {
        /// The agent.
        agent: &'a str,
        /// The job's id.
        job: &'a str,
    },
    /// The end of a job was taken.
    Ended {
        /// The job's id.
        job: &'a str,
    },
    /// Whoever submitted a job has seen that it ended.
    Seen {
        /// The job's id.
        job: &'a str,
    },
}

/// A large lab, or a part of one: agents and people by their numbers.
#[derive(Clone, Debug)]
pub struct Crew {
    /// Which agents.
    pub agents: Range<usize>,
    /// How many agents the whole lab has; four of them serve a queue.
    pub of: usize,
    /// Which people, each of whom submits jobs one after the other and watches them.
    pub people: Range<usize>,
    /// How long everybody pauses after each small thing that they do.
    pub pace: Duration,
}

impl Crew {
    /// Starts a thread for each. They end with what they do when `stop` is set, or with the process. People submit no more
    /// jobs once `closing` is set, and end when they have seen the end of the last one.
    pub fn start(
        &self,
        caller: &Caller,
        closing: &Arc<AtomicBool>,
        stop: &Arc<AtomicBool>,
    ) -> Vec<JoinHandle<()>> {
        let queues = self.of.div_ceil(AGENTS_OF_A_QUEUE);
        let (pace, clock) = (self.pace, Arc::new(LateClock::new(Duration::ZERO)));
        let mut threads = Vec::new();
        for number in self.agents.clone() {
            let plate = Plate::numbered(number, number % queues);
            let board = Board::new(plate, caller, Arc::clone(&clock), number as u64);
            let stop = Arc::clone(stop);
            threads.push(std::thread::spawn(move || {
                appear(&board, pace, &stop);
                work(board, pace, &stop);
            }));
        }
        for number in self.people.clone() {
            let user = User::new(caller, queues, number as u64);
            let (closing, stop) = (Arc::clone(closing), Arc::clone(stop));
            threads.push(std::thread::spawn(move || user.live(pace, &closing, &stop)));
        }
        threads
    }
}

/// Says what an agent is until the server has heard it.
fn appear(board: &Board, pace: Duration, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        match board.appear() {
            Ok(()) => return,
            Err(error) => board.refused(&error),
        }
        std::thread::sleep(pace);
    }
}

/// Lets an agent work until it is told to stop.
pub(super) fn work(mut board: Board, pace: Duration, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let done = if board.is_busy() {
            std::thread::sleep(pace);
            board.go_on()
        } else {
            board.look_around().and_then(|()| board.claim(Duration::from_secs(20)))
        };
        if let Err(error) = done {
            board.refused(&error);
            std::thread::sleep(pace);
        }
    }
}
