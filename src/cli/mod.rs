//! The command line: one file per subcommand.

mod admin;
mod client;
mod output;
mod queue;
mod secret;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{config, server, store};

/// A Testflinger server: queues, jobs, results and artifacts for a hardware lab.
#[derive(Parser)]
#[command(name = "testflinger-server", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server
    Serve(Box<serve::Args>),
    /// Manage clients: create, list, show, edit, set-secret, delete, import
    #[command(name = "client-admin", visible_alias = "client")]
    ClientAdmin(client::Args),
    /// Manage restricted queues: list, restrict, unrestrict
    #[command(name = "queue-admin", visible_alias = "queue")]
    QueueAdmin(queue::Args),
}

/// Parses the command line, runs it and says how it ended: 0 ok, 1 failed, 2 usage, 4 data directory in use,
/// 6 version not supported, 7 no space.
#[must_use]
pub fn run() -> ExitCode {
    let ended = match Cli::parse().command {
        Command::Serve(args) => serve::run(*args),
        Command::ClientAdmin(args) => client::run(args),
        Command::QueueAdmin(args) => queue::run(args),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("testflinger-server: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}

/// The environment, as far as it is text.
fn environment() -> config::Env {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Why a command failed: what to print, and the exit code.
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<config::Error> for Failure {
    fn from(error: config::Error) -> Self {
        Self::new(2, error.to_string())
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        let code = match &error {
            store::Error::Locked(_) => 4,
            store::Error::Newer { .. } => 6,
            error if error.is_disk_full() => 7,
            _ => 1,
        };
        Self::new(code, error.to_string())
    }
}

impl From<server::Error> for Failure {
    fn from(error: server::Error) -> Self {
        match error {
            server::Error::Store(error) => error.into(),
            other => Self::new(1, other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
