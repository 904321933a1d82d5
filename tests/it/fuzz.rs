//! What the fuzzer begins with, and small changes of it that are the same each time: each target holds what it promises.
//!
//! `tests/fuzz/run` goes on from here, led by what it reaches. `TESTFLINGER_CHANGES` says how many changes there are.

#[path = "../fuzz/src/targets/mod.rs"]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::support::disk::next;

/// How many changes plain `cargo test` tries for each target.
const PLAIN: u64 = 1000;
/// Changes of one seed at most.
const MOST: usize = 4;
/// What formats use.
const SPECIAL: &[u8] = b"\0\x01\x7f\x80\xff%\"{}[]:,-.\\ \r\n0e";

/// A changed seed; the number says which and how.
fn changed(seeds: &[Vec<u8>], mut number: u64) -> Vec<u8> {
    let mut random = |below: usize| {
        let below = u64::try_from(below.max(1)).unwrap();
        usize::try_from(next(&mut number) % below).unwrap()
    };
    let mut input = seeds[random(seeds.len())].clone();
    for _ in 0..=random(MOST) {
        let at = random(input.len());
        let end = at + random((input.len() - at).min(64) + 1);
        let piece = match random(6) {
            0 => Vec::new(),
            1 => input[at..end].repeat(2),
            2 => vec![SPECIAL[random(SPECIAL.len())]],
            3 => input[at..end].iter().map(|byte| byte ^ (1 << random(8))).collect(),
            4 => {
                let other = &seeds[random(seeds.len())];
                let from = random(other.len());
                other[from..].iter().take(random(64)).copied().collect()
            }
            _ => (0..random(8)).map(|_| u8::try_from(random(256)).unwrap()).collect(),
        };
        input.splice(at..end, piece);
    }
    input
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds").join(target);
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn holds(name: &str) {
    let (_, target) = targets::ALL.iter().find(|(of, _)| *of == name).unwrap();
    let count = std::env::var("TESTFLINGER_CHANGES").map_or(PLAIN, |text| text.parse().unwrap());
    let seeds = seeds(name);
    for input in seeds.iter().cloned().chain((0..count).map(|number| changed(&seeds, number))) {
        let ran = catch_unwind(AssertUnwindSafe(|| target(&input)));
        assert!(ran.is_ok(), "{name} fails with b\"{}\"", input.escape_ascii());
    }
}

macro_rules! each_holds {
    ($($name:ident),*) => {
        $(#[test]
        fn $name() {
            holds(stringify!($name));
        })*

        #[test]
        fn every_target_is_here() {
            let all: Vec<&str> = targets::ALL.iter().map(|(name, _)| *name).collect();
            assert_eq!(all, [$(stringify!($name)),*]);
        }
    };
}
each_holds!(backup, config, job, journal, result, rows, upload);
