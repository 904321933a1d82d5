//! `/healthz` and `/readyz`: for service managers, load balancers and monitoring.

use testflinger_server::config::{Mode, Raw, Size};

use crate::support::{Connection, TestServer, ZERO, until};

const OK: fn() -> (u16, String) = || (200, "OK".to_owned());

#[test]
fn a_server_that_works_is_alive_and_ready() {
    let server = TestServer::start();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(server.anonymous().get(path).seen(), OK());
        assert_eq!(server.anonymous().send("HEAD", path, b"").status, 200);
        assert_eq!(server.anonymous().send("POST", path, b"").status, 405);
    }
}

#[test]
fn a_locked_server_says_to_strangers_whether_it_works_and_nothing_else() {
    let reserve = Some(Size(1 << 60));
    let server = TestServer::with(Raw {
        access: Some(Mode::Locked),
        disk_reserve: reserve,
        ..Raw::default()
    });
    for stranger in [server.anonymous(), server.bearer("nonsense")] {
        assert_eq!(stranger.get("/healthz").seen(), OK());
        let unready = stranger.get("/readyz");
        assert_eq!(unready.status, 503);
        assert_eq!(
            unready.message(),
            "Not ready: less space is free on the disk than disk_reserve"
        );
    }
}

#[test]
fn the_status_of_a_server_whose_database_was_removed_says_so() {
    let server = TestServer::start();
    std::fs::remove_file(server.data_dir().join("testflinger.redb")).unwrap();
    let status = server.local().send("GET", "/admin/status", None).value();
    assert!(status["warnings"].to_string().contains("The data directory was removed"));
}

#[test]
fn a_server_whose_data_directory_was_removed_says_so() {
    let server = TestServer::start();
    // A server that writes meanwhile may keep a directory from being removed.
    std::fs::rename(server.data_dir(), server.data_dir().with_extension("gone")).unwrap();
    let unready = server.anonymous().get("/readyz");
    assert_eq!(unready.status, 503);
    let why = "the data directory was removed: what it held is lost when the server stops";
    assert_eq!(unready.message(), format!("Not ready: {why}"));
    assert_eq!(server.anonymous().get("/healthz").seen(), OK());
    let metrics = server.anonymous().get("/metrics");
    assert!(metrics.text().contains("testflinger_troubles{trouble=\"data_gone\"} 1"));
    let page = server.anonymous().get("/");
    assert!(page.text().contains("The data directory was removed"));
}

#[test]
fn a_server_that_has_too_much_in_flight_is_alive_and_ready() {
    let server = TestServer::with(Raw { max_in_flight: Some(Size(16 << 20)), ..Raw::default() });
    let mut greedy = Connection::open(&server.url());
    let kind = "application/json";
    greedy.begin(&format!("POST /v1/result/{ZERO}"), kind, "Transfer-Encoding: chunked");
    for _ in 0..16 {
        greedy.chunk(&vec![b' '; 1 << 20]);
    }
    let caller = server.anonymous();
    until("large requests are refused", || {
        let large = serde_json::json!({ "job_queue": "q", "x": "x".repeat(2 << 20) });
        caller.post("/v1/job", &large).status == 503
    });
    assert_eq!(caller.get("/healthz").seen(), OK());
    assert_eq!(caller.get("/readyz").seen(), OK());
}
