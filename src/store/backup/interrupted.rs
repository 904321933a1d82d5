//! A backup or restore ends early, so that it removes what it has begun.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Error;

/// Set once, for the whole process: signals are about processes, too.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Makes whatever is being read or written end with [`super::Error::Interrupted`], so that it removes what it has begun.
pub fn interrupt() {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

pub(super) fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Fails once a signal has come: whoever writes what must not stay half done asks this on the way.
///
/// # Errors
/// [`Error::Interrupted`].
pub fn check() -> Result<(), Error> {
    if is_interrupted() { Err(Error::Interrupted) } else { Ok(()) }
}
