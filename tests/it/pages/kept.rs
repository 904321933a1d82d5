//! Each page of a small lab as it was when somebody last looked at it: `tests/golden/pages`.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::{browser, enrol, run_job};
use crate::support::TestServer;
use crate::support::auth::SECRET;

/// A lab with something of everything, and the ids of its jobs in the order in which they were submitted.
fn lab() -> (TestServer, Vec<(&'static str, String)>) {
    let server = TestServer::start();
    server.client("me", "contributor");
    // Tokens end while time passes.
    let me =
        || server.anonymous().header("Authorization", &format!("Bearer {}", server.token("me")));
    let anyone = server.anonymous();
    server.local().restrict("secure", "me");
    let about = json!({
        "state": "waiting", "queues": ["q", "secure"], "location": "Rack 7", "provision_type": "muxpi",
        "log": ["listening", "idle"],
    });
    let free = enrol(&server, "rig-1", &about);
    let busy = enrol(
        &server,
        "rig-2",
        &json!({ "state": "waiting", "queues": ["q"], "location": "Rack 8" }),
    );
    let about =
        json!({ "state": "offline", "queues": ["q", "old"], "comment": "The fan is broken." });
    enrol(&server, "rig-3", &about);
    anyone.post("/v1/agents/queues", &json!({ "q": "the boards of rack 7" }));
    for (code, detail) in [(0, ""), (1, "no route to the power switch")] {
        let body = json!({ "job_id": "gone", "exit_code": code, "detail": detail });
        assert_eq!(free.post("/v1/agents/provision_logs/rig-1", &body).status, 200);
        server.pass(Duration::from_hours(1));
    }
    let passed = run_job(&server, &free, &json!({ "job_queue": "q", "tags": ["nightly"] }), 0);
    server.pass(Duration::from_mins(20));
    let failed = json!({
        "job_queue": "q", "name": "smoke of rack 7", "tags": ["nightly", "arm64"],
        "test_data": { "test_cmds": "uname -a\nmake check\n" },
    });
    let failed = run_job(&server, &free, &failed, 3);
    let running = me().submit(&json!({
        "job_queue": "q", "name": "the long one", "global_timeout": 7200, "job_priority": 0,
        "provision_data": { "url": "http://images/noble.img.xz" },
    }));
    server.pass(Duration::from_mins(3));
    assert_eq!(busy.claim("q").as_ref(), Some(&running));
    busy.post(&format!("/v1/result/{running}"), &json!({ "job_state": "provision" }));
    server.pass(Duration::from_mins(12));
    let fragment = json!({
        "fragment_number": 0, "timestamp": "2026-11-23T12:00:00+00:00", "phase": "provision",
        "log_data": "Writing <the> image\n",
    });
    assert_eq!(busy.post(&format!("/v1/result/{running}/log/output"), &fragment).status, 200);
    let cancelled = anyone.submit(&json!({ "job_queue": "q" }));
    anyone.post(&format!("/v1/job/{cancelled}/action"), &json!({ "action": "cancel" }));
    let waiting = me().submit(&json!({ "job_queue": "q", "name": "next" }));
    let lost = anyone.submit(&json!({ "job_queue": "misspelt" }));
    server.pass(Duration::from_mins(2));
    for (agent, name) in [(&free, "rig-1"), (&busy, "rig-2")] {
        assert_eq!(agent.post(&format!("/v1/agents/data/{name}"), &json!({})).status, 200);
    }
    let jobs = [
        ("passed", passed),
        ("failed", failed),
        ("running", running),
        ("cancelled", cancelled),
        ("waiting", waiting),
        ("lost", lost),
    ];
    (server, jobs.into())
}

/// The text between two others becomes two dots, wherever it stands.
fn without(html: &str, before: &str, after: &str) -> String {
    let mut parts = html.split(before).map(ToOwned::to_owned);
    let first = parts.next();
    let rest = parts.map(|part| format!("{before}..{}", &part[part.find(after).unwrap()..]));
    first.into_iter().chain(rest).collect()
}

#[test]
fn each_page_is_as_it_was_when_somebody_last_looked_at_it() {
    let (server, jobs) = lab();
    let (anyone, me) = (server.anonymous(), browser(&server, "me", SECRET));
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pages");
    let mut pages = vec![
        ("home".to_owned(), &anyone, "/".to_owned()),
        ("agents".to_owned(), &anyone, "/agents".to_owned()),
        ("agents-none".to_owned(), &anyone, "/agents?text=nobody".to_owned()),
        ("agent".to_owned(), &anyone, "/agents/rig-1".to_owned()),
        ("jobs".to_owned(), &me, "/jobs".to_owned()),
        ("jobs-filtered".to_owned(), &me, "/jobs?state=failed&tag=arm64&text=rack".to_owned()),
        ("queues".to_owned(), &anyone, "/queues".to_owned()),
        ("queue".to_owned(), &anyone, "/queues/q".to_owned()),
        ("queue-restricted".to_owned(), &anyone, "/queues/secure".to_owned()),
        ("found".to_owned(), &anyone, format!("/jobs/{}/log/output/test?find=two", jobs[1].1)),
        ("login".to_owned(), &anyone, "/login?next=/jobs".to_owned()),
        ("missing".to_owned(), &anyone, "/jobs/none".to_owned()),
    ];
    pages.extend(jobs.iter().map(|(name, id)| (format!("job-{name}"), &me, format!("/jobs/{id}"))));
    let mut changed = Vec::new();
    for (name, who, path) in pages {
        let mut html = who.get(&path).text().to_owned();
        for (name, id) in &jobs {
            html = html.replace(id, &format!("the-{name}-job"));
        }
        for (before, after) in
            [("/assets/", "-"), ("name=\"csrf\" value=\"", "\""), ("data-place=\"", "\"")]
        {
            html = without(&html, before, after);
        }
        let file = dir.join(format!("{name}.html"));
        if std::env::var_os("TESTFLINGER_WRITE").is_some() {
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(&file, &html).unwrap();
        }
        if std::fs::read_to_string(&file).unwrap_or_default() != html {
            changed.push(name);
        }
    }
    assert!(
        changed.is_empty(),
        "{changed:?} differ; look at the difference after: \
         TESTFLINGER_WRITE=1 cargo test --test it pages::kept"
    );
}
