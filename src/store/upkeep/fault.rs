//! What is wrong with the file of a blob, and how it is said.

use std::io::Read;

use sha2::{Digest, Sha256};

use crate::domain::Blob;
use crate::store::blobs::Blobs;
use crate::store::engine::Error;

/// Is told how many bytes of files were read.
pub type Progress<'a> = dyn FnMut(u64) + 'a;

/// What is wrong with a file.
pub(super) struct Fault {
    pub(super) what: Error,
    /// There is nothing left of it.
    pub(super) gone: bool,
}

/// What is wrong with the file of a blob; `hash` reads it whole.
pub(super) fn fault(
    blobs: &Blobs,
    blob: &Blob,
    hash: bool,
    progress: &mut Progress<'_>,
) -> Option<Fault> {
    match inspect(blobs, blob, hash, progress) {
        Ok(()) => None,
        Err(what) => Some(Fault { gone: !matches!(what, Error::Corrupt(_)), what }),
    }
}

fn inspect(
    blobs: &Blobs,
    blob: &Blob,
    hash: bool,
    progress: &mut Progress<'_>,
) -> Result<(), Error> {
    let (mut file, size) = blobs.open(blob.name)?;
    if size != blob.size {
        let why = format!("it has {size} bytes instead of {}", blob.size);
        return Err(blobs.damaged(blob.name, &why));
    }
    if !hash {
        return Ok(());
    }
    let (mut sum, mut piece) = (Sha256::new(), vec![0; 256 * 1024]);
    loop {
        let read = file.read(&mut piece).map_err(|error| blobs.unread(blob.name, error))?;
        if read == 0 {
            break;
        }
        sum.update(&piece[..read]);
        progress(read as u64);
    }
    if sum.finalize()[..] == blob.sha256 {
        Ok(())
    } else {
        Err(blobs.damaged(blob.name, "it holds other bytes than were uploaded"))
    }
}

/// What is wrong, without the words that every [`Error::Corrupt`] begins with.
pub(crate) fn sentence(error: &Error) -> String {
    match error {
        Error::Corrupt(why) => why.clone(),
        other => other.to_string(),
    }
}
