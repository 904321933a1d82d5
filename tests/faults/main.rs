//! Real faults: the program is killed at every call that changes something on disk, its disk fails, and its disk fills
//! up.
//!
//! A plain `cargo test` leaves these tests out, because they take minutes and need tools; run `cargo test --test
//! faults`. They test the binary that `TESTFLINGER_BINARY` names, or else the one that cargo built. Tests that need
//! strace or root are skipped loudly where those are missing; with `TESTFLINGER_NO_SKIP` set a skip is a failure.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

mod crash;
mod errors;
mod fixture;
mod full;
mod kill;
mod tools;
