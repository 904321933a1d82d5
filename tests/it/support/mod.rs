//! A server for tests and callers of it, the store of the library, and the program.

pub(crate) mod auth;
mod caller;
pub(crate) mod contract;
pub(crate) mod disk;
mod events;
mod hook;
mod lab;
mod program;
mod raw;
pub(crate) mod rows;
mod server;

use std::time::{Duration, Instant};

pub(crate) use caller::{Answer, Caller, Part};
pub(crate) use events::Events;
pub(crate) use hook::{Hook, free_address, hook, hook_on};
pub(crate) use lab::{Lab, agents, by, queues, submission};
pub(crate) use program::{Program, program, run, run_with_input};
pub(crate) use raw::{BOUNDARY, Connection, part_head};
pub(crate) use server::{START, TestServer};

/// The limit only keeps a broken test from hanging, so it is long enough for a slow machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// Waits until a condition holds.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A UUID that no job has.
pub(crate) const ZERO: &str = "00000000-0000-0000-0000-000000000000";
