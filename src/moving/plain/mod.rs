//! Everything that this server keeps as plain files: JSON lines by kind, logs and artifacts as files of their own.
//!
//! `docs/EXPORT.md` is about the files, for those who read them without this program. A kind is one file, a writer and a
//! reader; [`KINDS`] has all of them.

mod out;
mod read;
mod readers;
mod shapes;
mod write;
mod writers;

pub use read::{Import, Imported, import};
pub use write::{Export, Exported, export};

use self::out::Lines;
use self::read::{Reading, Wrong};
use self::write::Writing;
use super::Error;

/// The version of the form of exports.
const FORMAT: u64 = 1;
/// What an export says about itself.
const SERVER: &str = "server.json";
/// Ends the name of a file that has a line for each thing.
const END: &str = ".jsonl";
/// The folder of keys.
const KEYS: &str = "keys";

/// Writes everything of a kind.
type Write = fn(&mut Writing<'_>, &mut Lines) -> Result<(), Error>;
/// Reads a line.
type Read = fn(&mut Reading<'_>, &str) -> Result<(), Wrong>;

/// A kind of things.
struct Kind {
    /// Of its file, without the ending.
    name: &'static str,
    /// It goes only where secrets may go.
    secret: bool,
    write: Write,
    read: Read,
}

const fn open(name: &'static str, write: Write, read: Read) -> Kind {
    Kind { name, secret: false, write, read }
}

const fn secret(name: &'static str, write: Write, read: Read) -> Kind {
    Kind { name, secret: true, write, read }
}

/// All kinds, in the order in which they are written and read.
static KINDS: [Kind; 18] = [
    open("clients", writers::clients, readers::client),
    open("restricted_queues", writers::restricted_queues, readers::restricted_queue),
    secret("refresh_tokens", writers::refresh_tokens, readers::refresh_token),
    secret("secrets", writers::secrets, readers::secret),
    open("agents", writers::agents, readers::agent),
    open("agent_logs", writers::agent_logs, readers::agent_log),
    open("provisions", writers::provisions, readers::provision),
    open("queues", writers::queues, readers::queue),
    open("images", writers::images, readers::images),
    open("waits", writers::waits, readers::waits),
    open("jobs", writers::jobs, readers::job),
    open("job_secrets", writers::job_secrets, readers::job_secret),
    open("results", writers::results, readers::result),
    open("events", writers::events, readers::event),
    open("logs", writers::logs, readers::log),
    open("files", writers::files, readers::file),
    secret("notices", writers::notices, readers::notice),
    open("alerts", writers::alerts, readers::alert),
];
