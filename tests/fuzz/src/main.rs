//! Hands what the fuzzer thinks of to the target that `FUZZ_TARGET` names. One program for all of them, because it takes minutes
//! to make one.
#![no_main]

mod targets;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
    let (_, target) = targets::ALL.iter().find(|(of, _)| *of == name).expect("an unknown target");
    *target
});

fuzz_target!(|input: &[u8]| TARGET(input));
