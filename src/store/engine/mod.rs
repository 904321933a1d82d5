//! Rows and how they are kept: the only folder that names redb and bincode.

mod backend;
pub(crate) mod codec;
pub(crate) mod database;
mod desk;
pub(crate) mod disk;
mod error;
mod journal;
pub(crate) mod key;
pub(crate) mod meta;
pub(crate) mod observer;
pub(crate) mod operation;
mod parked;
mod read;
mod rows;
mod seal;
mod tables;
mod write;
pub(crate) mod writer;

pub(crate) use backend::{Direction, StorageBackend};
pub(crate) use database::Database;
pub use desk::Where;
pub use error::Error;
pub(crate) use journal::{FILE as JOURNAL_FILE, ROW as JOURNAL, Replay};
pub(crate) use key::{Key, Tail, leading_name, name_in};
pub use read::ReadTx;
pub(crate) use rows::{ALL, IndexRow, Rows};
pub(crate) use tables::Table;
pub use write::WriteTx;

/// The database's file in the data directory.
pub const DATABASE: &str = "testflinger.redb";
/// The folder of blobs in the data directory.
pub const BLOBS: &str = "blobs";
/// The folder of keys in the data directory.
pub const KEYS: &str = "keys";
