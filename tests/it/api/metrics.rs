//! `/metrics`

use std::time::Duration;

use serde_json::json;
use testflinger_server::config::{Count, Mode, Port, Raw, Size, Span};

use crate::support::{Caller, Part, TestServer, ZERO, until};

/// The value of a series, given with its labels.
#[track_caller]
fn value(caller: &Caller, series: &str) -> Option<f64> {
    let answer = caller.get("/metrics");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let line = answer.text().lines().find_map(|line| line.strip_prefix(&format!("{series} ")));
    line.map(|value| value.parse().unwrap())
}

#[track_caller]
fn expect(caller: &Caller, expected: &[(&str, u32)]) {
    for (series, number) in expected {
        assert_eq!(value(caller, series), Some((*number).into()), "{series}");
    }
}

#[test]
fn it_is_text_that_prometheus_reads() {
    let server = TestServer::start();
    let answer = server.anonymous().get("/metrics");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text();
    assert!(text.contains("# TYPE testflinger_agents gauge\n"), "{text}");
    assert!(text.contains("testflinger_build_info{version="), "{text}");
    let started = value(&server.anonymous(), "testflinger_start_time_seconds");
    assert_eq!(started, Some(1_795_435_200.0));
}

#[test]
fn jobs_and_reservations_are_counted_by_queue() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let id = anyone.submit(&json!({ "job_queue": "a" }));
    anyone.submit(&json!({ "job_queue": "a", "job_id": id }));
    anyone.submit(&json!({ "job_queue": "b", "reserve_data": { "ssh_keys": [] } }));
    assert_eq!(anyone.post("/v1/job", &json!({})).status, 422);
    expect(
        &anyone,
        &[
            ("testflinger_jobs_total{queue=\"a\"}", 2),
            ("testflinger_jobs_total{queue=\"b\"}", 1),
            ("testflinger_reservations_total{queue=\"b\"}", 1),
        ],
    );
    assert_eq!(value(&anyone, "testflinger_reservations_total{queue=\"a\"}"), None);
}

#[test]
fn jobs_that_have_not_ended_are_counted_by_where_they_stand() {
    let mut server = TestServer::start();
    let (anyone, agent) = (server.anonymous(), server.agent("rack"));
    let jobs: Vec<_> = (0..3).map(|_| anyone.submit(&json!({ "job_queue": "a" }))).collect();
    anyone.submit(&json!({
        "job_queue": "a", "test_data": { "attachments": [{ "agent": "x" }] },
    }));
    let standing = |place: &str| format!("testflinger_unfinished_jobs{{standing=\"{place}\"}}");
    let ended = |why: &str| format!("testflinger_ended_jobs_total{{reason=\"{why}\"}}");
    assert_eq!(agent.claim("a").as_ref(), Some(&jobs[0]));
    let check = |server: &TestServer, numbers: [u32; 4]| {
        let places = ["waiting", "awaiting_attachments", "running", "suspect"].map(standing);
        for (place, number) in places.iter().zip(numbers) {
            expect(&server.anonymous(), &[(place, number)]);
        }
    };
    check(&server, [2, 1, 1, 0]);
    expect(&anyone, &[("testflinger_waiting_jobs{queue=\"a\"}", 2)]);
    // Counts are made anew at a start.
    server.restart();
    check(&server, [2, 1, 1, 0]);
    let (anyone, agent) = (server.anonymous(), server.agent("rack"));
    expect(&anyone, &[("testflinger_waiting_jobs{queue=\"a\"}", 2)]);
    let result = |job: &str, state: &str| {
        let path = format!("/v1/result/{job}");
        assert_eq!(agent.post(&path, &json!({ "job_state": state })).status, 200);
    };
    result(&jobs[0], "provision");
    check(&server, [2, 1, 1, 0]);
    result(&jobs[0], "complete");
    let cancel = json!({ "action": "cancel" });
    assert_eq!(anyone.post(&format!("/v1/job/{}/action", jobs[1]), &cancel).status, 200);
    check(&server, [1, 1, 0, 0]);
    expect(&anyone, &[(&ended("complete"), 1), (&ended("cancelled_by_person"), 1)]);
}

#[test]
fn the_age_of_the_oldest_waiting_job_is_that_over_all_priorities() {
    let server = TestServer::start();
    let admin = server.client_with("root", &json!({ "role": "admin", "max_priority": { "*": 9 } }));
    let age = "testflinger_oldest_waiting_job_age_seconds{queue=\"a\"}";
    let first = admin.submit(&json!({ "job_queue": "a", "job_priority": 1 }));
    server.pass(Duration::from_secs(30));
    admin.submit(&json!({ "job_queue": "a", "job_priority": 9 }));
    admin.submit(&json!({ "job_queue": "a" }));
    server.pass(Duration::from_secs(12));
    let anyone = server.anonymous();
    expect(&anyone, &[(age, 42)]);
    let cancel = json!({ "action": "cancel" });
    assert_eq!(anyone.post(&format!("/v1/job/{first}/action"), &cancel).status, 200);
    expect(&anyone, &[(age, 12)]);
    while anyone.claim("a").is_some() {}
    expect(&anyone, &[(age, 0), ("testflinger_waiting_jobs{queue=\"a\"}", 0)]);
}

#[test]
fn agents_are_counted_by_state() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    for (name, state) in [("a", "waiting"), ("b", "waiting"), ("c", "on fire")] {
        anyone.post(&format!("/v1/agents/data/{name}"), &json!({ "state": state }));
    }
    anyone.post("/v1/agents/data/d", &json!({ "comment": "" }));
    expect(
        &anyone,
        &[
            ("testflinger_agents{state=\"waiting\"}", 2),
            ("testflinger_agents{state=\"other\"}", 1),
            ("testflinger_agents{state=\"unknown\"}", 1),
            ("testflinger_agents{state=\"offline\"}", 0),
        ],
    );
}

#[test]
fn requests_are_counted_by_route_and_not_by_path() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    for path in [format!("/v1/job/{ZERO}"), "/v1/job/x".to_owned(), "/nowhere".to_owned()] {
        anyone.get(&path);
    }
    let count = |labels: &str| format!("flask_http_request_duration_seconds_count{{{labels}}}");
    let job = "method=\"GET\",path=\"/v1/job/{id}\"";
    expect(
        &anyone,
        &[
            (&count(&format!("{job},status=\"204\"")), 1),
            (&count(&format!("{job},status=\"400\"")), 1),
            (&count("method=\"GET\",path=\"other\",status=\"404\""), 1),
        ],
    );
    assert!(!anyone.get("/metrics").text().contains(ZERO));
}

#[test]
fn blobs_commits_refusals_and_failed_logins_are_counted() {
    let mut server = TestServer::with(Raw { max_json_size: Some(Size(1000)), ..Raw::default() });
    let anyone = server.anonymous();
    let id = anyone.submit(&json!({ "job_queue": "a" }));
    let path = format!("/v1/result/{id}/artifact");
    for bytes in [b"12345".as_slice(), b"123"] {
        assert_eq!(anyone.upload(&path, &[Part("file", bytes)]).status, 200);
    }
    // The first one begins a checkpoint, the second one begins the next second, and the third one notices that it ended.
    for _ in 0..3 {
        server.pass(Duration::from_secs(1));
        anyone.submit(&json!({ "job_queue": "a" }));
    }
    let large = json!({ "job_queue": "q", "x": "x".repeat(2000) });
    assert_eq!(anyone.post("/v1/job", &large).status, 413);
    assert_eq!(server.log_in("nobody", "guess").status, 401);
    expect(
        &anyone,
        &[
            ("testflinger_blob_bytes", 3),
            ("testflinger_refused_total{limit=\"size\"}", 1),
            ("testflinger_failed_logins_total", 1),
            ("testflinger_disk_reserve_bytes", 512 << 20),
            ("testflinger_held_requests", 0),
        ],
    );
    for series in [
        "testflinger_commit_seconds_count",
        "testflinger_commit_operations_sum",
        "testflinger_journal_bytes_total",
        "testflinger_checkpoint_seconds_count",
        "testflinger_database_bytes",
        "testflinger_disk_free_bytes",
    ] {
        assert!(value(&anyone, series).unwrap() > 0.0, "{series}");
    }
    server.restart();
    expect(&server.anonymous(), &[("testflinger_blob_bytes", 3)]);
}

#[test]
fn the_size_of_the_database_counts_its_journal() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    anyone.submit(&json!({ "job_queue": "a" }));
    let size = |name| std::fs::metadata(server.data_dir().join(name)).unwrap().len();
    until("the files do not change any more", || {
        let both = size("testflinger.redb") + size("testflinger.journal");
        let status = server.local().send("GET", "/admin/status", None).value();
        status["bytes"]["database"] == both
            && value(&anyone, "testflinger_database_bytes")
                == Some(u32::try_from(both).unwrap().into())
    });
}

#[test]
fn held_requests_are_counted_while_they_are_held() {
    let hold = Some(Span(Duration::from_secs(25)));
    let server = TestServer::with(Raw { hold, ..Raw::default() });
    let anyone = server.anonymous();
    std::thread::scope(|scope| {
        let agent = server.agent("rack");
        let claim = scope.spawn(move || agent.claim("a"));
        until("it is held", || value(&anyone, "testflinger_held_requests") == Some(1.0));
        let id = anyone.submit(&json!({ "job_queue": "a" }));
        assert_eq!(claim.join().unwrap(), Some(id));
    });
    until("it is not held", || value(&anyone, "testflinger_held_requests") == Some(0.0));
}

#[test]
fn a_hostile_client_cannot_make_a_million_series() {
    let server = TestServer::with(Raw { metrics_queues: Some(Count(3)), ..Raw::default() });
    let anyone = server.anonymous();
    for number in 0..50 {
        anyone.submit(&json!({ "job_queue": format!("hostile-{number}") }));
        anyone.post(&format!("/v1/agents/data/{number}"), &json!({ "state": number.to_string() }));
        anyone.get(&format!("/v1/{number}"));
        anyone.send(&format!("M{number}"), "/v1", b"");
    }
    expect(
        &anyone,
        &[
            ("testflinger_jobs_total{queue=\"other\"}", 47),
            ("testflinger_waiting_jobs{queue=\"other\"}", 47),
            ("testflinger_agents{state=\"other\"}", 50),
            ("testflinger_metrics_queues_left_out", 1),
        ],
    );
    let text = anyone.get("/metrics").text().to_owned();
    assert_eq!(text.matches("testflinger_jobs_total{").count(), 4);
    assert!(text.lines().count() < 400, "{text}");
}

#[test]
fn a_port_of_its_own_answers_without_a_token_and_nothing_but_metrics_and_health() {
    let server = TestServer::with(Raw {
        access: Some(Mode::Locked),
        metrics_port: Some(Port(Some(0))),
        ..Raw::default()
    });
    assert_eq!(server.anonymous().get("/metrics").status, 401);
    assert_eq!(server.client("ci", "contributor").get("/metrics").status, 200);
    assert_eq!(server.client("rack", "agent").get("/metrics").status, 403);
    let probe = Caller::new(server.metrics_url()).without_contract();
    for path in ["/metrics", "/healthz", "/readyz"] {
        assert_eq!(probe.get(path).status, 200);
    }
    for path in ["/v1", "/v1/job/search", "/admin/secrets", "/"] {
        assert_eq!(probe.get(path).status, 404);
    }
    assert_eq!(probe.send("POST", "/metrics", b"").status, 405);
}

#[test]
fn the_newest_backups_and_the_bytes_of_logs_are_shown() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let time =
        |verified: bool| format!("testflinger_last_backup_time_seconds{{verified=\"{verified}\"}}");
    expect(&anyone, &[(&time(true), 0), (&time(false), 0)]);
    let note = json!({
        "at": "2026-11-23T12:00:00Z", "bytes": 4096, "missing": 0, "to": "/b.tar", "verified": true,
    });
    assert_eq!(server.local().send("PUT", "/admin/backup", Some(&note)).status, 200);
    let bytes = "testflinger_last_backup_bytes{verified=\"true\"}";
    expect(&anyone, &[(&time(true), 1_795_435_200), (&time(false), 0), (bytes, 4096)]);
    let id = anyone.submit(&json!({ "job_queue": "a" }));
    let path = |log: &str| format!("/v1/result/{id}/{log}");
    let fragment = json!({
        "fragment_number": 0, "timestamp": "2026-11-23T12:00:00Z", "phase": "test", "log_data": "12345",
    });
    assert_eq!(anyone.post(&path("log/serial"), &fragment).status, 200);
    assert_eq!(anyone.send("POST", &path("output"), b"123").status, 200);
    expect(
        &anyone,
        &[
            ("testflinger_log_bytes_total{log=\"serial\"}", 5),
            ("testflinger_log_bytes_total{log=\"output\"}", 3),
        ],
    );
}

#[test]
fn what_needs_a_person_is_the_same_in_the_status_and_in_the_metrics() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    anyone.submit(&json!({ "job_queue": "a" }));
    server
        .agent("rack")
        .post("/v1/agents/data/rack", &json!({ "state": "waiting", "queues": ["b"] }));
    let warnings = || server.local().send("GET", "/admin/status", None).value()["warnings"].clone();
    let unserved = "Jobs wait in queues without agents: a";
    let backup = "There is no verified backup that is younger than alert_backup_age";
    server.pass(Duration::from_mins(30));
    assert_eq!(warnings(), json!([unserved, backup]), "silence is not yet a loss");
    server.pass(Duration::from_secs(1));
    assert_eq!(warnings(), json!(["Agents are lost: rack", unserved, backup]));
    let of = |trouble| format!("testflinger_troubles{{trouble=\"{trouble}\"}}");
    for (trouble, count) in
        [("agent_lost", 1), ("queue_unserved", 1), ("backup_old", 1), ("disk_reserve", 0)]
    {
        expect(&anyone, &[(&of(trouble), count)]);
    }
}

#[test]
fn agents_that_are_gone_are_counted_and_do_not_serve_their_queues() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    anyone.submit(&json!({ "job_queue": "a" }));
    for (name, state) in [("here", "waiting"), ("there", "waiting"), ("off", "offline")] {
        let agent = json!({ "state": state, "queues": ["a"] });
        anyone.post(&format!("/v1/agents/data/{name}"), &agent);
    }
    let serving = "testflinger_queue_agents{queue=\"a\"}";
    expect(&anyone, &[("testflinger_silent_agents", 0), (serving, 2)]);
    server.pass(Duration::from_hours(1));
    assert_eq!(server.agent("here").claim("b"), None);
    expect(&anyone, &[("testflinger_silent_agents", 1), (serving, 1)]);
}
