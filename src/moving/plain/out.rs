//! Where an export goes: files in a folder, or nowhere when it is only tried.

use std::cell::Cell;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde::Serialize;

use crate::store::{self, backup, create_private, new_file};

const BUFFER: usize = 64 * 1024;
/// How many lines are written until it is asked whether a signal has come.
const ASKED: u64 = 1_000;

/// The folder.
pub(super) struct Out {
    dir: Option<PathBuf>,
    bytes: Rc<Cell<u64>>,
}

impl Out {
    /// Writes into a folder, or nowhere.
    pub(super) fn new(dir: Option<PathBuf>) -> Self {
        Self { dir, bytes: Rc::default() }
    }

    /// How many bytes were written.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// Begins a file; the folders that its name has are made.
    pub(super) fn create(&self, name: &str) -> Result<Lines, store::Error> {
        let (path, file): (PathBuf, Box<dyn Write>) = match &self.dir {
            None => (PathBuf::from(name), Box::new(io::sink())),
            Some(dir) => {
                let mut folder = dir.clone();
                let parent = Path::new(name).parent().unwrap_or(Path::new(""));
                for part in parent {
                    folder.push(part);
                    create_private(&folder)?;
                }
                let path = dir.join(name);
                let file =
                    new_file(&path).map_err(|source| store::Error::file(path.clone(), source))?;
                (path, Box::new(file))
            }
        };
        let file = BufWriter::with_capacity(BUFFER, file);
        Ok(Lines { file, path, count: 0, bytes: Rc::clone(&self.bytes) })
    }
}

/// A file under way.
pub(super) struct Lines {
    file: BufWriter<Box<dyn Write>>,
    path: PathBuf,
    count: u64,
    bytes: Rc<Cell<u64>>,
}

impl Lines {
    /// Adds a line.
    pub(super) fn put(&mut self, line: &impl Serialize) -> Result<(), store::Error> {
        serde_json::to_writer(&mut *self, line).map_err(|error| self.failed(error.into()))?;
        self.end_line()
    }

    /// Adds a part of a line, which is JSON.
    pub(super) fn part(&mut self, json: &[u8]) -> Result<(), store::Error> {
        self.write_all(json).map_err(|error| self.failed(error))
    }

    /// Adds bytes to a file that has no lines.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> Result<(), store::Error> {
        self.bytes.set(self.bytes.get() + bytes.len() as u64);
        self.file.write_all(bytes).map_err(|error| self.failed(error))
    }

    /// Ends a line of which the bytes were added.
    pub(super) fn end_line(&mut self) -> Result<(), store::Error> {
        self.count += 1;
        if self.count.is_multiple_of(ASKED) && backup::check_interrupted().is_err() {
            // Whoever asks for more learns that it was a signal.
            return Err(store::Error::Closed);
        }
        self.raw(b"\n")
    }

    /// Ends the file, and says how many lines it has.
    pub(super) fn end(mut self) -> Result<u64, store::Error> {
        self.file.flush().map_err(|error| self.failed(error))?;
        Ok(self.count)
    }

    fn failed(&self, error: io::Error) -> store::Error {
        store::Error::file(self.path.clone(), error)
    }
}

/// Takes JSON. What was posted is kept as it came and may have line ends between its parts, which become spaces.
impl Write for Lines {
    fn write(&mut self, json: &[u8]) -> io::Result<usize> {
        let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let written = match json.iter().position(is_end) {
            Some(0) => self.file.write(b" ")?,
            Some(end) => self.file.write(&json[..end])?,
            None => self.file.write(json)?,
        };
        self.bytes.set(self.bytes.get() + written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
