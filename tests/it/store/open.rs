use std::path::Path;
use std::sync::Arc;

use redb::TableDefinition;
use testflinger_server::domain::{BlobKind, BlobName, JobId, SystemClock, Timestamp};
use testflinger_server::ops;
use testflinger_server::store::{BLOBS, BlobReads, DATABASE, Error, Options, Store};

use crate::support::by;

fn open(dir: &Path) -> Result<Store, Error> {
    let on_fatal = Box::new(|error: &Error| panic!("{error}"));
    Store::open(dir, Options { cache: 1 << 20, clock: Arc::new(SystemClock), on_fatal })
}

/// Writes the schema version of a closed database.
pub(crate) fn set_schema(dir: &Path, version: u64) {
    let meta = TableDefinition::<&[u8], &[u8]>::new("meta-1");
    let db = redb::Database::create(dir.join(DATABASE)).unwrap();
    let txn = db.begin_write().unwrap();
    let value = version.to_be_bytes();
    txn.open_table(meta).unwrap().insert(&b"schema"[..], &value[..]).unwrap();
    txn.commit().unwrap();
}

#[test]
fn data_of_a_newer_program_is_refused_with_both_versions_named() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).unwrap().close().unwrap();
    set_schema(dir.path(), 77);
    let error = open(dir.path()).err().unwrap();
    assert!(matches!(error, Error::Newer { found: 77, known: 4 }), "{error}");
    let text = error.to_string();
    assert!(text.contains("version 77") && text.contains("up to 4"), "{text}");
}

#[test]
fn a_version_that_never_existed_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).unwrap().close().unwrap();
    set_schema(dir.path(), 0);
    assert!(matches!(open(dir.path()).err().unwrap(), Error::Damaged { .. }));
}

#[test]
fn a_missing_database_beside_blobs_is_not_replaced_by_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join(BLOBS).join("aa");
    std::fs::create_dir_all(&folder).unwrap();
    open(dir.path()).unwrap().close().unwrap();
    std::fs::remove_file(dir.path().join(DATABASE)).unwrap();
    std::fs::write(folder.join("anything"), "x").unwrap();
    let error = open(dir.path()).err().unwrap();
    assert!(matches!(error, Error::Missing(_)), "{error}");
    assert!(error.to_string().contains(DATABASE), "{error}");
    assert!(!dir.path().join(DATABASE).exists());
    assert!(folder.join("anything").exists());
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(DATABASE), "no database").unwrap();
    assert!(open(dir.path()).is_err());
    let kept = std::fs::read(dir.path().join(DATABASE)).unwrap();
    assert_eq!(kept, b"no database");
}

#[test]
fn a_directory_is_opened_by_one_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path()).unwrap();
    assert!(matches!(open(dir.path()).err().unwrap(), Error::Locked(_)));
    first.close().unwrap();
    open(dir.path()).unwrap();
}

#[test]
fn what_a_crash_left_among_the_blobs_is_removed_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let file = |name: BlobName| dir.path().join(BLOBS).join(name.to_string());
    let job = JobId::new();
    let mut upload = store.blobs().upload().unwrap();
    upload.write(b"named").unwrap();
    let blob = upload.finish(Timestamp::default()).unwrap();
    upload.keep();
    let named = file(blob.name);
    store.write(move |tx, _| ops::put_artifact(tx, job, &blob, &by(None))).unwrap();
    let mut upload = store.blobs().upload().unwrap();
    upload.write(b"no row names it").unwrap();
    let unnamed = file(upload.finish(Timestamp::default()).unwrap().name);
    upload.keep();
    let partial = named.with_extension("partial");
    std::fs::write(&partial, "half").unwrap();
    store.close().unwrap();
    assert!(unnamed.exists());
    let store = open(dir.path()).unwrap();
    assert_eq!((named.exists(), unnamed.exists(), partial.exists()), (true, false, false));
    let found = store.read().unwrap().blob(job, BlobKind::Artifact).unwrap().unwrap();
    assert_eq!((found.size, file(found.name)), (5, named));
}
