//! Data of other servers moves in, and data moves out.
//!
//! A data directory is built aside, from nothing or from a copy of what is there, and put in its place in one step. What is read
//! becomes *steps*, each of which writes one thing with the calls that everything else uses ([`load`]). Nothing is left out
//! silently: a [`Report`] counts what was taken and names what was not.

mod load;
pub mod mongodb;
pub mod plain;
mod report;

use std::path::PathBuf;

pub use report::{Counts, Line, Outcome, Report};

use crate::store;

/// Why nothing was moved.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data directory cannot be built or put in its place.
    #[error(transparent)]
    Build(#[from] store::backup::Error),
    /// A file of the source cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line of an export is wrong.
    #[error("{path}:{line}: {why}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Its number, from 1.
        line: u64,
        /// What is wrong.
        why: String,
    },
    /// There is no key to seal secrets with.
    #[error("the key that seals secrets: {0}")]
    Key(String),
    /// The source is something else.
    #[error("{path}: {why}")]
    Not {
        /// The source.
        path: PathBuf,
        /// What it lacks.
        why: String,
    },
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Build(error.into())
    }
}
