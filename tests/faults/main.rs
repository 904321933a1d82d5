//! Real faults: the program is killed at every call that changes something on disk, its disk fails and fills up.
//!
//! Not part of a plain `cargo test`, since it takes minutes and tools: `cargo test --test faults`. It tests the binary of
//! `TESTFLINGER_BINARY`, or else the one that cargo built. What needs strace or root is skipped, loudly, where those are
//! missing; with `TESTFLINGER_NO_SKIP` set that is a failure.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

mod crash;
mod errors;
mod fixture;
mod full;
mod kill;
mod tools;
