//! Many logins at once.

use std::sync::Barrier;

use serde_json::json;

use super::memory::peak;
use crate::support::Program;
use crate::support::auth::{SECRET, Socket, basic, raw};

/// Logins at the same moment.
const LOGINS: usize = 64;

#[test]
fn many_logins_at_once_take_little_memory_and_hold_up_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::serve(dir.path());
    Socket::of(dir.path()).create("ci", &json!({ "client_secret": SECRET }));
    let before = peak(&program);
    let begin = Barrier::new(LOGINS + 1);
    std::thread::scope(|scope| {
        let logins: Vec<_> = (0..LOGINS)
            .map(|_| {
                scope.spawn(|| {
                    let authorization = basic("ci", SECRET);
                    let headers =
                        [("Content-Length", "0"), ("Authorization", authorization.as_str())];
                    begin.wait();
                    raw(&program.url, "POST /v1/oauth2/token", &headers, "").status
                })
            })
            .collect();
        begin.wait();
        assert_eq!(program.anonymous().get("/v1").status, 200);
        for login in logins {
            // A login that would wait too long is asked to try again.
            let status = login.join().unwrap();
            assert!(status == 200 || status == 503, "{status}");
        }
    });
    let grown = peak(&program) - before;
    println!("{LOGINS} logins at once: the peak grew by {grown} KiB");
    assert!(grown < 64 * 1024, "{grown} KiB");
}
