//! The Python server's data, from what `mongodump` wrote.
//!
//! The dump is read three times, because what is needed first may come last in an archive: clients, queues, agents and the list of
//! files; then jobs, which need the agents that run them, and secrets, which need their clients; then logs and the pieces of
//! files, which need to know which jobs were taken. In memory are one document, the steps that are not yet written, and the ids of
//! jobs and files.

mod agents;
mod archive;
mod clients;
mod collection;
mod crc;
mod csfle;
mod export;
mod fields;
mod files;
mod frame;
mod jobs;
mod logs;
mod queues;
mod secrets;
mod source;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::rc::Rc;

use bson::RawDocument;

use self::clients::Memory;
pub use self::csfle::Key;
pub use self::export::{Export, export};
use self::fields::Fields;
use self::files::Files;
use self::secrets::Unlocked;
pub use self::secrets::{Seal, Unlock};
use self::source::{Found, Namespace, Source};
use super::load::{Loader, Losses};
use super::{Error, Outcome, Report};
use crate::domain::{AgentName, JobId, Timestamp};
use crate::store::backup::{self, Target};
use crate::store::{self, Build};

/// What to import, and how.
pub struct Import {
    /// The dump: a directory or an archive.
    pub dump: PathBuf,
    /// The database in the dump, when several look like a Testflinger server's.
    pub database: Option<String>,
    /// Finished jobs that were submitted before this are left out, with their logs and files.
    pub since: Option<Timestamp>,
    /// What opens secrets; without it they are named only.
    pub unlock: Option<Unlock>,
    /// The data directory.
    pub dir: PathBuf,
    /// Everything but the last step.
    pub dry_run: bool,
    /// The present moment.
    pub now: Timestamp,
}

/// What was imported.
pub struct Imported {
    /// What was taken, and what was not.
    pub report: Report,
    /// Where the data is that was there before.
    pub put_aside: Option<PathBuf>,
}

/// Imports a dump. What is in the data directory already is updated, unless it has changed there since an earlier import.
///
/// # Errors
/// [`Error`]; nothing is changed then.
pub fn import(import: &Import) -> Result<Imported, Error> {
    let source = Source::open(&import.dump)?;
    let database = database(&source, import)?;
    let built = Build::begin(Target {
        dir: import.dir.clone(),
        replace: true,
        dry_run: import.dry_run,
        new_signing_key: false,
        now: import.now,
    })?;
    let mut report = Move::new(import, &built)?.run(import, &source, &database)?;
    report.finish();
    let done = built.finish("before-import")?;
    Ok(Imported { report, put_aside: done.put_aside })
}

/// The collections that tell that a database is a Testflinger server's.
const TELLING: [&str; 4] = ["agents", "client_permissions", "jobs", "queues"];

/// The collections that nothing here corresponds to, and why.
const USELESS: [(&str, &str); 3] = [
    ("__keyVault", "the keys of encrypted secrets"),
    ("device_codes", "logins at another service that were under way"),
    ("system.", "MongoDB's own"),
];

/// The database to import.
fn database(source: &Source, import: &Import) -> Result<String, Error> {
    let namespaces = source.namespaces();
    let mut found: BTreeSet<&str> = namespaces
        .iter()
        .filter(|name| TELLING.contains(&name.collection.as_str()))
        .map(|name| name.db.as_str())
        .collect();
    if let Some(wanted) = &import.database {
        found.retain(|name| name == wanted);
    }
    let mut names = found.iter();
    let why = match (names.next(), names.next()) {
        (Some(one), None) => return Ok((*one).to_owned()),
        (None, _) => "it has no database of a Testflinger server, whose collections are agents, jobs and so on".to_owned(),
        _ => {
            let all = found.iter().copied().collect::<Vec<_>>().join(", ");
            format!("several databases look like a Testflinger server's: say --database with one of {all}")
        }
    };
    Err(Error::Not { path: import.dump.clone(), why })
}

/// An import under way.
struct Move<'a> {
    load: Loader<'a>,
    build: &'a Build,
    since: Option<Timestamp>,
    now: Timestamp,
    memory: Memory,
    /// Collection and name of what has come, where names are unique.
    seen: HashSet<(&'static str, String)>,
    /// The agents that say that they have a job.
    running: HashMap<JobId, AgentName>,
    /// The jobs that were taken, and when they were submitted.
    jobs: HashMap<JobId, Timestamp>,
    /// Jobs that were not, and why: what belongs to them is not taken either.
    barred: HashMap<JobId, (Outcome, &'static str)>,
    /// What is written once all of the collection has come that it needs.
    late: Vec<(Late, Rc<Losses>)>,
    unlocked: Option<Unlocked>,
    files: Files,
}

/// Something that needs what may come after it.
enum Late {
    Refresh(clients::Token),
    Provisions(agents::Provisions),
}

/// Why a document was not read to its end.
enum Stop {
    /// It is left out for this reason.
    Refused(String),
    /// Nothing can go on.
    Failed(Error),
}

impl From<String> for Stop {
    fn from(why: String) -> Self {
        Self::Refused(why)
    }
}

impl From<&str> for Stop {
    fn from(why: &str) -> Self {
        Self::Refused(why.to_owned())
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<store::Error> for Stop {
    fn from(error: store::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// A reader of one document.
type Read<'a> = fn(&mut Move<'a>, Document<'_>) -> Result<(), Stop>;
/// The name of a collection, and a document of it.
type Document<'a> = (&'a str, &'a Fields<'a>);

impl<'a> Move<'a> {
    fn new(import: &Import, build: &'a Build) -> Result<Self, Error> {
        Ok(Self {
            load: Loader::new(build.store()),
            build,
            since: import.since,
            now: import.now,
            memory: Memory::load(build.store())?,
            seen: HashSet::new(),
            running: HashMap::new(),
            jobs: HashMap::new(),
            barred: HashMap::new(),
            late: Vec::new(),
            unlocked: None,
            files: Files::default(),
        })
    }

    fn run(mut self, import: &Import, source: &Source, database: &str) -> Result<Report, Error> {
        self.name_useless(source, database);
        self.pass(source, database, &|collection| match collection {
            "agents" => Some(Self::agent),
            "client_permissions" => Some(Self::client),
            "fs.files" => Some(Self::file),
            "provision_logs" => Some(Self::provisions),
            "queue_wait_times" => Some(Self::waits),
            "queues" => Some(Self::queue),
            "refresh_tokens" => Some(Self::token),
            "restricted_queues" => Some(Self::restriction),
            _ => None,
        })?;
        for (late, losses) in std::mem::take(&mut self.late) {
            self.load.losses = losses;
            match late {
                Late::Refresh(token) => self.put_token(token)?,
                Late::Provisions(provisions) => self.put_provisions(provisions)?,
            }
        }
        self.load.flush()?;
        if let Some(unlock) = &import.unlock {
            self.unlock(unlock, source)?;
        }
        self.pass(source, database, &|collection| match collection {
            "jobs" => Some(Self::job),
            name if name.starts_with(secrets::PREFIX) => Some(Self::secret),
            _ => None,
        })?;
        self.order_jobs()?;
        self.want_files()?;
        self.pass(source, database, &|collection| match collection {
            "logs" => Some(Self::fragment),
            "output" => Some(Self::output),
            "serial_output" => Some(Self::serial_output),
            "fs.chunks" => Some(Self::chunk),
            _ => None,
        })?;
        self.put_files()?;
        self.memory.save(self.load.store)?;
        Ok(self.load.report)
    }

    /// Reads the collections that have a reader.
    fn pass(
        &mut self,
        source: &Source,
        database: &str,
        reader: &dyn Fn(&str) -> Option<Read<'a>>,
    ) -> Result<(), Error> {
        let wanted = |name: &Namespace| name.db == database && reader(&name.collection).is_some();
        source.read(&wanted, &mut |name, found| {
            backup::check_interrupted()?;
            let collection = name.collection.as_str();
            match found {
                Found::Broken(why) => self.load.note(collection, "", Outcome::LeftOut, &why),
                Found::Document(bytes) => {
                    let document = RawDocument::from_bytes(bytes);
                    let fields = document.map_err(|error| error.to_string()).and_then(Fields::read);
                    self.load.losses = fields.as_ref().map(Fields::losses).unwrap_or_default();
                    match (fields, reader(collection)) {
                        (Ok(fields), Some(read)) => match read(self, (collection, &fields)) {
                            Ok(()) => {}
                            Err(Stop::Refused(why)) => self.leave_out(collection, &fields, &why),
                            Err(Stop::Failed(error)) => return Err(error),
                        },
                        (Err(why), _) => {
                            let id = id_in(bytes);
                            self.load.note(collection, &id, Outcome::LeftOut, &why);
                        }
                        (Ok(_), None) => {}
                    }
                }
            }
            Ok(())
        })?;
        self.load.flush()
    }

    /// Says which collections are not read at all.
    fn name_useless(&mut self, source: &Source, database: &str) {
        for name in source.namespaces().iter().filter(|name| name.db == database) {
            let collection = name.collection.as_str();
            let known = KNOWN.contains(&collection) || collection.starts_with(secrets::PREFIX);
            if !known {
                let useless = USELESS.iter().find(|(useless, _)| collection.starts_with(useless));
                let why = useless.map_or("no collection of a Testflinger server", |(_, why)| why);
                self.load.note(collection, "", Outcome::Skipped, why);
            }
        }
    }

    /// Notes a thing that should be here and is not.
    fn leave_out(&mut self, collection: &str, fields: &Fields<'_>, why: &str) {
        let id = ["job_id", "client_id", "name", "filename", "key"];
        let id = id.iter().find_map(|name| fields.text(name)).or_else(|| fields.id("_id"));
        self.load.note(collection, &id.unwrap_or_default(), Outcome::LeftOut, why);
    }

    /// Whether this is the first of its name in a collection where names are unique; else it is noted.
    fn is_first(&mut self, collection: &'static str, name: &str) -> bool {
        let first = self.seen.insert((collection, name.to_owned()));
        if !first {
            let why = "one of the same name came before it";
            self.load.note(collection, name, Outcome::LeftOut, why);
        }
        first
    }
}

/// The collections that are read.
const KNOWN: [&str; 13] = [
    "agents",
    "client_permissions",
    "fs.chunks",
    "fs.files",
    "jobs",
    "logs",
    "output",
    "provision_logs",
    "queue_wait_times",
    "queues",
    "refresh_tokens",
    "restricted_queues",
    "serial_output",
];

/// The id in a document that cannot be read whole.
fn id_in(bytes: &[u8]) -> String {
    let Ok(document) = RawDocument::from_bytes(bytes) else { return String::new() };
    let good = document.iter_elements().map_while(Result::ok);
    let id = good.into_iter().find(|element| element.key().as_str() == "_id");
    id.and_then(|element| Some(element.value().ok()?.as_object_id()?.to_hex())).unwrap_or_default()
}
