//! `/v1/secrets/<client>/<path>`, and secrets that jobs use.

mod masks;
mod rotate;

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Answer, Caller, TestServer};

/// A server with a client `ci`, who submits, and an agent `rack1` with a token.
struct Lab {
    server: TestServer,
    ci: Caller,
    agent: Caller,
}

impl Lab {
    fn new() -> Self {
        Self::on(TestServer::start())
    }

    fn on(server: TestServer) -> Self {
        let ci = server.client("ci", "contributor");
        let agent = server.client("rack", "agent").header("Cookie", "agent_name=rack1");
        Self { server, ci, agent }
    }

    #[track_caller]
    fn write(&self, path: &str, body: &Value) -> Answer {
        let answer = self.ci.put(&format!("/v1/secrets/ci/{path}"), body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer
    }

    fn submit(&self, secrets: &Value) -> Answer {
        let job =
            json!({ "job_queue": "q", "test_data": { "test_cmds": "x", "secrets": secrets } });
        self.ci.post("/v1/job", &job)
    }

    #[track_caller]
    fn submitted(&self, secrets: &Value) -> String {
        let answer = self.submit(secrets);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.value()["job_id"].as_str().unwrap().to_owned()
    }

    /// What an agent gets for its secrets, of the next job.
    #[track_caller]
    fn handed_out(agent: &Caller) -> Value {
        let answer = agent.get("/v1/job?queue=q");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.value()["test_data"]["secrets"].clone()
    }
}

#[test]
fn an_agent_gets_the_values_and_nobody_else_does() {
    let lab = Lab::new();
    lab.write("wifi/password", &json!({ "value": "hunter22\n\"é" }));
    let id = lab.submitted(&json!({ "WIFI": "wifi/password" }));
    let shown = lab.ci.get(&format!("/v1/job/{id}")).value();
    assert_eq!(shown["test_data"]["secrets"], json!({ "WIFI": "wifi/password" }));
    let job = lab.agent.get("/v1/job?queue=q").value();
    assert_eq!(job["test_data"]["secrets"], json!({ "WIFI": "hunter22\n\"é" }));
    assert_eq!(job["test_data"]["test_cmds"], "x");
}

#[test]
fn a_secret_says_when_it_ends_in_the_form_that_clients_parse() {
    let lab = Lab::new();
    let end = |body: Value| lab.write("a", &body).value()["expires_at"].clone();
    assert_eq!(end(json!({ "value": "v" })), "2027-11-23T12:00:00+00:00");
    assert_eq!(end(json!({ "value": "v", "expire_after": null })), Value::Null);
    assert_eq!(end(json!({ "value": "v", "expire_after": 60 })), "2026-11-23T12:01:00+00:00");
    assert_eq!(end(json!({ "value": "v", "ephemeral": true })), Value::Null);
}

#[test]
fn a_secret_without_an_end_is_not_one_that_is_read_once() {
    let lab = Lab::new();
    lab.write("a", &json!({ "value": "v", "expire_after": null }));
    for _ in 0..2 {
        lab.submitted(&json!({ "A": "a" }));
        assert_eq!(Lab::handed_out(&lab.agent), json!({ "A": "v" }));
    }
}

#[test]
fn a_client_writes_into_its_own_name_space_only() {
    let lab = Lab::new();
    let other = lab.server.client("other", "admin");
    for answer in
        [other.put("/v1/secrets/ci/a", &json!({ "value": "v" })), other.delete("/v1/secrets/ci/a")]
    {
        assert_eq!(answer.status, 403);
        assert_eq!(answer.message(), "'ci' doesn't match authenticated client id");
    }
    assert_eq!(lab.server.anonymous().put("/v1/secrets/ci/a", &json!({})).status, 401);
    assert_eq!(lab.agent.put("/v1/secrets/rack/a", &json!({ "value": "v" })).status, 403);
    assert_eq!(lab.ci.get("/v1/secrets/ci/a").status, 405, "nobody reads a value");
}

#[test]
fn bad_paths_and_values_are_refused() {
    let lab = Lab::new();
    let value = json!({ "value": "v" });
    for path in ["a%20b", "..", "a/../b", "a.b", "%C3%A9", &"x".repeat(600)] {
        let answer = lab.ci.put(&format!("/v1/secrets/ci/{path}"), &value);
        assert_eq!(answer.status, 422, "{path}: {}", answer.text());
    }
    for body in [
        json!({}),
        json!({ "value": "" }),
        json!({ "value": null }),
        json!({ "value": 5 }),
        json!({ "value": "x".repeat((64 << 10) + 1) }),
        json!({ "value": "v", "expire_after": 0 }),
        json!({ "value": "v", "expire_after": 5, "ephemeral": true }),
        json!({ "value": "v", "colour": "red" }),
    ] {
        let answer = lab.ci.put("/v1/secrets/ci/a", &body);
        let text = answer.text();
        assert_eq!(answer.status, 422, "{text:.200}");
        assert!(!text.contains("xxxx"), "an error repeats no value: {text:.200}");
    }
    assert_eq!(lab.ci.delete("/v1/secrets/ci/never/written").seen(), (200, "OK".to_owned()));
}

#[test]
fn a_job_uses_at_most_a_hundred_secrets() {
    let lab = Lab::new();
    lab.write("a", &json!({ "value": "v" }));
    let uses = |count: usize| {
        let secrets: serde_json::Map<_, _> =
            (0..count).map(|n| (format!("V{n}"), json!("a"))).collect();
        lab.submit(&secrets.into()).status
    };
    assert_eq!(uses(100), 200);
    assert_eq!(uses(101), 422);
}

#[test]
fn a_client_keeps_at_most_a_thousand_secrets() {
    let lab = Lab::new();
    let put = |n: usize| lab.ci.put(&format!("/v1/secrets/ci/s/{n}"), &json!({ "value": "v" }));
    for n in 0..1000 {
        assert_eq!(put(n).status, 200);
    }
    assert_eq!(put(1000).status, 422);
    assert_eq!(put(7).status, 200, "what is there can be written again");
    assert_eq!(lab.ci.delete("/v1/secrets/ci/s/7").status, 200);
    assert_eq!(put(1000).status, 200);
}

#[test]
fn a_job_that_names_what_its_submitter_lacks_is_refused_with_all_names() {
    let lab = Lab::new();
    lab.write("there", &json!({ "value": "v" }));
    let answer = lab.submit(&json!({ "A": "z/gone", "B": "there", "C": "a/gone", "D": "a/gone" }));
    assert_eq!(answer.status, 422);
    assert_eq!(answer.message(), "Inaccessible secret paths: a/gone, z/gone");
    let job = json!({ "job_queue": "q", "test_data": { "secrets": { "A": "there" } } });
    let answer = lab.server.anonymous().post("/v1/job", &job);
    assert_eq!(answer.status, 422);
    assert_eq!(answer.message(), "Missing client ID (user not authenticated)");
    let other = lab.server.client("other", "contributor");
    assert_eq!(other.post("/v1/job", &job).status, 422, "the secrets of others are not there");
}

#[test]
fn bad_names_and_too_many_of_them_are_refused() {
    let lab = Lab::new();
    lab.write("a", &json!({ "value": "v" }));
    for secrets in [
        json!({ "1A": "a" }),
        json!({ "A-B": "a" }),
        json!({ "": "a" }),
        json!({ "A": "a b" }),
        json!({ "A": "/a" }),
        json!({ "A": null }),
        json!({ "A": 5 }),
        json!(["a"]),
        json!("a"),
    ] {
        assert_eq!(lab.submit(&secrets).status, 422, "{secrets}");
    }
    let thousand: serde_json::Map<String, Value> =
        (0..1000).map(|n| (format!("V{n}"), json!("a"))).collect();
    let answer = lab.submit(&Value::Object(thousand));
    assert_eq!(answer.status, 422);
    assert!(answer.text().contains("Longer than maximum length 100."), "{}", answer.text());
    lab.submitted(&json!({}));
}

#[test]
fn what_went_missing_is_empty_for_the_agent_and_is_said() {
    let lab = Lab::new();
    lab.write("a", &json!({ "value": "value-of-a" }));
    lab.write("b", &json!({ "value": "value-of-b", "expire_after": 60 }));
    let id = lab.submitted(&json!({ "A": "a", "B": "b" }));
    assert_eq!(lab.ci.delete("/v1/secrets/ci/a").status, 200);
    lab.server.pass(Duration::from_mins(1));
    assert_eq!(Lab::handed_out(&lab.agent), json!({ "A": "", "B": "" }));
    let result = lab.ci.get(&format!("/v1/result/{id}")).value();
    assert_eq!(result["missing_secrets"], json!(["a", "b"]));
    assert_eq!(lab.submit(&json!({ "B": "b" })).status, 422, "what has ended cannot be used");
}

#[test]
fn a_secret_that_is_read_once_survives_a_lost_answer_and_is_gone_then() {
    let lab = Lab::new();
    lab.write("once", &json!({ "value": "value-once", "ephemeral": true }));
    let secrets = json!({ "A": "once" });
    let first = lab.submitted(&secrets);
    assert_eq!(Lab::handed_out(&lab.agent), json!({ "A": "value-once" }));
    assert_eq!(Lab::handed_out(&lab.agent), json!({ "A": "value-once" }), "the answer was lost");
    assert_eq!(lab.submit(&secrets).status, 422);
    // Written again, it is another secret, and the job keeps what it got.
    lab.write("once", &json!({ "value": "value-twice" }));
    assert_eq!(Lab::handed_out(&lab.agent), json!({ "A": "value-once" }));
    assert_eq!(lab.ci.state(&first), "running");
}

#[test]
fn the_next_agent_gets_a_secret_that_was_read_once_when_the_job_had_gone_back() {
    let raw = testflinger_server::config::Raw {
        acknowledge_within: Some("1s".parse().unwrap()),
        ..Default::default()
    };
    let lab = Lab::on(TestServer::with(raw));
    lab.write("once", &json!({ "value": "value-once", "ephemeral": true }));
    let id = lab.submitted(&json!({ "A": "once" }));
    assert_eq!(Lab::handed_out(&lab.agent), json!({ "A": "value-once" }));
    lab.server.pass(Duration::from_secs(5));
    crate::support::until("the job went back", || lab.ci.state(&id) == "waiting");
    let other = lab.server.client("rack2", "agent").header("Cookie", "agent_name=rack2");
    assert_eq!(Lab::handed_out(&other), json!({ "A": "value-once" }));
}

#[test]
fn in_the_open_mode_a_job_with_secrets_goes_to_agents_with_a_token_only() {
    let lab = Lab::new();
    lab.write("a", &json!({ "value": "v" }));
    lab.submitted(&json!({ "A": "a" }));
    assert_eq!(lab.server.agent("rack1").get("/v1/job?queue=q").status, 204);
    assert_eq!(lab.server.anonymous().get("/v1/job?queue=q").status, 204);
    assert_eq!(lab.ci.get("/v1/job?queue=q").status, 204);
    assert_eq!(Lab::handed_out(&lab.agent), json!({ "A": "v" }));
}

#[test]
fn a_resubmitted_job_uses_the_secrets_of_its_new_attempt() {
    let lab = Lab::new();
    lab.write("a", &json!({ "value": "value-of-a" }));
    lab.write("b", &json!({ "value": "value-of-b" }));
    let id = lab.submitted(&json!({ "A": "a" }));
    let job = json!({ "job_id": id, "job_queue": "q", "test_data": { "secrets": { "B": "b" } } });
    assert_eq!(lab.ci.post("/v1/job", &job).status, 200);
    assert_eq!(Lab::handed_out(&lab.agent), json!({ "B": "value-of-b" }));
}

#[test]
fn a_client_keeps_only_so_many() {
    let lab = Lab::new();
    for n in 0..1000 {
        lab.write(&format!("s{n}"), &json!({ "value": "v" }));
    }
    let answer = lab.ci.put("/v1/secrets/ci/more", &json!({ "value": "v" }));
    assert_eq!(answer.status, 422);
    lab.write("s5", &json!({ "value": "another" }));
    lab.ci.delete("/v1/secrets/ci/s5");
    lab.write("more", &json!({ "value": "v" }));
}
