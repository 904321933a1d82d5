use serde_json::json;

use crate::support::TestServer;

/// Would run, or end the element or attribute that it stands in, if it were not escaped.
const EVIL: &str =
    "\"'></script></pre></textarea><script>alert(1)</script><img src=x onerror=alert(1)>&amp;";

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[test]
fn what_others_write_is_shown_as_text() {
    let server = TestServer::start();
    let name = "evil\"'<b>&";
    // A slash ends a name in a path.
    let queue = EVIL.replace('/', "");
    let path = format!("/v1/agents/data/{}", encoded(name));
    let about = json!({
        "state": EVIL, "queues": [queue], "location": EVIL, "comment": EVIL, "provision_type": EVIL,
        "identifier": EVIL, "log": [EVIL],
    });
    let anyone = server.anonymous();
    assert_eq!(anyone.post(&path, &about).status, 200);
    assert_eq!(anyone.post("/v1/agents/queues", &json!({ (queue.as_str()): EVIL })).status, 200);
    let provisioned = json!({ "job_id": EVIL, "exit_code": 1, "detail": EVIL });
    let path = format!("/v1/agents/provision_logs/{}", encoded(name));
    assert_eq!(anyone.post(&path, &provisioned).status, 200);
    let id = anyone.submit(&json!({
        "job_queue": queue, "name": EVIL, "tags": [EVIL],
        "test_data": { "test_cmds": format!("{EVIL}\nsecond line\n") }, EVIL: [{ EVIL: EVIL }],
    }));
    let waiting = anyone.submit(&json!({ "job_queue": queue, "name": EVIL }));
    let agent = anyone.clone().header("Cookie", "agent_name=\"evil\\\"'<b>&\"");
    assert_eq!(agent.claim(&encoded(&queue)), Some(id.clone()));
    let fragment = json!({
        "fragment_number": 0, "timestamp": "2026-11-23T12:00:00+00:00", "phase": "test", "log_data": format!("{EVIL}\n"),
    });
    assert_eq!(agent.post(&format!("/v1/result/{id}/log/output"), &fragment).status, 200);
    let result = json!({ "job_state": EVIL, "device_info": { EVIL: EVIL }, "setup_output": EVIL, "other": EVIL });
    assert_eq!(agent.post(&format!("/v1/result/{id}"), &result).status, 200);

    for path in [
        "/".to_owned(),
        "/agents".to_owned(),
        format!("/agents?text={}&state={0}&sort={0}", encoded(EVIL)),
        format!("/agents/{}", encoded(name)),
        format!("/agents/{}?from={}", encoded(name), encoded(EVIL)),
        "/jobs".to_owned(),
        format!("/jobs?text={0}&queue={0}&tag={0}&by={0}&state={0}&before={0}", encoded(EVIL)),
        format!("/jobs/{id}"),
        format!("/jobs/{waiting}"),
        format!("/jobs/{id}/log/output/test?find={}", encoded("<script>")),
        "/queues".to_owned(),
        format!("/queues?text={}", encoded(EVIL)),
        format!("/queues/{}", encoded(&queue)),
        format!("/login?next={}", encoded(EVIL)),
        format!("/jobs/{}", encoded("<script>")),
    ] {
        let answer = anyone.get(&path);
        let html = answer.text();
        assert!(answer.status == 200 || answer.status == 404, "{path}: {} {html}", answer.status);
        assert!(
            !html.contains("<script>") && !html.contains("<img") && !html.contains("evil\"'<b>"),
            "{path}: {html}"
        );
        assert_eq!(html.matches("<script").count(), 1, "{path}");
        assert_eq!(html.matches("</pre>").count(), html.matches("<pre").count(), "{path}");
        assert!(!html.contains(" style="), "{path}");
        let policy = answer.header("Content-Security-Policy").unwrap();
        assert!(policy.contains("default-src 'none'"), "{path}: {policy}");
    }
    let raw = anyone.get(&format!("/jobs/{id}/log/output/test"));
    assert_eq!(raw.header("Content-Type"), Some("text/plain; charset=utf-8"));
    assert_eq!(raw.header("X-Content-Type-Options"), Some("nosniff"));
    assert_eq!(raw.text(), format!("{EVIL}\n"));
}

#[test]
fn every_spelling_of_a_bad_path_is_a_page_that_says_so() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    for path in
        ["/jobs/none", "/jobs/00000000-0000-0000-0000-000000000000", "/agents/none", "/queues/none"]
    {
        let answer = anyone.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text().contains("There is no such thing here"), "{path}");
        assert!(answer.text().contains("<nav aria-label=\"Pages\">"), "{path}");
    }
    for path in ["/assets/none.css", "/assets/style.css", "/jobs/x/y"] {
        assert_eq!(anyone.get(path).status, 404, "{path}");
    }
}

#[test]
fn links_lead_to_the_page_of_a_queue_with_a_slash_in_its_name() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let id = anyone.submit(&json!({ "job_queue": "rack/7?a=b#c" }));
    let link = "/queues/rack%2F7%3Fa%3Db%23c";
    for path in ["/", "/queues", "/jobs", &format!("/jobs/{id}")] {
        let html = anyone.get(path).text().to_owned();
        assert!(html.contains(&format!("href=\"{link}\"")), "{path}: {html}");
    }
    let all = format!("/jobs?queue={}", &link["/queues/".len()..]);
    assert!(anyone.get(&all).text().contains(&id));
}
