//! `mongodump --archive`: all collections in one file.
//!
//! After a magic number comes a head: a document about the dump, one for each collection, and a terminator. Then come
//! segments, in which the collections take turns: a document that names the collection, its next documents, a terminator. The last
//! segment of a collection has no documents and says that it was the last, with the sum of all.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use bson::RawDocument;

use super::super::Error;
use super::crc::Crc;
use super::fields::Fields;
use super::frame::{self, Next};
use super::source::{Found, Namespace, Visit};

const MAGIC: [u8; 4] = 0x8199_e26d_u32.to_le_bytes();

/// What was read of a collection.
#[derive(Default)]
struct State {
    crc: Crc,
    count: u64,
    whole: bool,
}

/// Reads the head: the collections that follow.
pub(super) fn head(source: &mut impl Read, path: &Path) -> Result<Vec<Namespace>, Error> {
    let not = |why: &str| Error::Not { path: path.to_owned(), why: why.to_owned() };
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let mut magic = [0; 4];
    if frame::fill(source, &mut magic).unwrap_or(0) < 4 || magic != MAGIC {
        return Err(not("it is neither a directory nor an archive that mongodump wrote"));
    }
    let (mut buffer, mut named, mut first) = (Vec::new(), Vec::new(), true);
    loop {
        match frame::next(source, &mut buffer).map_err(failed)? {
            // About the dump itself.
            Next::Document if first => first = false,
            Next::Document => named.extend(namespace(&buffer).map(|(namespace, _)| namespace)),
            Next::Terminator => return Ok(named),
            Next::End | Next::Damaged(_) => return Err(not("the archive is cut off in its head")),
        }
    }
}

/// Reads the segments.
pub(super) fn read(
    source: &mut impl Read,
    (path, named): (&Path, &[Namespace]),
    wanted: &dyn Fn(&Namespace) -> bool,
    visit: &mut Visit<'_>,
) -> Result<(), Error> {
    head(source, path)?;
    let mut states: BTreeMap<Namespace, State> = named
        .iter()
        .filter(|name| wanted(name))
        .map(|name| (name.clone(), State::default()))
        .collect();
    let mut buffer = Vec::new();
    let mut next = |buffer: &mut Vec<u8>| {
        let next = frame::next(source, buffer);
        next.map_err(|source| Error::Read { path: path.to_owned(), source })
    };
    let why = loop {
        let header = match next(&mut buffer)? {
            Next::Document => namespace(&buffer),
            Next::End => break "the archive ends before its end".to_owned(),
            Next::Terminator => break "a segment has no head".to_owned(),
            Next::Damaged(why) => break why,
        };
        let Some((namespace, end)) = header else {
            break "the head of a segment names no collection".to_owned();
        };
        // A collection that the head of the archive does not name may come all the same.
        let state = wanted(&namespace).then(|| states.entry(namespace.clone()).or_default());
        let broken = segment(&mut next, &mut buffer, (&namespace, end), state, visit)?;
        if let Some(why) = broken {
            break why;
        }
    };
    for (namespace, state) in states.iter().filter(|(_, state)| !state.whole) {
        let why = format!("the rest cannot be read: after {} documents, {why}", state.count);
        visit(namespace, Found::Broken(why))?;
    }
    Ok(())
}

/// Reads one segment, and says why nothing behind it can be read.
fn segment(
    next: &mut dyn FnMut(&mut Vec<u8>) -> Result<Next, Error>,
    buffer: &mut Vec<u8>,
    (namespace, end): (&Namespace, Option<u64>),
    mut state: Option<&mut State>,
    visit: &mut Visit<'_>,
) -> Result<Option<String>, Error> {
    loop {
        match next(buffer)? {
            Next::Terminator => break,
            Next::Damaged(why) => return Ok(Some(why)),
            Next::End => return Ok(Some("the archive ends before its end".to_owned())),
            Next::Document => {}
        }
        if let Some(state) = &mut state {
            state.crc.update(buffer);
            state.count += 1;
            visit(namespace, Found::Document(buffer))?;
        }
    }
    if let (Some(state), Some(sum)) = (state, end) {
        state.whole = true;
        // Zero where a collection was written without one.
        if sum != 0 && sum != state.crc.sum() {
            let why = "its documents have another sum than mongodump wrote: some are damaged";
            visit(namespace, Found::Broken(why.to_owned()))?;
        }
    }
    Ok(None)
}

/// The collection that a head names, and the sum of its documents once all have come.
fn namespace(bytes: &[u8]) -> Option<(Namespace, Option<u64>)> {
    let fields = Fields::read(RawDocument::from_bytes(bytes).ok()?).ok()?;
    let (db, collection) = (fields.text("db")?, fields.text("collection")?);
    let end = fields.flag("EOF").then(|| fields.int("CRC").unwrap_or(0).cast_unsigned());
    Some((Namespace { db, collection }, end))
}
