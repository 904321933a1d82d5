//! A server on which everything has happened, and all that it answers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use testflinger_server::config::Raw;

use crate::binary::cli::Cli;
use crate::support::{Answer, Caller, Part, TestServer, ZERO};

/// A server on which everything has happened.
pub(super) struct Lived {
    pub(super) server: TestServer,
    pub(super) jobs: Vec<String>,
    /// The job that is in its second try.
    pub(super) retried: String,
    pub(super) dir: TempDir,
}

fn ok(answer: &Answer) {
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn fragment(number: i64, phase: &str, text: &str) -> Value {
    json!({ "fragment_number": number, "timestamp": "2026-11-23T12:00:00+00:00", "phase": phase, "log_data": text })
}

impl Lived {
    pub(super) fn new() -> Self {
        let server = TestServer::with(Raw {
            webhook_url: Some("http://127.0.0.1:9".parse().unwrap()),
            ..Raw::default()
        });
        let mut lived = Self {
            server,
            jobs: Vec::new(),
            retried: String::new(),
            dir: tempfile::tempdir().unwrap(),
        };
        lived.administer();
        lived.work();
        lived
    }

    fn administer(&self) {
        let data = self.server.data_dir();
        let cli = Cli(&data);
        for (id, role) in [("boss", "admin"), ("keeper", "manager"), ("dev", "contributor")] {
            assert!(cli.create(id, &["--role", role]).status.success());
        }
        cli.ok(&[
            "client-admin",
            "edit",
            "dev",
            "--max-priority",
            "*=7",
            "--allowed-queue",
            "private",
        ]);
        cli.ok(&["queue-admin", "restrict", "private", "--owner", "keeper"]);
        cli.ok(&["queue-admin", "restrict", "nobody", "--owner", "keeper"]);
        cli.ok(&["queue-admin", "unrestrict", "nobody", "--owner", "keeper"]);
        cli.ok(&["queue-admin", "retries", "flaky", "1"]);
        for name in ["rack1", "rack2", "rack3"] {
            let agent = self.server.agent(name);
            // One that serves a restricted queue is there for no other.
            let queues = if name == "rack3" { vec!["q", "private"] } else { vec!["q", "flaky"] };
            let about = json!({
                "queues": queues, "state": "waiting", "location": "lab \u{e9}", "log": ["hello", name],
                "provision_type": "noprovision", "custom": { "a": [1, 2.5, null] },
            });
            ok(&agent.post(&format!("/v1/agents/data/{name}"), &about));
        }
        let agent = self.server.agent("rack1");
        ok(&agent.post("/v1/agents/queues", &json!({ "q": "a queue", "flaky": "" })));
        ok(&agent.post(
            "/v1/agents/images",
            &json!({ "q": { "image": "url: http://x" }, "pictures": { "b": "url: y" } }),
        ));
        cli.ok(&["agent-admin", "drain", "rack3", "--because", "new cables"]);
        let dev = self.client("dev");
        let put = |path: &str, body: &Value| ok(&dev.put(&format!("/v1/secrets/dev/{path}"), body));
        put("wifi/password", &json!({ "value": "open sesame" }));
        put("once", &json!({ "value": "ephemeral value", "ephemeral": true }));
    }

    pub(super) fn client(&self, id: &str) -> Caller {
        self.server.bearer(&self.server.token(id))
    }

    fn submit(&mut self, caller: &Caller, job: &Value) -> String {
        self.server.pass(Duration::from_millis(1_234));
        let id = caller.submit(job);
        self.jobs.push(id.clone());
        id
    }

    /// Jobs in every state.
    fn work(&mut self) {
        let (anyone, dev) = (self.server.anonymous(), self.client("dev"));
        let (one, two) = (self.server.agent("rack1"), self.server.agent("rack2"));

        let flat = self.submit(
            &anyone,
            &json!({ "job_queue": "q", "name": "flat", "tags": ["a", "b"], "any": { "x": 1.50 } }),
        );
        assert_eq!(one.claim("q").as_ref(), Some(&flat));
        let result = |id: &str| format!("/v1/result/{id}");
        ok(&one.send("POST", &format!("{}/output", result(&flat)), b"first\n"));
        ok(&one.send("POST", &format!("{}/output", result(&flat)), "second \u{e9}\n".as_bytes()));
        ok(&one.post(&result(&flat), &json!({
            "job_state": "complete", "test_status": 3, "test_output": "x".repeat(200_000), "device_info": { "ip": "::1" },
        })));
        ok(&one.upload(&format!("{}/artifact", result(&flat)), &[Part("file", &vec![7; 300_000])]));
        ok(&one.post(
            "/v1/agents/provision_logs/rack1",
            &json!({ "job_id": flat, "exit_code": 0, "detail": "" }),
        ));
        self.server.pass(Duration::from_mins(3));

        let secret = self.submit(&dev, &json!({
            "job_queue": "private", "job_priority": 5,
            "test_data": { "test_cmds": "env", "secrets": { "TOKEN": "wifi/password", "ONCE": "once" } },
        }));
        let pretty = "{\n  \"job_queue\": \"q\",\n  \"extra\": {\n\t\"lines\": [\n1,\r\n2]\n}\n}";
        let answer = anyone.json("POST", "/v1/job", pretty);
        let running = answer.value()["job_id"].as_str().unwrap().to_owned();
        self.jobs.push(running.clone());
        assert_eq!(two.claim("q").as_ref(), Some(&running));
        ok(&two.post(&result(&running), &json!({ "job_state": "provision" })));
        ok(&two.post(&result(&running), &json!({ "status": { "setup": 0 } })));
        for n in 0..3 {
            ok(&two.post(
                &format!("{}/log/output", result(&running)),
                &fragment(n, "provision", &format!("line {n}\n")),
            ));
        }
        ok(&two.post(
            &format!("{}/log/output", result(&running)),
            &fragment(1, "provision", "another line 1\n"),
        ));
        ok(&two.post(&format!("{}/log/serial", result(&running)), &fragment(0, "setup", "boot\n")));
        assert_eq!(anyone.get(&format!("{}/serial_output", result(&running))).text(), "boot\n");

        let retried = self.submit(&anyone, &json!({ "job_queue": "flaky" }));
        assert_eq!(one.claim("flaky").as_ref(), Some(&retried));
        self.retried.clone_from(&retried);
        ok(&one.post(&result(&retried), &json!({ "job_state": "provision" })));
        ok(&one.post(
            &format!("{}/log/output", result(&retried)),
            &fragment(0, "provision", "no boot\n"),
        ));
        ok(&one.upload(
            &format!("{}/artifact", result(&retried)),
            &[Part("file", b"of the first try")],
        ));
        ok(&one.post(
            "/v1/agents/provision_logs/rack1",
            &json!({ "job_id": retried, "exit_code": 46, "detail": "no" }),
        ));
        ok(&one.post(&result(&retried), &json!({ "status": { "provision": 46 } })));
        ok(&one.post(
            &result(&retried),
            &json!({ "status": { "provision": 46 }, "job_state": "complete" }),
        ));

        let cancelled = self.submit(&anyone, &json!({ "job_queue": "q" }));
        ok(&anyone.post(&format!("/v1/job/{cancelled}/action"), &json!({ "action": "cancel" })));
        let pinned = self.submit(
            &dev,
            &json!({ "job_queue": "q", "job_priority": 3, "exclude_agents": ["rack3"] }),
        );
        ok(&dev.send("PUT", &format!("/v1/job/{pinned}/pin"), b""));
        let attached = json!({ "job_queue": "q", "test_data": { "attachments": [{ "agent": "a" }], "test_cmds": "true" } });
        self.submit(&anyone, &attached);
        let whole = self.submit(&anyone, &attached);
        ok(&anyone.upload(&format!("/v1/job/{whole}/attachments"), &[Part("file", b"archive")]));
        self.submit(&anyone, &json!({ "job_queue": "q", "reserve_data": { "ssh_keys": ["lp:me"], "timeout": "2h" } }));
        ok(&two.post(&result(ZERO), &json!({ "exit_code": 0, "output": "of nobody" })));
        // Nobody listens there, so that a notice waits.
        let event = json!({ "event_name": "x", "timestamp": "2026-11-23T12:00:00Z", "detail": "" });
        let told = json!({
            "agent_id": "rack1", "job_queue": "q", "events": [event], "job_status_webhook": "http://127.0.0.1:9/x",
        });
        assert_eq!(anyone.post(&format!("/v1/job/{secret}/events"), &told).status, 502);
        self.jobs.push(ZERO.to_owned());
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Exports it while it is stopped.
    pub(super) fn export(&mut self, name: &str, more: &[&str]) -> PathBuf {
        let (to, data) = (self.path(name), self.server.data_dir());
        let args = [&["export", to.to_str().unwrap()], more].concat();
        self.server.restart_after(|| drop(Cli(&data).ok(&args)));
        to
    }

    /// What the server answers to whoever may see everything, by path; what has an effect comes last.
    pub(super) fn answers(&self) -> BTreeMap<String, (u16, String)> {
        let boss = self.client("boss");
        let api = boss.get("/openapi.json").value();
        let mut paths = Vec::new();
        for (path, methods) in api["paths"].as_object().unwrap() {
            let skipped = [
                "/docs",
                "/metrics",
                "/healthz",
                "/readyz",
                "/openapi.json",
                "/v1/oauth2",
                "/v1/stream",
                "/admin",
            ];
            let taking = path == "/v1/job" || path.ends_with("output") || path.ends_with("/stream");
            if methods.get("get").is_some()
                && !taking
                && !skipped.iter().any(|skip| path.starts_with(skip))
            {
                paths.extend(self.filled(path));
            }
        }
        paths.extend(["/agents", "/jobs", "/queues", "/"].map(ToOwned::to_owned));
        paths.extend(self.jobs.iter().map(|id| format!("/jobs/{id}")));
        paths.extend(
            [
                "/v1/queues/wait_times?queue=q",
                "/v1/job/search?state=cancelled",
                "/v1/job/search?tags=a",
            ]
            .map(ToOwned::to_owned),
        );
        for id in &self.jobs {
            paths.extend(
                ["", "/status", "/artifact"].map(|end| format!("/v1/result/{id}{end}?try=1")),
            );
        }
        paths.extend(self.jobs.iter().flat_map(|id| {
            ["output", "serial_output"].map(|name| format!("/v1/result/{id}/{name}"))
        }));
        let mut answers: BTreeMap<String, (u16, String)> = BTreeMap::new();
        for path in paths {
            let answer = boss.get(&path);
            // What is not text is compared all the same.
            let bytes = |body: Vec<u8>| body.iter().map(|byte| char::from(*byte)).collect();
            let body = String::from_utf8(answer.body).unwrap_or_else(|bad| bytes(bad.into_bytes()));
            answers.insert(path, (answer.status, body));
        }
        for n in 0..9 {
            let claim = self.server.agent(&format!("new{n}")).get("/v1/job?queue=q&queue=flaky");
            answers.insert(format!("claim {n}"), (claim.status, claim.text().to_owned()));
        }
        answers
    }

    /// A path of the API for each thing that it can be about.
    fn filled(&self, path: &str) -> Vec<String> {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let all = [
            ("{kind}", words(&["output", "serial"])),
            ("{queue}", words(&["q", "flaky", "private", "nobody", "pictures", "unknown"])),
            ("{name}", words(&["rack1", "rack2", "rack3", "unknown"])),
        ];
        let ids = if path.starts_with("/v1/client") {
            words(&["boss", "keeper", "dev", "unknown"])
        } else {
            self.jobs.clone()
        };
        let mut found = vec![path.to_owned()];
        for (name, values) in all.iter().chain(&[("{id}", ids)]) {
            let each = |path: String| {
                values.iter().map(move |value| path.replace(name, value)).collect::<Vec<_>>()
            };
            if path.contains(name) {
                found = found.into_iter().flat_map(each).collect();
            }
        }
        assert!(
            found.iter().all(|path| !path.contains('{')),
            "{path} has a part that this test does not know"
        );
        found
    }
}
