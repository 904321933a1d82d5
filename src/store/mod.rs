//! What is kept: one database and the files of blobs beside it.
//!
//! [`ReadTx`] and [`WriteTx`] speak the domain; tables, keys and bytes stay in here. Each noun has a file with what can
//! be read ([`JobReads`] and its like, for snapshots and writes alike) and what can be written (`impl WriteTx`).

pub mod backup;
mod blobs;
mod build;
mod engine;
mod nouns;
mod upkeep;

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

pub use blobs::{Blobs, Upload};
pub use build::{Build, Built, NewDir};
pub use engine::disk::give_to_owner;
pub(crate) use engine::disk::{Aside, create_private, new_file, restrict_mode, sync_dir};
use engine::observer::Observed;
pub use engine::observer::{Committed, JobChange, News, Observer};
pub use engine::operation::HeldRequest;
pub use engine::writer::OnFatal;
pub use engine::{BLOBS, DATABASE, Error, KEYS, ReadTx, Where, WriteTx};
use engine::{Database, JOURNAL_FILE, Replay, StorageBackend, Table, meta, writer};
pub use nouns::aging::Kind as Class;
use nouns::job::lines::Follower;
pub use nouns::{
    AgentReads, AlertReads, Ask, BlobReads, CHUNK, ClientReads, HistoryReads, JobCounts, JobReads,
    JobsOf, Lines, Listed, LogEnd, LogReads, Member, NoticeReads, QueueReads, ResultReads,
    RuleReads, SecretReads, Tray, WaitReads, Whole,
};
pub use upkeep::check;
pub use upkeep::due::{Due, DueAfter, DuePage, DueReads};
pub use upkeep::expiry::{Ages, Freed, Swept};
use upkeep::pace::Gentle;
use upkeep::schema;

use crate::domain::{Clock, Timestamp};

/// A row in a journal: its table's name, its key, and its value or nothing if it was removed.
pub type JournalRow = (&'static str, Vec<u8>, Option<Vec<u8>>);

/// The newest of each row that a start takes over from a journal with these bytes, for tests that are not about the
/// database. `row` is what the database says of its journal.
///
/// # Errors
/// [`Error::Corrupt`] when something is missing.
pub fn journal_rows(bytes: &[u8], row: &[u8]) -> Result<Vec<JournalRow>, Error> {
    let mut replay = Replay::read(bytes, row).whole()?;
    let rows_of = |&table: &Table| {
        let rows = replay.rows_of(table).into_iter();
        rows.map(move |(key, value)| (table.name(), key, value))
    };
    Ok(Table::ALL.iter().flat_map(rows_of).collect())
}

/// The opened store.
pub struct Store {
    // `None` once closed. Readers take a read lock for the moment in which they begin a transaction.
    db: RwLock<Option<Arc<Database>>>,
    writer: writer::Writer,
    observed: Observed,
    lines: Lines,
    blobs: Blobs,
    // `None` for one in memory.
    dir: Option<PathBuf>,
}

/// How to open a store.
pub struct Options {
    /// Bytes of redb's page cache.
    pub cache: usize,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Called when a commit failed, after all callers have been told.
    pub on_fatal: OnFatal,
}

impl Store {
    /// Opens the store in the data directory `dir`, which exists; creates what is missing. Data of an older program is
    /// upgraded, and its database kept beside the new one.
    ///
    /// # Errors
    /// [`Error::Locked`] while another server has it, [`Error::Newer`], [`Error::Missing`], [`Error::Damaged`], or what
    /// the disk says.
    pub fn open(dir: &Path, options: Options) -> Result<Self, Error> {
        let store = Self::open_aside(dir, options)?;
        // A restore that ended between its last two steps leaves it; there is nothing left to do.
        let _ = std::fs::remove_file(dir.join(backup::MARKER));
        Ok(store)
    }

    /// The same for a directory that is not in its place yet: its marker stays.
    pub(crate) fn open_aside(dir: &Path, options: Options) -> Result<Self, Error> {
        let path = dir.join(DATABASE);
        let blobs = Blobs::new(dir.join(BLOBS));
        if !path.exists() && blobs.has_files()? {
            return Err(Error::Missing(path));
        }
        blobs.create()?;
        if !path.exists() {
            let db = Database::create(dir)?;
            schema::create(&db)?;
            db.put_in_place(dir)?;
        }
        let cache = options.cache;
        let opened = Self::upgraded(dir, cache).and_then(|db| Self::start(db, blobs, options));
        let mut store = opened.map_err(|error| match error {
            Error::Corrupt(why) => Error::Damaged { dir: dir.to_owned(), why },
            other => other,
        })?;
        store.dir = Some(dir.to_owned());
        Ok(store)
    }

    fn upgraded(dir: &Path, cache: usize) -> Result<Database, Error> {
        let db = Database::open(dir, cache, schema::VERSION)?;
        let Some(version) = schema::older(&db)? else {
            return Ok(db);
        };
        db.close()?;
        let copy = schema::keep_copy(dir, version)?;
        let copy = copy.display();
        tracing::info!("upgrading the data from schema version {version}; it stays in {copy}");
        let db = Database::open(dir, cache, schema::VERSION)?;
        schema::upgrade(&db)?;
        Ok(db)
    }

    /// A store whose database and journal are on backends of the caller's, which may fail on purpose; blobs go to
    /// `blobs`.
    pub fn with_backends(
        database: impl StorageBackend,
        journal: impl StorageBackend,
        blobs: &Path,
        options: Options,
    ) -> Result<Self, Error> {
        Self::on(Database::on(database, journal, options.cache)?, blobs, options)
    }

    /// A store in memory, for tests and benchmarks; blobs go to `blobs`.
    ///
    /// # Errors
    /// Only for what cannot be created under `blobs`.
    pub fn in_memory(blobs: &Path, options: Options) -> Result<Self, Error> {
        Self::on(Database::in_memory(options.cache)?, blobs, options)
    }

    fn on(db: Database, blobs: &Path, options: Options) -> Result<Self, Error> {
        let blobs = Blobs::new(blobs.to_owned());
        blobs.create()?;
        if db.is_empty()? {
            schema::create(&db)?;
        }
        Self::start(db, blobs, options)
    }

    fn start(db: Database, blobs: Blobs, options: Options) -> Result<Self, Error> {
        let db = Arc::new(db);
        let files = blobs.clone();
        let unlink = Box::new(move |name| files.unlink(name));
        let (lines, observed) = (Lines::default(), Observed::default());
        let follower = Follower { lines: lines.clone(), next: Arc::clone(&observed) };
        let watched = Observed::new(OnceLock::from(Box::new(follower) as Box<dyn Observer>));
        let Options { clock, on_fatal, .. } = options;
        let writer = writer::Writer::start(Arc::clone(&db), unlink, clock, on_fatal, watched)
            .map_err(|source| Error::file("writer thread", source))?;
        let db = RwLock::new(Some(db));
        let store = Self { db, writer, observed, lines, blobs, dir: None };
        store.remove_strays()?;
        Ok(store)
    }

    /// A snapshot of what is committed now.
    ///
    /// # Errors
    /// [`Error::Closed`] after [`Store::close`], or what the disk says.
    pub fn read(&self) -> Result<ReadTx, Error> {
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        let db = db.as_ref().ok_or(Error::Closed)?;
        db.snapshot()
    }

    /// Hands an operation to the writer. `reply` is called on the thread that writes once the outcome is on disk, and must
    /// be short. `run` decides before its first write, and may be run again after its writes were rolled back.
    pub fn submit<T, E>(
        &self,
        at: Where,
        run: impl FnMut(&mut WriteTx<'_>, Timestamp) -> Result<T, E> + Send + 'static,
        reply: impl FnOnce(Result<T, E>) + Send + 'static,
    ) where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.writer.submit(at, run, reply);
    }

    /// [`Store::submit`] for an operation that waits while it finds nothing: it is run again in the transaction in which
    /// a job became claimable in one of the queues of `held`.
    pub fn submit_waiting<T, E>(
        &self,
        at: Where,
        run: impl FnMut(&mut WriteTx<'_>, Timestamp) -> Result<Option<T>, E> + Send + 'static,
        held: HeldRequest,
        reply: impl FnOnce(Result<Option<T>, E>) + Send + 'static,
    ) where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.writer.submit_waiting(at, run, held, reply);
    }

    /// [`Store::submit`] for callers that may block.
    ///
    /// # Errors
    /// What `run` says, or why it could not be made durable.
    pub fn write<T, E>(
        &self,
        run: impl FnMut(&mut WriteTx<'_>, Timestamp) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (sender, receiver) = sync_channel(1);
        self.submit(Where::Caller, run, move |outcome| {
            // The receiver waits below, so it is there.
            let _ = sender.send(outcome);
        });
        receiver.recv().unwrap_or_else(|_| Err(Error::Closed.into()))
    }

    /// Lets somebody watch all commits from now on, if nobody does yet.
    pub fn observe(&self, observer: Box<dyn Observer>) {
        let _ = self.observed.set(observer);
    }

    /// The waiting jobs of all queues, in order. The first call reads an index row of each, and may take a second.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Corrupt`] or what the disk says. The next call tries it again.
    pub fn lines(&self) -> Result<Lines, Error> {
        self.lines.read(|| self.read())?;
        Ok(self.lines.clone())
    }

    /// The same, if they were read before.
    #[must_use]
    pub fn lines_if_read(&self) -> Option<Lines> {
        self.lines.are_read().then(|| self.lines.clone())
    }

    /// How large the files of the database and of its journal are, bytes; zero for those in memory.
    ///
    /// # Errors
    /// What the disk says.
    pub fn file_size(&self) -> Result<u64, Error> {
        let Some(dir) = &self.dir else { return Ok(0) };
        let path = dir.join(DATABASE);
        let found = std::fs::metadata(&path).map_err(|source| Error::file(path, source))?;
        // Nothing was written yet if there is none.
        let journal = std::fs::metadata(dir.join(JOURNAL_FILE)).map_or(0, |found| found.len());
        Ok(found.len() + journal)
    }

    /// The database's own name.
    pub fn instance(&self) -> Result<String, Error> {
        meta::instance(&self.read()?)
    }

    /// Writes everything as it is at one moment; the writer goes on meanwhile. What stops it is logged, and said at the
    /// end of what was written.
    ///
    /// # Errors
    /// Only when `out` fails.
    pub fn backup(&self, what: backup::What, now: Timestamp, out: impl Write) -> io::Result<()> {
        let snapshot = || self.read();
        let dir = self.dir.as_deref();
        backup::Origin { snapshot: &snapshot, blobs: &self.blobs, dir }.backup(what, now, out)
    }

    /// The keys beside the database by name, unless it is in memory.
    ///
    /// # Errors
    /// What the disk says.
    pub fn keys(&self) -> Result<Vec<(String, Vec<u8>)>, backup::Error> {
        backup::keys(self.dir.as_deref())
    }

    /// Notes that a backup was made; one in memory notes nothing.
    ///
    /// # Errors
    /// What the disk says.
    pub fn note_backup(&self, note: backup::Note) -> Result<(), Error> {
        self.dir.as_ref().map_or(Ok(()), |dir| backup::Notes::add(dir, note))
    }

    /// The backups that were noted.
    ///
    /// # Errors
    /// What the disk says, or [`Error::Corrupt`].
    pub fn noted_backups(&self) -> Result<backup::Notes, Error> {
        self.dir
            .as_ref()
            .map_or_else(|| Ok(backup::Notes::default()), |dir| backup::Notes::read(dir))
    }

    /// Checks everything as it is at one moment while the writer goes on, at half the speed of the machine, and until
    /// `goes_on` says that it shall stop. `hash` reads every file and compares its sum, not its size alone.
    ///
    /// # Errors
    /// [`Error::Closed`] when it was stopped, or what the disk says.
    pub fn check(&self, hash: bool, goes_on: &dyn Fn() -> bool) -> Result<check::Report, Error> {
        // Before the snapshot: what it names must still be there when its turn comes.
        let _pin = self.blobs.pin();
        let look = || {
            let mut pace = Gentle::new(goes_on);
            check::look(self.read()?, &self.blobs, hash, &mut pace, &mut |_| {})
        };
        let looked = catch_unwind(AssertUnwindSafe(look))
            .unwrap_or_else(|_| Err(Error::Corrupt("reading the database panicked".to_owned())));
        match looked {
            Err(Error::Corrupt(why)) => Ok(check::Report::of(why)),
            looked => looked,
        }
    }

    /// Where blobs are written and read.
    #[must_use]
    pub const fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// Finishes the writes that wait and closes the database, so that the next start needs no repair.
    ///
    /// # Errors
    /// What the disk says while the last state is written.
    pub fn close(&self) -> Result<(), Error> {
        self.writer.stop();
        let db = self.db.write().unwrap_or_else(PoisonError::into_inner).take();
        // A reader that is still under way keeps the database; it then closes when that reader ends.
        if let Some(db) = db.and_then(Arc::into_inner) {
            db.close()?;
        }
        Ok(())
    }

    /// Removes what a crash left among the blobs: partial files, and files whose row never became durable.
    fn remove_strays(&self) -> Result<(), Error> {
        let tx = self.read()?;
        let named = tx.blob_names()?;
        let removed = self.blobs.remove_strays(&named)?;
        if removed > 0 {
            tracing::info!(removed, "removed files of uploads that never finished");
        }
        Ok(())
    }
}
