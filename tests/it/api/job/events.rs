//! Events and the webhooks that they go to.

use std::time::Duration;

use serde_json::{Value, json};
use testflinger_server::config::{Mode, Raw, Switch};

use crate::support::{Hook, TestServer, ZERO, free_address, hook, hook_on, until};

/// A webhook, and a server that lists it: this machine itself is asked only where it is listed.
fn listed() -> (TestServer, Hook) {
    let hook = hook();
    let origins = Some(hook.url.parse().unwrap());
    (TestServer::with(Raw { webhook_url: origins, ..Raw::default() }), hook)
}

fn event(url: &str) -> Value {
    json!({
        "agent_id": "agent-00",
        "job_queue": "myqueue",
        "job_status_webhook": url,
        "events": [{ "event_name": "started", "timestamp": "2024-05-03T19:11:33+00:00", "detail": "d" }],
    })
}

fn path() -> String {
    format!("/v1/job/{ZERO}/events")
}

#[test]
fn the_webhook_gets_the_event_and_the_agent_its_answer() {
    let (server, hook) = listed();
    for (status, text) in [(200, "said the hook"), (418, "said the hook"), (204, "")] {
        let answer = server.anonymous().post(&path(), &event(&format!("{}/{status}", hook.url)));
        assert_eq!(answer.seen(), (status, text.to_owned()));
        let (head, body) = hook.asked.recv().unwrap();
        assert!(head.starts_with(&format!("PUT /{status} ")), "{head}");
        assert_eq!(
            body,
            "{\"agent_id\": \"agent-00\", \"job_queue\": \"myqueue\", \"events\": \
             [{\"detail\": \"d\", \"event_name\": \"started\", \"timestamp\": \"2024-05-03T19:11:33+00:00\"}]}"
        );
    }
}

#[test]
fn a_webhook_that_wants_another_token_is_not_taken_for_this_server() {
    let (server, hook) = listed();
    for status in [401, 403] {
        let answer = server.anonymous().post(&path(), &event(&format!("{}/{status}", hook.url)));
        assert_eq!((answer.status, answer.message()), (502, format!("Webhook answered {status}")));
    }
}

#[test]
fn other_fields_are_forwarded_too() {
    let (server, hook) = listed();
    let mut event = event(&format!("{}/200", hook.url));
    event["extra"] = json!({ "n": 1.50 });
    assert_eq!(server.anonymous().post(&path(), &event).status, 200);
    assert!(hook.asked.recv().unwrap().1.ends_with(", \"extra\": {\"n\": 1.5}}"));
}

#[test]
fn redirects_are_passed_on_and_not_followed() {
    let (server, hook) = listed();
    let answer = server.anonymous().post(&path(), &event(&format!("{}/302", hook.url)));
    assert_eq!(answer.status, 302);
    assert!(hook.asked.recv().unwrap().0.starts_with("PUT /302"));
    assert!(hook.asked.try_recv().is_err());
}

#[test]
fn bad_arguments_are_400() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let wrong = |body: &Value| {
        let answer = anyone.post(&path(), body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        answer.value()["detail"]["json"].clone()
    };
    assert_eq!(
        wrong(&json!({ "agent_id": "a" })),
        json!({ "job_status_webhook": ["Missing data for required field."] })
    );
    for url in ["nope", "", "ftp://h/x", "http://user@h/x", "http://"] {
        assert_eq!(
            wrong(&event(url)),
            json!({ "job_status_webhook": ["Not a valid URL."] }),
            "{url}"
        );
    }
    let mut bad = event("http://mywebhook");
    bad["events"] = json!([{ "event_name": "x" }]);
    let missing =
        json!({ "events": { "0": { "timestamp": ["Missing data for required field."] } } });
    assert_eq!(wrong(&bad), missing);
    let answer = anyone.post("/v1/job/bad/events", &event("http://mywebhook"));
    assert_eq!((answer.status, answer.message().as_str()), (400, "Invalid job_id specified"));
}

#[test]
fn a_webhook_that_nobody_serves_is_502() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let origins = Some(format!("http://{free}").parse().unwrap());
    let server = TestServer::with(Raw { webhook_url: origins, ..Raw::default() });
    let answer = server.anonymous().post(&path(), &event(&format!("http://{free}/x")));
    assert_eq!((answer.status, answer.message().as_str()), (502, "Webhook unreachable"));
}

#[test]
fn a_slow_webhook_is_504_and_holds_up_nobody_else() {
    let (server, hook) = listed();
    let slow = event(&format!("{}/slow", hook.url));
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..40)
            .map(|_| scope.spawn(|| server.anonymous().post(&path(), &slow).seen()))
            .collect();
        hook.asked.recv().unwrap();
        let anyone = server.anonymous();
        let id = anyone.submit(&json!({ "job_queue": "q" }));
        assert_eq!(anyone.claim("q"), Some(id.clone()));
        assert_eq!(
            anyone.post(&format!("/v1/result/{id}"), &json!({ "setup_status": 0 })).status,
            200
        );
        assert!(
            !asking.iter().all(std::thread::ScopedJoinHandle::is_finished),
            "before the slow ones"
        );
        for slow in asking {
            assert_eq!(slow.join().unwrap(), (504, "Webhook Timeout".to_owned()));
        }
    });
}

#[test]
fn addresses_that_only_this_machine_reaches_are_refused() {
    let server = TestServer::start();
    for url in [
        "http://169.254.169.254/latest",
        "http://[fe80::1]/",
        "http://0.0.0.0/",
        "http://[::ffff:169.254.0.1]/",
    ] {
        let answer = server.anonymous().post(&path(), &event(url));
        assert_eq!(answer.status, 400, "{url}: {}", answer.text());
        assert!(answer.text().contains("not allowed"), "{}", answer.text());
    }
}

#[test]
fn where_tokens_are_needed_only_listed_webhooks_are_asked_and_get_the_sites_token() {
    let hook = hook();
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, "hook-token\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&token, mode).unwrap();
    let server = TestServer::with(Raw {
        access: Some(Mode::Contributor),
        webhook_url: Some(hook.url.parse().unwrap()),
        webhook_auth_file: Some(token),
        ..Raw::default()
    });
    let agent = server.client("rig", "agent");
    assert_eq!(agent.post(&path(), &event(&format!("{}/200", hook.url))).status, 200);
    let head = hook.asked.recv().unwrap().0.to_ascii_lowercase();
    assert!(head.contains("authorization: bearer hook-token"), "{head}");
    let other = self::hook();
    let refused = agent.post(&path(), &event(&format!("{}/200", other.url)));
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("not on the list") && other.asked.try_recv().is_err());
    let none = TestServer::with(Raw { access: Some(Mode::Locked), ..Raw::default() });
    let refused = none.client("rig", "agent").post(&path(), &event(&format!("{}/200", hook.url)));
    assert_eq!(refused.status, 400);
}

fn keeping(origin: &str) -> TestServer {
    let webhook_url = Some(origin.parse().unwrap());
    TestServer::with(Raw { webhook_url, webhook_keep: Some(Switch(true)), ..Raw::default() })
}

#[test]
fn kept_events_are_sent_in_order_once_their_webhook_is_back_and_over_a_restart() {
    let address = free_address();
    let mut server = keeping(&format!("http://{address}"));
    let send = |server: &TestServer, n: usize| {
        let event = event(&format!("http://{address}/n{n}/200"));
        assert_eq!(server.anonymous().post(&path(), &event).seen(), (202, "Accepted".to_owned()));
    };
    (0..5).for_each(|n| send(&server, n));
    server.restart();
    let hook = hook_on(&address);
    (5..8).for_each(|n| send(&server, n));
    let mut heads = Vec::new();
    until("all have come", || {
        server.pass(Duration::from_mins(1));
        heads.extend(hook.asked.try_iter().map(|(head, _)| head));
        heads.len() == 8
    });
    for (n, head) in heads.iter().enumerate() {
        assert!(head.starts_with(&format!("PUT /n{n}/200 ")), "{n}: {head}");
    }
}

#[test]
fn a_webhook_that_is_down_holds_up_no_other_and_the_guard_holds_for_kept_events() {
    let (down, up) = (free_address(), hook());
    let server = keeping(&format!("http://{down},{}", up.url));
    for url in [format!("http://{down}/200"), format!("{}/200", up.url)] {
        assert_eq!(server.anonymous().post(&path(), &event(&url)).status, 202);
    }
    assert!(up.asked.recv().unwrap().0.starts_with("PUT /200 "));
    let other = hook();
    let refused = server.anonymous().post(&path(), &event(&format!("{}/200", other.url)));
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("not on the list"), "{}", refused.text());
}
