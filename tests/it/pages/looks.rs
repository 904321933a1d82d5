use serde_json::json;

use super::{enrol, page, run_job};
use crate::support::TestServer;

#[test]
fn a_job_shows_its_definition_phases_logs_and_history() {
    let server = TestServer::start();
    let agent = enrol(&server, "rig", &json!({ "state": "waiting", "queues": ["q"] }));
    let job = json!({
        "job_queue": "q", "name": "smoke of rack 7", "tags": ["nightly"],
        "test_data": { "test_cmds": "uname -a\nmake check\n" },
    });
    let id = run_job(&server, &agent, &job, 2);
    let shown = page(&server.anonymous(), &format!("/jobs/{id}"));
    let html = server.anonymous().get(&format!("/jobs/{id}")).text().to_owned();
    assert!(
        html.contains("id=\"log-test-output\" open"),
        "the log of the phase that failed is open"
    );
    for part in [
        "smoke of rack 7 test failed",
        "exit 2",
        "Agent rig",
        "Tags nightly",
        "one two",
        "test_cmds : | uname -a make check",
        "submitted, waiting by somebody without a name",
        "waiting → running by agent rig: claimed",
        "test → complete by agent rig",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn the_log_of_an_earlier_try_stays_itself_while_it_is_read_searched_and_downloaded() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let enrol = |name| enrol(&server, name, &json!({ "state": "waiting", "queues": ["q"] }));
    let (first, second) = (enrol("a"), enrol("b"));
    let id = anyone.submit(&json!({ "job_queue": "q", "retries": 1 }));
    for (agent, code, text) in [(&first, 46, "a flashes\n"), (&second, 0, "b flashes\n")] {
        assert_eq!(agent.claim("q").as_ref(), Some(&id));
        let result = format!("/v1/result/{id}");
        agent.post(&result, &json!({ "job_state": "provision" }));
        let ended = json!({ "provision_output": text, "provision_status": code });
        assert_eq!(agent.post(&result, &ended).status, 200);
        assert_eq!(agent.post(&result, &json!({ "job_state": "complete" })).status, 200);
    }
    let path = format!("/jobs/{id}/log/output/provision?try=1");
    let page = anyone.get(&format!("/jobs/{id}"));
    assert!(page.text().contains(&format!("href=\"{path}&#38;view=1\"")), "{}", page.text());
    let whole = anyone.get(&format!("{path}&view=1"));
    for part in
        ["provision, try 1", "name=\"try\" value=\"1\"", "try=1&#38;part=0", "try=1&#38;download=1"]
    {
        assert!(whole.text().contains(part), "{part}: {}", whole.text());
    }
    assert!(anyone.get(&format!("{path}&part=0")).text().starts_with("a flashes\n"));
    let found = anyone.get(&format!("{path}&find=flashes"));
    for part in
        ["provision, try 1", "name=\"try\" value=\"1\"", "1 line with", "try=1&#38;view=1#part-0"]
    {
        assert!(found.text().contains(part), "{part}: {}", found.text());
    }
    let sent = anyone.get(&format!("{path}&download=1"));
    let name = format!("attachment; filename=\"{id}-try-1-provision-output.txt\"");
    assert_eq!(sent.header("Content-Disposition"), Some(name.as_str()));
}

#[test]
fn a_job_says_why_it_waits() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let id = anyone.submit(&json!({ "job_queue": "q" }));
    let path = format!("/jobs/{id}");
    assert!(page(&anyone, &path).contains("No agent serves its queue."));
    enrol(&server, "rig", &json!({ "state": "offline", "queues": ["q"], "comment": "no power" }));
    let shown = page(&anyone, &path);
    assert!(shown.contains("Every agent that may have it is offline or silent."), "{shown}");
    assert!(shown.contains("no power"), "{shown}");
}

#[test]
fn an_agent_shows_its_job_queues_provisionings_and_history() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let about = json!({ "state": "waiting", "queues": ["q"], "location": "Rack 7", "log": ["hello", "again"] });
    let agent = enrol(&server, "rig", &about);
    anyone.submit(&json!({ "job_queue": "q" }));
    for (code, detail) in [(0, ""), (1, "no route")] {
        let body = json!({ "job_id": "x", "exit_code": code, "detail": detail });
        agent.post("/v1/agents/provision_logs/rig", &body);
    }
    let id = anyone.submit(
        &json!({ "job_queue": "q", "name": "mine", "global_timeout": 600, "job_priority": 0 }),
    );
    agent.claim("q");
    let shown = page(&anyone, "/agents/rig");
    for part in [
        "1 of 2 passed (50 %)",
        "no route",
        "Rack 7",
        "hello again",
        "state: waiting by agent rig",
        "Last seen",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains(&id), "it runs the job before this one");
    assert!(
        page(&anyone, "/agents/rig?from=2026-11-24").contains("No provisioning in these days.")
    );
    assert!(page(&anyone, "/agents/rig?from=2026-11-23&to=2026-11-23").contains("1 of 2 passed"));
}

#[test]
fn scripts_and_styles_are_kept_for_ever() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let html = anyone.get("/").text().to_owned();
    for (before, kind) in [
        ("<link rel=\"stylesheet\" href=\"", "text/css; charset=utf-8"),
        ("<script src=\"", "text/javascript; charset=utf-8"),
    ] {
        let path = html.split_once(before).unwrap().1.split_once('"').unwrap().0;
        let answer = anyone.get(path);
        assert_eq!((answer.status, answer.header("Content-Type")), (200, Some(kind)));
        assert!(answer.header("Cache-Control").unwrap().contains("immutable"));
    }
}
