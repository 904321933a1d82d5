use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::*;

fn tiny() -> Params {
    Params::new(8, 1, 1, None).unwrap()
}

fn passwords() -> Passwords {
    Passwords::with_params(tiny(), 2).unwrap()
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

/// A bcrypt hash as the Python servers stored it, at the lowest cost.
fn bcrypt_hash(text: &str, version: bcrypt::Version) -> String {
    bcrypt::hash_with_result(text, 4).unwrap().format_for_version(version)
}

#[test]
fn only_the_right_secret_matches() {
    let passwords = passwords();
    let stored = passwords.hash(&secret("s3cret")).unwrap();
    assert!(stored.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{stored}");
    assert_ne!(stored, passwords.hash(&secret("s3cret")).unwrap(), "salt must be fresh");
    let verify = |text| passwords.verify(Some(&stored), &secret(text)).unwrap();
    assert_eq!(verify("s3cret"), Verdict::Match);
    for wrong in ["", "s3cre", "s3cret ", "s3cret\0", "S3cret", "\0", "\u{1f511}"] {
        assert_eq!(verify(wrong), Verdict::Mismatch, "{wrong:?}");
    }
}

#[test]
fn default_parameters_are_the_documented_ones() {
    let passwords = Passwords::new(1).unwrap();
    let stored = passwords.hash(&secret("x")).unwrap();
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
    assert_eq!(passwords.verify(Some(&stored), &secret("x")).unwrap(), Verdict::Match);
}

#[test]
fn a_hash_of_another_implementation_is_read() {
    // From the reference implementation's test suite (phc-winner-argon2, test.c).
    let stored =
        "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc";
    let verify = |text| passwords().verify(Some(stored), &secret(text)).unwrap();
    assert_eq!(verify("password"), Verdict::Match);
    assert_eq!(verify("passwort"), Verdict::Mismatch);
}

#[test]
fn empty_secret_is_never_hashed_and_never_matches() {
    let passwords = passwords();
    assert!(matches!(passwords.hash(&secret("")), Err(Error::Empty)));
    let stored = bcrypt_hash("", bcrypt::Version::TwoB);
    for stored in [Some(stored.as_str()), Some("junk"), None] {
        assert_eq!(passwords.verify(stored, &secret("")).unwrap(), Verdict::Mismatch);
    }
}

#[test]
fn secrets_with_nul_bytes_work() {
    let passwords = passwords();
    let stored = passwords.hash(&secret("a\0b")).unwrap();
    let bcrypt = bcrypt_hash("a\0b", bcrypt::Version::TwoB);
    assert_eq!(passwords.verify(Some(&stored), &secret("a\0b")).unwrap(), Verdict::Match);
    assert_eq!(passwords.verify(Some(&stored), &secret("a")).unwrap(), Verdict::Mismatch);
    let verdict = passwords.verify(Some(&bcrypt), &secret("a\0b")).unwrap();
    assert_eq!(verdict, Verdict::MatchNeedsRehash);
    assert_eq!(passwords.verify(Some(&bcrypt), &secret("a\0c")).unwrap(), Verdict::Mismatch);
}

#[test]
fn bcrypt_matches_and_asks_for_a_rehash() {
    use bcrypt::Version::{TwoA, TwoB, TwoY};
    let passwords = passwords();
    for (version, prefix) in [(TwoA, "$2a$04$"), (TwoB, "$2b$04$"), (TwoY, "$2y$04$")] {
        let stored = bcrypt_hash("s3cret", version);
        assert!(stored.starts_with(prefix), "{stored}");
        let verify = |text| passwords.verify(Some(&stored), &secret(text)).unwrap();
        assert_eq!(verify("s3cret"), Verdict::MatchNeedsRehash);
        assert_eq!(verify("secret"), Verdict::Mismatch);
    }
}

#[test]
fn bcrypt_ignores_what_follows_72_bytes_as_python_did() {
    let head = "x".repeat(72);
    let stored = bcrypt_hash(&format!("{head}one"), bcrypt::Version::TwoB);
    let verify = |text: &str| passwords().verify(Some(&stored), &secret(text)).unwrap();
    assert_eq!(verify(&format!("{head}two")), Verdict::MatchNeedsRehash);
    assert_eq!(verify(&head), Verdict::MatchNeedsRehash);
    assert_eq!(verify(&head[1..]), Verdict::Mismatch);
}

#[test]
fn the_effort_of_a_login_is_told_by_the_cost_of_the_hash() {
    let effort = |cost: &str| Effort::of(&format!("$2b${cost}${}", "a".repeat(53)));
    assert_eq!([effort("04"), effort("16"), effort("03"), effort("32")], [Effort::Quick; 4]);
    assert_eq!([effort("17"), effort("24")], [Effort::Slow; 2]);
    assert_eq!([effort("25"), effort("31")], [Effort::Hopeless; 2]);
    let argon2 = passwords().hash(&secret("s3cret")).unwrap();
    assert_eq!(Effort::of(&argon2), Effort::Quick);
    for stored in ["", "$2b$31$short", "$2x$31$", "$2b$-1$"] {
        assert_eq!(Effort::of(stored), Effort::Quick, "{stored}");
        assert!(bcrypt_cost(stored).is_err());
    }
}

#[test]
fn weaker_argon2_asks_for_a_rehash_and_stronger_does_not() {
    let stored = passwords().hash(&secret("x")).unwrap();
    let rehash = |m, t| {
        let params = Params::new(m, t, 1, None).unwrap();
        let stronger = Passwords::with_params(params, 1).unwrap();
        stronger.verify(Some(&stored), &secret("x")).unwrap()
    };
    assert_eq!(rehash(8, 1), Verdict::Match);
    assert_eq!(rehash(8, 2), Verdict::MatchNeedsRehash);
    assert_eq!(rehash(16, 1), Verdict::MatchNeedsRehash);
    let costly = Passwords::with_params(Params::new(64, 3, 1, None).unwrap(), 1).unwrap();
    let stored = costly.hash(&secret("x")).unwrap();
    // Needs more memory than this pool's buffers have.
    assert_eq!(passwords().verify(Some(&stored), &secret("x")).unwrap(), Verdict::Match);
    assert_eq!(passwords().verify(Some(&stored), &secret("y")).unwrap(), Verdict::Mismatch);
}

#[test]
fn garbage_in_the_store_is_reported_and_never_panics() {
    let passwords = passwords();
    let good = passwords.hash(&secret("x")).unwrap();
    let bcrypt = bcrypt_hash("x", bcrypt::Version::TwoB);
    let salt_and_hash = "c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc";
    let argon2 = |head: &str| format!("{head}${salt_and_hash}");
    let long = "$".repeat(10_000);
    for stored in [
        "",
        "$",
        "x",
        "plaintext",
        "$2b$",
        "$2b$04$",
        "$argon2id$",
        "$argon2id$v=19$m=8,t=1,p=1",
        "\0",
        "$2b$04$\u{e9}\u{e9}\u{e9}",
        &long,
        &good[..good.len() - 40],
        &bcrypt[..59],
        &bcrypt.replace("$2b$", "$2x$"),
        &bcrypt.replace("$04$", "$03$"),
        &bcrypt.replace("$04$", "$99$"),
        &argon2("$argon2i$v=19$m=256,t=2,p=2"),
        &argon2("$argon2id$v=99$m=256,t=2,p=2"),
        &argon2("$argon2id$v=19$m=256,t=0,p=1"),
        &argon2("$argon2id$v=19$m=256,t=1,p=0"),
        &argon2("$argon2id$v=19$m=4294967295,t=1,p=1"),
        &argon2("$argon2id$v=19$m=256,t=4294967295,p=1"),
        &argon2("$argon2id$v=19$m=262145,t=1,p=1"),
        &argon2("$argon2id$v=19$m=256,t=1,p=16777215"),
        &argon2("$argon2id$v=19$m=-1,t=1,p=1"),
        &argon2("$argon2id$v=19$m=99999999999,t=1,p=1"),
    ] {
        let result = passwords.verify(Some(stored), &secret("x"));
        assert!(matches!(result, Err(Error::Corrupt(_))), "{stored:.80} -> {result:?}");
    }
    assert_eq!(passwords.pool.lock().free.len(), 2);
}

#[test]
fn excessive_own_parameters_are_refused() {
    let params = Params::new(MAX_MEMORY_KIB + 1, 1, 1, None).unwrap();
    assert!(matches!(Passwords::with_params(params, 1), Err(Error::Excessive)));
    assert_eq!(Passwords::with_params(tiny(), 0).unwrap().pool.lock().free.len(), 1);
}

#[test]
fn unknown_clients_and_garbage_cost_as_much_as_a_real_check() {
    let passwords = Passwords::with_params(Params::new(8 * 1024, 2, 1, None).unwrap(), 1).unwrap();
    let stored = passwords.hash(&secret("x")).unwrap();
    // What the thread has computed, not what the clock says: other threads may have the machine meanwhile.
    let computed = || {
        let spent = clock_gettime(ClockId::ThreadCPUTime);
        Duration::from_nanos(u64::try_from(spent.tv_sec * 1_000_000_000 + spent.tv_nsec).unwrap())
    };
    let cost = |stored: Option<&str>| {
        let before = computed();
        for _ in 0..5 {
            let _ = passwords.verify(stored, &secret("y"));
        }
        computed().saturating_sub(before)
    };
    let real = cost(Some(&stored));
    assert!(cost(None) > real / 2);
    assert!(cost(Some("junk")) > real / 2);
}

#[test]
fn never_more_than_the_permitted_buffers_are_out() {
    let passwords = passwords();
    let stored = passwords.hash(&secret("x")).unwrap();
    let (out, peak, matched) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                let verdict = passwords.verify(Some(&stored), &secret("x")).unwrap();
                matched.fetch_add(usize::from(verdict == Verdict::Match), SeqCst);
                let permit = passwords.pool.acquire().unwrap();
                peak.fetch_max(out.fetch_add(1, SeqCst) + 1, SeqCst);
                thread::sleep(Duration::from_millis(1));
                out.fetch_sub(1, SeqCst);
                drop(permit);
            });
        }
    });
    assert_eq!(matched.into_inner(), 64);
    assert_eq!(peak.into_inner(), 2);
    let state = passwords.pool.lock();
    assert_eq!((state.free.len(), state.waiting), (2, 0));
}

#[test]
fn the_sixty_fifth_waiting_caller_is_told_busy_and_the_others_are_served() {
    let passwords = passwords();
    thread::scope(|scope| {
        // Inside the scope, so that a failing assertion lets the threads go.
        let held = (passwords.pool.acquire().unwrap(), passwords.pool.acquire().unwrap());
        let waiting: Vec<_> = (0..MAX_WAITING)
            .map(|_| scope.spawn(|| passwords.verify(None, &secret("x"))))
            .collect();
        while passwords.pool.lock().waiting < MAX_WAITING {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(matches!(passwords.verify(None, &secret("x")), Err(Error::Busy)));
        assert!(matches!(passwords.hash(&secret("x")), Err(Error::Busy)));
        drop(held);
        for caller in waiting {
            assert_eq!(caller.join().unwrap().unwrap(), Verdict::Mismatch);
        }
    });
}

#[test]
fn a_panic_gives_the_permit_back_wiped() {
    let passwords = Passwords::with_params(tiny(), 1).unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut permit = passwords.pool.acquire().unwrap();
        permit.blocks[0].as_mut()[0] = 7;
        panic!("while hashing");
    }));
    assert!(panicked.is_err());
    assert_eq!(passwords.verify(None, &secret("x")).unwrap(), Verdict::Mismatch);
    let state = passwords.pool.lock();
    let blocks = state.free[0].as_ref().unwrap();
    assert_eq!(blocks.len(), 8);
    assert!(blocks.iter().all(|block| block.as_ref().iter().all(|word| *word == 0)));
}
