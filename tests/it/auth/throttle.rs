//! A caller who guesses secrets has to wait; callers who share an id or a proxy with that caller do not.

use std::time::Duration;

use testflinger_server::config::Raw;

use crate::support::auth::SECRET;
use crate::support::{Answer, TestServer};

fn behind_a_proxy() -> TestServer {
    let proxies = Some("127.0.0.0/8, 10.9.0.0/16".parse().unwrap());
    let server = TestServer::with(Raw { trusted_proxies: proxies, ..Raw::default() });
    server.client("ci", "contributor");
    server
}

fn from(server: &TestServer, address: &str, id: &str, secret: &str) -> Answer {
    server.log_in_from(id, secret, &[("X-Forwarded-For", address)])
}

#[track_caller]
fn assert_must_wait(answer: &Answer) {
    assert_eq!(answer.status, 429, "{}", answer.text());
    assert_eq!(answer.message(), "Too many failed logins; try again later");
    let seconds: u64 = answer.header("Retry-After").unwrap().parse().unwrap();
    assert!((1..=300).contains(&seconds), "{seconds}");
}

#[test]
fn a_thousand_wrong_logins_lock_out_their_address_and_nobody_else() {
    let server = behind_a_proxy();
    let guess = |n: usize| from(&server, "192.0.2.1", "ci", &format!("guess {n}")).status;
    let seen: Vec<u16> = (0..1000).map(guess).collect();
    assert_eq!(seen[..10], [401; 10]);
    assert!(seen[10..].iter().all(|status| *status == 429), "{seen:?}");
    // The right secret does not help there, because that would reveal that it is right; the pair has to wait.
    assert_must_wait(&from(&server, "192.0.2.1", "ci", SECRET));
    // An id alone is never blocked: the client itself goes on elsewhere, and so does another client at the same
    // address.
    assert_eq!(from(&server, "192.0.2.2", "ci", SECRET).status, 200);
    server.local().create("other", &serde_json::json!({ "client_secret": SECRET }));
    assert_eq!(from(&server, "192.0.2.1", "other", SECRET).status, 200);
}

#[test]
fn trying_many_ids_uses_up_the_address_for_all_ids() {
    let server = behind_a_proxy();
    for n in 0..100 {
        let answer = from(&server, "192.0.2.1", &format!("nobody-{n}"), "guess");
        assert_eq!(answer.status, 401, "{n}");
    }
    assert_must_wait(&from(&server, "192.0.2.1", "ci", SECRET));
    assert_eq!(from(&server, "192.0.2.2", "ci", SECRET).status, 200);
}

#[test]
fn waiting_as_long_as_told_is_enough() {
    let server = behind_a_proxy();
    for _ in 0..10 {
        from(&server, "192.0.2.1", "ci", "guess");
    }
    let told = from(&server, "192.0.2.1", "ci", SECRET);
    assert_must_wait(&told);
    server.pass(Duration::from_secs(told.header("Retry-After").unwrap().parse().unwrap()));
    assert_eq!(from(&server, "192.0.2.1", "ci", SECRET).status, 200);
}

#[test]
fn a_peer_that_is_no_trusted_proxy_cannot_choose_its_address() {
    let server = TestServer::start();
    server.client("ci", "contributor");
    for n in 0..10 {
        assert_eq!(from(&server, &format!("192.0.2.{n}"), "ci", "guess").status, 401);
    }
    assert_must_wait(&from(&server, "192.0.2.77", "ci", SECRET));
}

#[test]
fn behind_a_proxy_only_what_the_proxy_itself_appended_counts() {
    let server = behind_a_proxy();
    for n in 0..10 {
        // The value that the guesser sends stands to the left of the one that the proxy appends.
        let said = format!("203.0.113.{n}, 192.0.2.1, 10.9.0.1");
        assert_eq!(from(&server, &said, "ci", "guess").status, 401);
    }
    assert_must_wait(&from(&server, "203.0.113.99, 192.0.2.1", "ci", SECRET));
    for odd in ["", "unknown", "192.0.2.9:1234", "::ffff:192.0.2.8", ",,,", "\u{e9}"] {
        assert_eq!(from(&server, odd, "ci", SECRET).status, 200, "{odd}");
    }
}

#[test]
fn guesses_made_at_the_same_moment_do_not_pass_the_brake() {
    let server = TestServer::start();
    server.client("keeper", "admin");
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let guess = || server.log_in("keeper", "a wrong secret of some length").status;
        let guesses: Vec<_> = (0..64).map(|_| scope.spawn(guess)).collect();
        guesses.into_iter().map(|guess| guess.join().unwrap()).collect()
    });
    let judged = statuses.iter().filter(|status| **status == 401).count();
    assert_eq!(judged, 10, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 401 | 429)), "{statuses:?}");
}
