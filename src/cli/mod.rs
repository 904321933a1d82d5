//! The command line: one file per subcommand.

mod admin;
mod agent;
mod backup;
mod check;
mod client;
mod clock;
mod completions;
mod copy;
mod demo;
mod drain;
mod export;
mod gc;
mod import;
mod interrupt;
mod job;
mod man;
mod notice;
mod output;
mod progress;
mod queue;
mod restore;
mod secret;
mod secrets;
mod serve;
mod status;
mod verify;

use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use output::tell;

use crate::{config, server, store};

/// A Testflinger server: queues, jobs, results and artifacts for a hardware lab.
#[derive(Parser)]
#[command(name = "testflinger-server", version = crate::app::version())]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server
    Serve(Box<serve::Args>),
    /// Run a throw-away server with a simulated lab, to look at
    Demo(demo::Args),
    /// Manage clients: create, list, show, edit, set-secret, delete, import
    #[command(name = "client-admin", visible_alias = "client")]
    ClientAdmin(client::Args),
    /// Manage queues: list, restrict, unrestrict, retries
    #[command(name = "queue-admin", visible_alias = "queue")]
    QueueAdmin(queue::Args),
    /// Look at agents, set their states, take them out of service: list, show, set-state, drain, resume
    #[command(name = "agent-admin")]
    AgentAdmin(agent::Args),
    /// Hand out no more jobs, over restarts too, until resume
    Drain(drain::Args),
    /// Hand out jobs again after drain
    Resume(drain::Resume),
    /// Keep jobs from retention: pin, unpin
    #[command(name = "job-admin")]
    JobAdmin(job::Args),
    /// Remove what retention no longer keeps now, or say what would go
    Gc(gc::Args),
    /// Look after what webhooks have not taken: list, retry, drop
    #[command(name = "notice-admin")]
    NoticeAdmin(notice::Args),
    /// Say that the clock is right after it jumped, so that retention removes again what is old
    ConfirmClock(clock::Args),
    /// Manage the secrets that jobs of clients use: list, put, delete
    #[command(name = "secret-admin")]
    SecretAdmin(secrets::Args),
    /// Seal all secrets under a new key
    RotateSecretsKey(secrets::Rotate),
    /// Show how the running server is, and what needs a person
    Status(status::Args),
    /// Write everything into one file, on a running or a stopped server
    Backup(backup::Args),
    /// Check that a backup is complete and can be restored
    Verify(verify::Args),
    /// Make a data directory from a backup
    Restore(restore::Args),
    /// Move in from another server, or from what export wrote
    Import(import::Args),
    /// Write everything as plain files that need no program of ours to read
    Export(export::Args),
    /// Check the data, on a running or a stopped server, and repair the indexes of a stopped one
    Check(check::Args),
    /// Print a script with which a shell completes commands and flags
    Completions(completions::Args),
    /// Print the manual page, or write a page for each command
    Man(man::Args),
}

/// Parses the command line, runs the command and gives its exit code: 0 ok, 1 failed, 2 wrong usage or settings, 3 the
/// target exists, 4 the data is in use, 5 verification failed, 6 version not supported, 7 no space, 8 done, but not
/// everything was there, 9 no server is running.
#[must_use]
pub fn run() -> ExitCode {
    let ended = match Cli::parse().command {
        Command::Serve(args) => serve::run(&args),
        Command::Demo(args) => demo::run(args),
        Command::ClientAdmin(args) => client::run(args),
        Command::QueueAdmin(args) => queue::run(args),
        Command::AgentAdmin(args) => agent::run(args),
        Command::Drain(args) => drain::run(args),
        Command::Resume(args) => drain::resume(args),
        Command::JobAdmin(args) => job::run(args),
        Command::Gc(args) => gc::run(args),
        Command::NoticeAdmin(args) => notice::run(args),
        Command::ConfirmClock(args) => clock::run(args),
        Command::SecretAdmin(args) => secrets::run(args),
        Command::RotateSecretsKey(args) => secrets::rotate(args),
        Command::Status(args) => status::run(args),
        Command::Backup(args) => backup::run(args),
        Command::Verify(args) => verify::run(&args),
        Command::Restore(args) => restore::run(args),
        Command::Import(args) => import::run(args),
        Command::Export(args) => export::run(args),
        Command::Check(args) => check::run(args),
        Command::Completions(args) => {
            completions::run(&args, Cli::command());
            Ok(())
        }
        Command::Man(args) => man::run(&args, Cli::command()),
    };
    match ended.and_then(|()| output::all_shown()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tell!("testflinger-server: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}

/// The exit code of what was done although something was missing.
const INCOMPLETE: u8 = 8;
/// The exit code of what only a running server can say.
const NOT_RUNNING: u8 = 9;

/// The name of the service of the packages.
const SERVICE: &str = "testflinger-server";

/// Where the service of the packages keeps its data.
const SERVICE_DATA: &str = "/var/lib/testflinger-server";

/// The variables of the environment; those that are not UTF-8 are left out. Root gets the service's state directory, so that admin commands find the data
/// that the service serves.
fn environment() -> config::Env {
    let mut env: config::Env = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let root = rustix::process::geteuid().is_root() && !env.contains_key("SNAP_COMMON");
    if root && Path::new(SERVICE_DATA).is_dir() {
        env.entry("STATE_DIRECTORY".to_owned()).or_insert_with(|| SERVICE_DATA.to_owned());
    }
    env
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

    /// A file cannot be used.
    fn file(path: &Path, error: &std::io::Error) -> Self {
        Self::new(1, format!("{}: {error}", path.display()))
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
            store::Error::Damaged { .. } | store::Error::Corrupt(_) => 5,
            store::Error::Newer { .. } | store::Error::Older { .. } => 6,
            error if error.is_disk_full() => 7,
            _ => 1,
        };
        Self::new(code, error.to_string())
    }
}

impl From<store::backup::Error> for Failure {
    fn from(error: store::backup::Error) -> Self {
        use std::io::ErrorKind::StorageFull;

        use store::backup::Error;
        let message = error.to_string();
        let code = match error {
            Error::Store(error) => return error.into(),
            Error::Bad(_) | Error::Stopped(_) => 5,
            Error::Newer { .. } => 6,
            Error::Exists(..) => 3,
            Error::Locked(_) => 4,
            Error::Write { source, .. } if source.kind() == StorageFull => 7,
            Error::Read(_) | Error::Interrupted | Error::Write { .. } | Error::MountPoint(_) => 1,
        };
        Self::new(code, message)
    }
}

impl From<server::Error> for Failure {
    fn from(error: server::Error) -> Self {
        match error {
            server::Error::Secret(error) => error.into(),
            server::Error::Store(error) => error.into(),
            error @ server::Error::Tls(_) => Self::new(2, error.to_string()),
            error @ server::Error::Fatal { disk_full: true, .. } => Self::new(7, error.to_string()),
            other => Self::new(1, other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
