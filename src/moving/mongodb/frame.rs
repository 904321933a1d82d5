//! BSON documents out of a stream of bytes, one in memory.

use std::io::{self, Read};

/// The largest document that MongoDB writes: 16 MiB, and 16 KiB for what it adds itself.
const LARGEST: usize = (16 << 20) + (16 << 10);
/// The length, a type and the end.
const SMALLEST: usize = 5;

/// Four bytes of an archive that end a row of documents.
const END: [u8; 4] = [0xff; 4];

/// What stands next in a stream.
pub(super) enum Next {
    /// A document, in the buffer.
    Document,
    /// The end of a row of documents.
    Terminator,
    /// The end of the stream.
    End,
    /// Something that is not a document: nothing behind it can be found.
    Damaged(String),
}

/// Reads the next document into `buffer`.
pub(super) fn next(source: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<Next> {
    let mut head = [0; 4];
    match fill(source, &mut head) {
        Ok(0) => return Ok(Next::End),
        Ok(4) => {}
        other => return short(other),
    }
    if head == END {
        return Ok(Next::Terminator);
    }
    let length = i32::from_le_bytes(head);
    let Some(length) = usize::try_from(length).ok().filter(|n| (SMALLEST..=LARGEST).contains(n))
    else {
        return Ok(Next::Damaged(format!("there is a document of {length} bytes")));
    };
    buffer.clear();
    buffer.extend_from_slice(&head);
    buffer.resize(length, 0);
    let rest = &mut buffer[4..];
    let wanted = rest.len();
    match fill(source, rest) {
        Ok(done) if done == wanted => {}
        other => return short(other),
    }
    if buffer.last() != Some(&0) {
        return Ok(Next::Damaged("there is a document that has no end".to_owned()));
    }
    Ok(Next::Document)
}

/// Reads until `buffer` is full or the stream ends, and says how much there was.
pub(super) fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match source.read(rest) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// What a read means that did not give what was wanted.
fn short(read: io::Result<usize>) -> io::Result<Next> {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    match read {
        Ok(_) => Ok(Next::Damaged("it is cut off".to_owned())),
        Err(error) if matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof) => {
            Ok(Next::Damaged("its compression is cut off or damaged".to_owned()))
        }
        Err(error) => Err(error),
    }
}
