//! `confirm-clock`

use super::cli::Cli;
use crate::support::Program;

#[test]
fn the_clock_can_be_confirmed_on_a_running_and_on_a_stopped_server() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::serve(dir.path());
    assert!(Cli(dir.path()).ok(&["confirm-clock"]).contains("is taken as the right time"));
    program.stop();
    assert!(Cli(dir.path()).ok(&["confirm-clock"]).contains("is taken as the right time"));
}
