//! The `testflinger-server` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    testflinger_server::cli::run()
}
