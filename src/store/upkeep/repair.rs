//! What a check mends: index rows, which follow from others, and files that are gone or damaged.

use std::path::Path;

use super::fault::{fault, sentence};
use super::index;
use crate::store::blobs::Blobs;
use crate::store::engine::{Database, Error, Key, Rows, Table, WriteTx, meta};
use crate::store::nouns::blob;

/// Where files go that hold other bytes than were uploaded.
const DAMAGED: &str = "damaged";

/// Builds all index rows anew and forgets files that are not what they were; says what it did.
pub(super) fn repair(
    db: &Database,
    dir: &Path,
    blobs: &Blobs,
    hash: bool,
) -> Result<Vec<String>, Error> {
    let mut done = Vec::new();
    let txn = db.begin()?;
    let mut tx = txn.rows();
    for table in Table::ALL.iter().filter(|table| table.is_index()) {
        tx.clear(*table)?;
    }
    let mut lost = Vec::new();
    tx.inspect(Table::Blob, &mut |key, value| {
        if let (Some(owner), Ok(blob)) = (blob::parse_key(key), value.and_then(blob::stored)) {
            lost.extend(fault(blobs, &blob, hash, &mut |_| {}).map(|fault| (owner, blob, fault)));
        }
    })?;
    for ((job, kind), blob, fault) in &lost {
        if !fault.gone {
            blobs.put_away(blob.name, &dir.join(DAMAGED))?;
        }
        tx.remove_blob(*job, *kind)?;
        done.push(format!("{}; job {job} no longer has it", sentence(&fault.what)));
    }
    let mut rows = 0;
    for table in Table::ALL.iter().filter(|table| !table.is_index()) {
        rows += rebuild(&mut tx, *table)?;
    }
    done.push(format!("{rows} index rows were built anew"));
    raise_seq(&mut tx)?;
    drop(tx);
    txn.commit()?;
    Ok(done)
}

/// Writes the index rows that follow from a table, and says how many. Damaged rows are left as they are.
fn rebuild(tx: &mut WriteTx<'_>, table: Table) -> Result<u64, Error> {
    let mut keys = Vec::new();
    tx.inspect(table, &mut |key, value| {
        if value.is_ok_and(|value| {
            index::index_of(table, key, value).is_ok_and(|rows| !rows.is_empty())
        }) {
            keys.push(Key::new().raw(key));
        }
    })?;
    let mut count = 0;
    for key in keys {
        let value = tx.get(table, &key)?.unwrap_or_default();
        let follow = index::index_of(table, key.as_slice(), &value)?;
        count += follow.len() as u64;
        tx.replace_rows(&[], &follow)?;
    }
    Ok(count)
}

/// Sets the counter to the last number that is used, if it is behind.
fn raise_seq(tx: &mut WriteTx<'_>) -> Result<(), Error> {
    let mut last = meta::seq(tx)?;
    for table in Table::ALL {
        tx.inspect(*table, &mut |key, _| {
            last = last.max(index::seq_of(*table, key).unwrap_or_default());
        })?;
    }
    tx.set_seq(last)
}
