//! The archive that a backup is: a tar file of plain entries, written and read front to back, with `SHA256SUMS` last.
//!
//! Whoever has only `tar` and `sha256sum` can open and check it. Reading is stricter than tar: every byte of the file is
//! decided by the content (headers are compared with the one that would be written, padding must be zero, nothing may
//! follow), so that no damage goes unseen and a hostile file has nothing to hide in.

use std::io::{self, Read, Write};

use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

use super::Error;
use super::interrupted::is_interrupted;

const BLOCK: usize = 512;
const BLOCK_SIZE: u64 = BLOCK as u64;
/// The last entry: the sums of all others, as `sha256sum` writes them.
pub(super) const SUMS: &str = "SHA256SUMS";
/// An entry that stands where the writer had to give up, with a sentence that says why.
const FAILED: &str = "FAILED";
/// The longest such sentence, bytes.
const SENTENCE: u64 = 4096;

/// Bytes that are read together.
const PIECE: usize = 128 * 1024;

/// The digest of an entry.
pub(super) type Sum = [u8; 32];

fn header(name: &str, size: u64) -> io::Result<Header> {
    let mut header = Header::new_gnu();
    header.set_path(name)?;
    header.set_entry_type(EntryType::Regular);
    header.set_size(size);
    header.set_mode(0o600);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    Ok(header)
}

const fn padding(size: u64) -> usize {
    // Less than a block, so it fits.
    (size.wrapping_neg() % BLOCK_SIZE) as usize
}

fn sum_line(sum: Sum, name: &str) -> String {
    use std::fmt::Write as _;
    let mut line = String::with_capacity(2 * sum.len() + 3 + name.len());
    for byte in sum {
        let _ = write!(line, "{byte:02x}");
    }
    line + "  " + name + "\n"
}

/// Writes an archive.
pub(super) struct Writer<W> {
    out: W,
    sums: String,
    /// Bytes that the entry under way still owes, padding included.
    owed: u64,
}

impl<W: Write> Writer<W> {
    pub(super) const fn new(out: W) -> Self {
        Self { out, sums: String::new(), owed: 0 }
    }

    /// Begins an entry of exactly `size` bytes.
    pub(super) fn entry(&mut self, name: &str, size: u64) -> io::Result<Entry<'_, W>> {
        self.out.write_all(header(name, size)?.as_bytes())?;
        self.owed = size + padding(size) as u64;
        Ok(Entry { archive: self, name: name.to_owned(), size, hash: Sha256::new() })
    }

    /// An entry whose bytes are at hand.
    pub(super) fn whole(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut entry = self.entry(name, bytes.len() as u64)?;
        entry.write_all(bytes)?;
        entry.finish().map(|_| ())
    }

    /// Ends the archive.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let sums = std::mem::take(&mut self.sums);
        self.whole(SUMS, sums.as_bytes())?;
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.flush()
    }

    /// Says why the archive ends too early, in the next entry: what was begun is filled up first.
    pub(super) fn fail(mut self, why: &str) -> io::Result<()> {
        io::copy(&mut io::repeat(0).take(self.owed), &mut self.out)?;
        let why = why.as_bytes();
        let why = &why[..why.len().min(usize::try_from(SENTENCE).unwrap_or(usize::MAX))];
        self.out.write_all(header(FAILED, why.len() as u64)?.as_bytes())?;
        self.out.write_all(why)?;
        self.out.flush()
    }
}

/// An entry under way.
pub(super) struct Entry<'a, W> {
    archive: &'a mut Writer<W>,
    name: String,
    size: u64,
    hash: Sha256,
}

impl<W: Write> Entry<'_, W> {
    /// Ends the entry and gives the sum of its bytes.
    pub(super) fn finish(self) -> io::Result<Sum> {
        let padding = padding(self.size);
        if self.archive.owed != padding as u64 {
            return Err(io::Error::other(format!("{} shrank while it was read", self.name)));
        }
        self.archive.out.write_all(&[0; BLOCK][..padding])?;
        self.archive.owed = 0;
        let sum = self.hash.finalize().into();
        self.archive.sums += &sum_line(sum, &self.name);
        Ok(sum)
    }
}

impl<W: Write> Write for Entry<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.archive.owed - padding(self.size) as u64;
        if left < bytes.len() as u64 {
            return Err(io::Error::other(format!("{} grew while it was read", self.name)));
        }
        self.archive.out.write_all(bytes)?;
        self.archive.owed -= bytes.len() as u64;
        self.hash.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.archive.out.flush()
    }
}

/// Reads an archive.
pub(super) struct Reader<R> {
    source: R,
    sums: String,
    current: Option<Current>,
    buffer: Vec<u8>,
}

struct Current {
    name: String,
    size: u64,
    left: u64,
    hash: Sha256,
}

impl<R: Read> Reader<R> {
    pub(super) const fn new(source: R) -> Self {
        Self { source, sums: String::new(), current: None, buffer: Vec::new() }
    }

    pub(super) const fn source(&self) -> &R {
        &self.source
    }

    /// The name and size of the next entry, `None` after the last, when everything was as it must be. The one before
    /// must have been closed.
    pub(super) fn next(&mut self) -> Result<Option<(String, u64)>, Error> {
        let mut block = [0; BLOCK];
        self.fill(&mut block)?;
        let found = Header::from_byte_slice(&block);
        let unreadable = |_| Error::bad("what should be the head of an entry is none");
        let size = found.entry_size().map_err(unreadable)?;
        let name = found.path_bytes();
        let name = std::str::from_utf8(&name).map_err(|_| Error::bad("a name is no text"))?;
        let canonical = header(name, size).is_ok_and(|header| header.as_bytes() == &block);
        if !canonical {
            return Err(Error::bad("what should be the head of an entry is damaged"));
        }
        match name {
            FAILED => Err(self.sentence(size)),
            SUMS => self.end(size).map(|()| None),
            name => {
                let (name, hash) = (name.to_owned(), Sha256::new());
                self.current = Some(Current { name: name.clone(), size, left: size, hash });
                Ok(Some((name, size)))
            }
        }
    }

    /// Fills `bytes` from the current entry.
    pub(super) fn exactly(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        let Some(current) = &mut self.current else {
            return Err(Error::bad("nothing is left to read"));
        };
        let Some(left) = current.left.checked_sub(bytes.len() as u64) else {
            return Err(Error::bad(format!("{} ends too early", current.name)));
        };
        self.source.read_exact(bytes).map_err(broken)?;
        current.hash.update(bytes);
        current.left = left;
        Ok(())
    }

    /// The next piece of the current entry; empty at its end.
    pub(super) fn piece(&mut self) -> Result<&[u8], Error> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(PIECE, 0);
        let size = usize::try_from(self.left()).map_or(PIECE, |left| left.min(PIECE));
        let read = self.exactly(&mut buffer[..size]);
        self.buffer = buffer;
        read.map(|()| &self.buffer[..size])
    }

    /// The rest of the current entry, which may not be longer than `most` bytes.
    pub(super) fn rest(&mut self, most: u64) -> Result<Vec<u8>, Error> {
        if self.left() > most {
            return Err(Error::bad(format!("an entry has {} bytes", self.left())));
        }
        let mut bytes = vec![0; usize::try_from(self.left()).unwrap_or_default()];
        self.exactly(&mut bytes)?;
        Ok(bytes)
    }

    /// Bytes of the current entry that were not read.
    pub(super) fn left(&self) -> u64 {
        self.current.as_ref().map_or(0, |current| current.left)
    }

    /// Ends the current entry and gives the sum of its bytes. Those that nobody wanted are read, too.
    pub(super) fn close(&mut self) -> Result<Sum, Error> {
        while !self.piece()?.is_empty() {}
        let Some(current) = self.current.take() else {
            return Err(Error::bad("nothing is left to close"));
        };
        self.zeros(padding(current.size))?;
        let sum = current.hash.finalize().into();
        self.sums += &sum_line(sum, &current.name);
        Ok(sum)
    }

    fn end(&mut self, size: u64) -> Result<(), Error> {
        let expected = std::mem::take(&mut self.sums);
        if size != expected.len() as u64 {
            return Err(Error::bad("its list of sums has another length"));
        }
        let mut sums = vec![0; expected.len()];
        self.fill(&mut sums)?;
        let wrong = expected.as_bytes().split(|b| *b == b'\n').zip(sums.split(|b| *b == b'\n'));
        if let Some((line, _)) = wrong.into_iter().find(|(expected, found)| expected != found) {
            let name = String::from_utf8_lossy(line.get(66..).unwrap_or_default()).into_owned();
            return Err(Error::bad(format!("{name} is not what was written: its sum is another")));
        }
        self.zeros(padding(size) + 2 * BLOCK)?;
        match self.source.read(&mut [0]).map_err(broken)? {
            0 => Ok(()),
            _ => Err(Error::bad("something follows its end")),
        }
    }

    fn sentence(&mut self, size: u64) -> Error {
        let mut text = Vec::new();
        match self.source.by_ref().take(size.min(SENTENCE)).read_to_end(&mut text) {
            Ok(_) => Error::Stopped(String::from_utf8_lossy(&text).replace(char::is_control, " ")),
            Err(error) => broken(error),
        }
    }

    fn zeros(&mut self, count: usize) -> Result<(), Error> {
        let mut bytes = vec![0; count];
        self.fill(&mut bytes)?;
        if bytes.iter().any(|byte| *byte != 0) {
            return Err(Error::bad("there is something where nothing should be"));
        }
        Ok(())
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.source.read_exact(bytes).map_err(broken)
    }
}

fn broken(error: io::Error) -> Error {
    match error.kind() {
        _ if is_interrupted() => Error::Interrupted,
        io::ErrorKind::UnexpectedEof => Error::bad("it is not complete: it ends too early"),
        _ => Error::Read(error),
    }
}
