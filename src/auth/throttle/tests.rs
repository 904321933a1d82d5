use std::net::Ipv6Addr;

use super::*;

const ME: &str = "192.0.2.1";

fn addr(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_micros(1_800_000_000_000_000 + secs * MICROS_PER_SEC)
}

fn fail(throttle: &Throttle, times: usize, id: &str, from: &str, now: Timestamp) {
    for _ in 0..times {
        throttle.settle(&throttle.noted(id, addr(from), now), now, Outcome::Failed);
    }
}

/// Whether somebody may try, without counting anything.
fn check(throttle: &Throttle, id: &str, from: IpAddr, now: Timestamp) -> Result<(), Wait> {
    throttle.guess(id, from, now).map(Guess::was_not_judged)
}

impl Throttle {
    /// The keys of a guess that is judged whether it may be or not.
    fn noted(&self, id: &str, addr: IpAddr, now: Timestamp) -> [(Key, u32); 2] {
        let keys = self.keys(id, addr);
        let mut entries = self.lock();
        for (key, _) in &keys {
            if !entries.contains_key(key) {
                self.make_room(&mut entries, now);
            }
            entries.entry(*key).or_insert(Entry { paid: now.as_micros(), judged: 0 }).judged += 1;
        }
        keys
    }
}

fn entries(throttle: &Throttle) -> usize {
    throttle.lock().len()
}

#[test]
fn the_eleventh_failure_in_a_row_has_to_wait() {
    let throttle = Throttle::new(Limits::default());
    for _ in 0..10 {
        assert_eq!(check(&throttle, "x", addr(ME), at(0)), Ok(()));
        drop(throttle.guess("x", addr(ME), at(0)));
    }
    assert_eq!(check(&throttle, "x", addr(ME), at(0)), Err(Wait::Seconds(30)));
    assert_eq!(check(&throttle, "x", addr(ME), at(29)), Err(Wait::Seconds(1)));
    assert_eq!(check(&throttle, "x", addr(ME), at(30)), Ok(()));
}

#[test]
fn waiting_as_long_as_told_is_enough_and_a_moment_less_is_not() {
    let throttle = Throttle::new(Limits { per_client: 7, window_secs: 100, ..Limits::default() });
    fail(&throttle, 7, "x", ME, at(0));
    let Err(Wait::Seconds(secs)) = check(&throttle, "x", addr(ME), at(0)) else {
        panic!("it must wait");
    };
    assert_eq!(secs, 15);
    assert!(check(&throttle, "x", addr(ME), at(14)).is_err());
    assert!(check(&throttle, "x", addr(ME), at(15)).is_ok());
}

#[test]
fn everything_is_forgotten_after_a_window() {
    let throttle = Throttle::new(Limits::default());
    fail(&throttle, 500, "x", ME, at(0));
    fail(&throttle, 9, "x", ME, at(300));
    assert_eq!(check(&throttle, "x", addr(ME), at(300)), Ok(()));
}

#[test]
fn a_sustained_guesser_gets_one_try_per_half_minute() {
    let throttle = Throttle::new(Limits::default());
    let mut tries = 0;
    for second in 0..3600 {
        while check(&throttle, "x", addr(ME), at(second)).is_ok() {
            drop(throttle.guess("x", addr(ME), at(second)));
            tries += 1;
        }
    }
    assert_eq!(tries, 10 + 3599 / 30);
}

#[test]
fn failures_elsewhere_never_lock_a_client_out() {
    let throttle = Throttle::new(Limits::default());
    for host in 0..200 {
        fail(&throttle, 10, "admin", &format!("198.51.100.{host}"), at(0));
    }
    assert!(check(&throttle, "admin", addr("198.51.100.7"), at(0)).is_err());
    assert_eq!(check(&throttle, "admin", addr(ME), at(0)), Ok(()));
    assert_eq!(check(&throttle, "other", addr("198.51.100.7"), at(0)), Ok(()));
}

#[test]
fn trying_many_ids_uses_up_the_address() {
    let throttle = Throttle::new(Limits::default());
    for id in 0..100 {
        assert_eq!(check(&throttle, &id.to_string(), addr(ME), at(0)), Ok(()));
        fail(&throttle, 1, &id.to_string(), ME, at(0));
    }
    assert_eq!(check(&throttle, "fresh", addr(ME), at(0)), Err(Wait::Seconds(3)));
    assert_eq!(check(&throttle, "fresh", addr("192.0.2.2"), at(0)), Ok(()));
}

#[test]
fn success_clears_the_pair_but_not_the_address() {
    let throttle = Throttle::new(Limits { per_address: 12, ..Limits::default() });
    fail(&throttle, 10, "x", ME, at(0));
    throttle.settle(&throttle.noted("x", addr(ME), at(0)), at(0), Outcome::Succeeded);
    assert_eq!(check(&throttle, "x", addr(ME), at(0)), Ok(()));
    fail(&throttle, 2, "x", ME, at(0));
    assert!(check(&throttle, "x", addr(ME), at(0)).is_err(), "the address has had its 12");
    assert!(check(&throttle, "y", addr(ME), at(0)).is_err());
}

#[test]
fn ipv6_is_counted_by_64_and_mapped_ipv4_by_address() {
    let throttle = Throttle::new(Limits::default());
    for host in 0..10 {
        fail(&throttle, 1, "x", &format!("2001:db8:0:1::{host:x}"), at(0));
    }
    assert!(check(&throttle, "x", addr("2001:db8:0:1:ffff::1"), at(0)).is_err());
    assert!(check(&throttle, "x", addr("2001:db8:0:2::1"), at(0)).is_ok());
    fail(&throttle, 10, "x", "::ffff:192.0.2.1", at(0));
    assert!(check(&throttle, "x", addr(ME), at(0)).is_err());
    assert!(check(&throttle, "x", addr("::ffff:192.0.2.2"), at(0)).is_ok());
}

#[test]
fn memory_is_bounded_and_a_flood_does_not_free_the_guilty() {
    let throttle = Throttle::new(Limits { max_entries: 100, ..Limits::default() });
    fail(&throttle, 10, &"x".repeat(10_000), ME, at(0));
    for host in 0..2000_u32 {
        let from = Ipv6Addr::from_bits(u128::from(host) << 64).to_string();
        fail(&throttle, 1, &host.to_string(), &from, at(1));
        assert!(entries(&throttle) <= 100);
    }
    assert!(check(&throttle, &"x".repeat(10_000), addr(ME), at(1)).is_err());
    // What is paid off goes first.
    fail(&throttle, 1, "y", ME, at(1000));
    assert_eq!(entries(&throttle), 2);
}

#[test]
fn a_clock_set_back_locks_nobody_out() {
    let throttle = Throttle::new(Limits::default());
    fail(&throttle, 10, "x", ME, at(1_000_000));
    assert_eq!(check(&throttle, "x", addr(ME), at(0)), Ok(()));
    fail(&throttle, 10, "x", ME, at(0));
    assert_eq!(check(&throttle, "x", addr(ME), at(0)), Err(Wait::Seconds(30)));
    for extreme in [i64::MIN, i64::MAX].map(Timestamp::from_micros) {
        fail(&throttle, 20, "y", ME, extreme);
        let _ = check(&throttle, "y", addr(ME), extreme);
        let _ = check(&throttle, "y", addr(ME), at(0));
    }
}

#[test]
fn guesses_made_at_the_same_moment_do_not_pass_the_limit() {
    let throttle = Throttle::new(Limits::default());
    let judged: Vec<_> = (0..64).map_while(|_| throttle.guess("x", addr(ME), at(0)).ok()).collect();
    assert_eq!(judged.len(), 10);
    assert_eq!(throttle.guess("x", addr(ME), at(0)).err(), Some(Wait::OthersAreJudged));
    assert_eq!(check(&throttle, "y", addr(ME), at(0)), Ok(()));
    drop(judged);
    assert_eq!(check(&throttle, "x", addr(ME), at(0)), Err(Wait::Seconds(30)));
}

#[test]
fn many_who_know_the_secret_all_get_in() {
    let throttle = Throttle::new(Limits::default());
    for _ in 0..30 {
        let judged: Vec<_> =
            (0..10).map(|_| throttle.guess("x", addr(ME), at(0)).unwrap()).collect();
        judged.into_iter().for_each(Guess::succeeded);
    }
    assert_eq!(entries(&throttle), 0);
}

#[test]
fn odd_limits_do_not_panic() {
    let odd =
        |n, window_secs| Limits { per_client: n, per_address: n, window_secs, max_entries: 0 };
    let strict = Throttle::new(Limits { max_entries: 10, ..odd(0, 60) });
    fail(&strict, 1, "x", ME, at(0));
    assert_eq!(check(&strict, "x", addr(ME), at(0)), Err(Wait::Seconds(60)));
    for limits in
        [odd(0, 0), odd(u32::MAX, u32::MAX), odd(u32::MAX, 1), odd(1, 0), odd(1, u32::MAX)]
    {
        let throttle = Throttle::new(limits);
        fail(&throttle, 5, "", ME, at(0));
        let _ = check(&throttle, "", addr(ME), at(0));
        assert!(entries(&throttle) <= 2);
    }
}
