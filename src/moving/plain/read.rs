//! `import` of an export: lines become what they were.
//!
//! Nothing is merged: the data directory is built from nothing. A line that is wrong ends the import, because whatever
//! follows may lean on it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::shapes::Server;
use super::{END, Error, FORMAT, KEYS, KINDS, SERVER};
use crate::store::backup::{self, Target};
use crate::store::{self, Build, WriteTx};

/// The longest line, bytes. The largest result that a server accepts is smaller.
const LONGEST: u64 = 256 << 20;
/// The largest key, bytes.
const LARGEST_KEY: u64 = 64 << 10;
/// Bytes of lines that are written together.
const TOGETHER: usize = 4 << 20;
/// Lines that are written together.
const STEPS: usize = 2_000;
const BUFFER: usize = 256 * 1024;

/// What to import, and how.
pub struct Import {
    /// The folder that `export` wrote.
    pub from: PathBuf,
    /// Where to.
    pub target: Target,
}

/// What was imported.
pub struct Imported {
    /// The lines of each kind.
    pub lines: std::collections::BTreeMap<String, u64>,
    /// Hashes, tokens, secrets and keys were in it.
    pub secrets: bool,
    /// Where the data is that was there before.
    pub put_aside: Option<PathBuf>,
}

/// Why a line is not read.
pub(super) enum Wrong {
    /// It is wrong.
    Line(String),
    /// Something else is.
    Failed(Error),
}

impl From<&str> for Wrong {
    fn from(why: &str) -> Self {
        Self::Line(why.to_owned())
    }
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<store::Error> for Wrong {
    fn from(error: store::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// Writes what a line says, or says why that cannot be.
type Write =
    dyn Fn(&mut WriteTx<'_>) -> Result<Result<(), &'static str>, store::Error> + Send + Sync;

/// A line in a file.
#[derive(Clone)]
struct Place {
    path: Arc<Path>,
    line: u64,
}

impl Place {
    fn error(&self, why: impl Into<String>) -> Error {
        Error::Line { path: self.path.to_path_buf(), line: self.line, why: why.into() }
    }
}

struct Step {
    place: Place,
    write: Box<Write>,
}

/// Why a batch of lines is not written.
enum Refused {
    Line(usize, &'static str),
    Store(store::Error),
}

impl From<store::Error> for Refused {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

/// An import under way.
pub(super) struct Reading<'a> {
    pub(super) build: &'a Build,
    /// The folder, without symbolic links.
    pub(super) from: PathBuf,
    pub(super) last_number: u64,
    place: Place,
    steps: Vec<Step>,
    size: usize,
}

/// Imports an export.
///
/// # Errors
/// [`Error`]; nothing is changed then.
pub fn import(import: &Import) -> Result<Imported, Error> {
    let failed = |source| Error::Read { path: import.from.clone(), source };
    let from = std::fs::canonicalize(&import.from).map_err(failed)?;
    let server = server(&from)?;
    check_kinds(&from, &server)?;
    let target = Target { dir: import.target.dir.clone(), ..import.target };
    let build = Build::begin_anew(target)?;
    let (whole, drained) = (server.whole.clone(), server.drained_since);
    let retries = server.retries.clone();
    build.store().write(move |tx, _| {
        tx.set_whole(&whole)?;
        tx.set_drained(drained)?;
        retries.iter().try_for_each(|(queue, retries)| tx.set_retries_of(queue, *retries))
    })?;
    let place = Place { path: from.as_path().into(), line: 0 };
    let last_number = server.whole.last_number;
    let mut reading =
        Reading { build: &build, from, last_number, place, steps: Vec::new(), size: 0 };
    for kind in &KINDS {
        if let Some(lines) = server.lines.get(kind.name) {
            let path = reading.from.join(format!("{}{END}", kind.name));
            let found = reading.lines(&path, &mut |reading, text| (kind.read)(reading, text));
            let found = found.map_err(|wrong| reading.place.wrong(wrong))?;
            reading.flush()?;
            if found != *lines {
                let why = format!("it ends here, and {SERVER} says that it has {lines} lines");
                return Err(Error::Line { path, line: found, why });
            }
        }
    }
    reading.keys()?;
    let put_aside = build.finish("before-import")?.put_aside;
    Ok(Imported { lines: server.lines, secrets: server.secrets, put_aside })
}

impl Place {
    fn wrong(&self, wrong: Wrong) -> Error {
        match wrong {
            Wrong::Line(why) => self.error(why),
            Wrong::Failed(error) => error,
        }
    }
}

/// What is read first: a newer program may say other things than these.
#[derive(serde::Deserialize)]
struct Format {
    format: u64,
    product: String,
}

/// What the export says about itself.
fn server(from: &Path) -> Result<Server, Error> {
    let path = from.join(SERVER);
    let not = |why: String| Error::Not { path: path.clone(), why };
    let mut text = String::new();
    let opened = File::open(&path);
    let file = opened.map_err(|error| not(format!("it is no folder of an export: {error}")))?;
    let read = file.take(LONGEST).read_to_string(&mut text);
    read.map_err(|source| Error::Read { path: path.clone(), source })?;
    let wrong = |error: serde_json::Error| not(error.to_string());
    let Format { format, product } = serde_json::from_str(&text).map_err(wrong)?;
    if format != FORMAT {
        let what = "format";
        return Err(backup::Error::Newer { what, found: format, known: FORMAT, product }.into());
    }
    serde_json::from_str(&text).map_err(wrong)
}

/// Whether all kinds are there, and no other.
fn check_kinds(from: &Path, server: &Server) -> Result<(), Error> {
    let not = |path: PathBuf, why: &str| Err(Error::Not { path, why: why.to_owned() });
    let file = |name: &str| from.join(format!("{name}{END}"));
    for name in server.lines.keys() {
        if !KINDS.iter().any(|kind| kind.name == name) {
            return not(file(name), "its kind is unknown");
        }
    }
    for kind in KINDS.iter().filter(|kind| server.secrets || !kind.secret) {
        if !server.lines.contains_key(kind.name) {
            return not(
                from.join(SERVER),
                &format!("it does not say how many {} there are", kind.name),
            );
        }
    }
    let failed = |source| Error::Read { path: from.to_owned(), source };
    for entry in std::fs::read_dir(from).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.strip_suffix(END).is_some_and(|name| !server.lines.contains_key(name)) {
            return not(path, &format!("{SERVER} does not name it"));
        }
    }
    Ok(())
}

/// Reads a line as what it should be.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Wrong> {
    serde_json::from_str(text).map_err(|error| Wrong::Line(error.to_string()))
}

impl Reading<'_> {
    /// Shows the lines of a file, and says how many there were.
    pub(super) fn lines(
        &mut self,
        path: &Path,
        each: &mut dyn FnMut(&mut Self, &str) -> Result<(), Wrong>,
    ) -> Result<u64, Wrong> {
        let failed = |source| Error::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let mut source = BufReader::with_capacity(BUFFER, file);
        let place = Place { path: path.into(), line: 0 };
        let before = std::mem::replace(&mut self.place, place);
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let read = (&mut source).take(LONGEST).read_until(b'\n', &mut bytes).map_err(failed)?;
            if read == 0 {
                break;
            }
            self.place.line += 1;
            if bytes.pop() != Some(b'\n') {
                let why = "it is cut off, or longer than any line of an export";
                return Err(self.place.error(why).into());
            }
            let text = std::str::from_utf8(&bytes);
            let text = text.map_err(|error| self.place.error(error.to_string()))?;
            each(self, text).map_err(|wrong| self.place.wrong(wrong))?;
        }
        Ok(std::mem::replace(&mut self.place, before).line)
    }

    /// Writes what a line of so many bytes says.
    pub(super) fn step(
        &mut self,
        size: usize,
        write: impl Fn(&mut WriteTx<'_>) -> Result<Result<(), &'static str>, store::Error>
        + Send
        + Sync
        + 'static,
    ) -> Result<(), Wrong> {
        self.steps.push(Step { place: self.place.clone(), write: Box::new(write) });
        self.size += size;
        if self.size > TOGETHER || self.steps.len() >= STEPS { Ok(self.flush()?) } else { Ok(()) }
    }

    /// Writes what was collected.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        backup::check_interrupted()?;
        self.size = 0;
        let steps: Arc<[Step]> = std::mem::take(&mut self.steps).into();
        let run = Arc::clone(&steps);
        let written = self.build.store().write(move |tx, _| {
            for (n, step) in run.iter().enumerate() {
                (step.write)(tx)?.map_err(|why| Refused::Line(n, why))?;
            }
            Ok(())
        });
        match written {
            Ok(()) => Ok(()),
            Err(Refused::Store(error)) => Err(error.into()),
            Err(Refused::Line(n, why)) => {
                let place = steps.get(n).map_or(&self.place, |step| &step.place);
                Err(place.error(why))
            }
        }
    }

    /// A file of the export that a line names. It must be where this program would have put it, and no link may lead
    /// elsewhere: an import runs as root.
    pub(super) fn named(&self, name: &str, expected: &str) -> Result<PathBuf, Wrong> {
        if name != expected {
            return Err(Wrong::Line(format!("its file must be {expected}")));
        }
        let path = self.from.join(name);
        let real = std::fs::canonicalize(&path);
        let real = real.map_err(|error| Wrong::Line(format!("its file {name}: {error}")))?;
        if real == path { Ok(path) } else { Err("a link leads out of the export".into()) }
    }

    fn keys(&self) -> Result<(), Error> {
        let dir = self.from.join(KEYS);
        if !dir.exists() {
            return Ok(());
        }
        let failed = |source| Error::Read { path: dir.clone(), source };
        for entry in std::fs::read_dir(&dir).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let size = path.symlink_metadata().ok().filter(std::fs::Metadata::is_file);
            let size = size.map(|found| found.len()).filter(|size| *size <= LARGEST_KEY);
            if !backup::is_key(name) || size.is_none() {
                return Err(Error::Not { path, why: "it is not a key".to_owned() });
            }
            let bytes = std::fs::read(&path).map_err(failed)?;
            self.build.put_key(name, &bytes)?;
        }
        Ok(())
    }
}
