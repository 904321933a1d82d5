//! A bad disk: bits of the closed database flip. What is altered is never backed up as good, and never answered.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use testflinger_server::domain::{JobId, SystemClock, Timestamp};
use testflinger_server::ops;
use testflinger_server::store::backup::{self, What};
use testflinger_server::store::check::{self, check};
use testflinger_server::store::{DATABASE, Error, JobReads, Options, Store};

use super::Filled;
use crate::support::rows::tamper;
use crate::support::{Program, by, submission};

/// Flips that the check must have noticed before this is enough.
const NOTICED: usize = 100;
/// More than are ever needed.
const FLIPS: u64 = 2000;

fn open(dir: &Path) -> Result<Store, Error> {
    let on_fatal = Box::new(|_: &Error| ());
    Store::open(dir, Options { cache: 8 << 20, clock: Arc::new(SystemClock), on_fatal })
}

fn submit(store: &Store) -> JobId {
    let body = json!({ "text": "y".repeat(300) }).to_string();
    let job = ops::Submission { body, ..submission("q") };
    store.write(move |tx, now| ops::submit(tx, now, &job, &by(None))).unwrap()
}

/// A backup that was verified, or nothing.
fn backed_up(store: &Store) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    store.backup(What { secrets: true }, Timestamp::default(), &mut bytes).unwrap();
    backup::verify(&bytes[..], &mut |_, _| {}).ok()?;
    Some(bytes)
}

/// The records and bodies that can be read.
fn read(store: &Store, jobs: &[JobId]) -> Vec<Option<String>> {
    let tx = store.read().unwrap();
    let job = |id: JobId| Some(format!("{:?}", tx.job(id).ok()??));
    let body = |id: JobId| tx.job_body(id).ok()?;
    let quiet = |read: &dyn Fn() -> Option<String>| catch_unwind(AssertUnwindSafe(read)).ok()?;
    jobs.iter().flat_map(|id| [quiet(&|| job(*id)), quiet(&|| body(*id))]).collect()
}

/// Numbers that look random and are the same in each run (`SplitMix64`).
fn random(seed: u64) -> usize {
    let mut z = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((z ^ (z >> 31)) >> 1).unwrap()
}

#[test]
fn a_flipped_bit_is_never_backed_up_as_good_nor_read_as_data() {
    let filled = Filled::new();
    let data = filled.data();
    let store = open(&data).unwrap();
    // Enough that tables have more pages than one.
    let jobs: Vec<JobId> = (0..150).map(|_| submit(&store)).collect();
    let (good, whole) = (backed_up(&store).unwrap(), read(&store, &jobs));
    store.close().unwrap();
    drop(store);

    let path = data.join(DATABASE);
    let bytes = fs::read(&path).unwrap();
    let (mut noticed, mut refused, mut flips) = (0, 0, 0);
    for seed in 0..FLIPS {
        flips += 1;
        let at = random(seed) % (bytes.len() * 8);
        let mut flipped = bytes.clone();
        flipped[at / 8] ^= 1 << (at % 8);
        fs::write(&path, &flipped).unwrap();
        let options = check::Options { repair: false, hash: false };
        let checked = catch_unwind(AssertUnwindSafe(|| check(&data, options, &mut |_| {})));
        let sound = matches!(checked, Ok(Ok(report)) if report.problems.is_empty() && report.repaired.is_empty());
        noticed += usize::from(!sound);

        fs::write(&path, &flipped).unwrap();
        let Ok(Ok(store)) = catch_unwind(AssertUnwindSafe(|| open(&data))) else {
            refused += 1;
            continue;
        };
        let read = read(&store, &jobs);
        for (whole, read) in whole.iter().zip(read) {
            // A row that a damaged page hides cannot be told from one that never was.
            assert!(read.is_none() || read == *whole, "bit {at}: {read:?} instead of {whole:?}");
        }
        match backed_up(&store) {
            None => refused += 1,
            Some(backup) => assert!(backup == good, "bit {at}: another backup passed for good"),
        }
        // What is damaged may be so when it is closed, too.
        let _ = catch_unwind(AssertUnwindSafe(|| store.close()));
        if noticed == NOTICED {
            break;
        }
    }
    println!("{flips} flips: the check noticed {noticed}, start or backup refused {refused}");
    assert_eq!(noticed, NOTICED, "too few flips hit anything");
}

#[test]
fn of_damaged_pages_salvage_saves_only_what_was_there() {
    const DAMAGED: usize = 10;
    const PAGE: usize = 4096;
    const HEAD: usize = 4;
    let filled = Filled::new();
    let data = filled.data();
    let store = open(&data).unwrap();
    let jobs: Vec<JobId> = (0..150).map(|_| submit(&store)).collect();
    let whole = read(&store, &jobs);
    store.close().unwrap();
    drop(store);
    let path = data.join(DATABASE);
    let bytes = fs::read(&path).unwrap();
    let (mut tried, mut saved) = (0, 0);
    // Pages with bodies of jobs. Some are left over from earlier writes.
    let filled_pages = bytes
        .chunks(PAGE)
        .enumerate()
        .filter(|(_, page)| page.windows(300).any(|text| text.iter().all(|byte| *byte == b'y')));
    for (page, _) in filled_pages {
        let mut damaged = bytes.clone();
        // A build for tests looks at the heads of all pages when it opens a database.
        for (n, byte) in damaged[page * PAGE..][HEAD..PAGE].iter_mut().enumerate() {
            *byte ^= random((page * PAGE + n) as u64).to_le_bytes()[0];
        }
        fs::write(&path, &damaged).unwrap();
        let new = filled.path(&format!("new-{page}"));
        let now = Timestamp::default();
        match catch_unwind(AssertUnwindSafe(|| {
            backup::salvage(&data, new.clone(), now, &mut |_| {})
        })) {
            Ok(Ok(saved)) if !saved.lost.is_empty() => {}
            // Nothing is on that page, or the database cannot be opened without it.
            _ => {
                let _ = fs::remove_dir_all(&new);
                continue;
            }
        }
        tried += 1;
        let options = check::Options { repair: false, hash: true };
        let report = check(&new, options, &mut |_| {}).unwrap();
        assert!(report.problems.is_empty(), "page {page}: {:?}", report.problems);
        let store = open(&new).unwrap();
        for (whole, read) in whole.iter().zip(read(&store, &jobs)) {
            assert!(read.is_none() || read == *whole, "page {page}: {read:?}");
            saved += usize::from(read.is_some());
        }
        store.close().unwrap();
        if tried == DAMAGED {
            break;
        }
    }
    let all = DAMAGED * whole.len();
    println!("{tried} damaged databases: {saved} of {all} records and bodies were saved");
    assert!(tried == DAMAGED && (all * 3 / 4..all).contains(&saved));
}

#[test]
fn a_damaged_row_is_answered_with_500_and_logged_with_its_table() {
    let filled = Filled::new();
    let data = filled.data();
    let id: uuid::Uuid = filled.jobs[0].parse().unwrap();
    tamper(&data, "job-body-1", |rows, _, _| rows.flip(id.as_bytes()));
    let program = Program::serve(&data);
    let anyone = program.anonymous();
    let answer = anyone.get(&format!("/v1/job/{}", filled.jobs[0]));
    assert_eq!(answer.status, 500);
    assert_eq!(anyone.get(&format!("/v1/job/{}", filled.jobs[1])).status, 200);
    let log = program.stop();
    let line = log.iter().find(|line| line.contains("data_damaged")).unwrap();
    assert!(line.contains("ERROR") && line.contains("job-body-1"), "{line}");
}
