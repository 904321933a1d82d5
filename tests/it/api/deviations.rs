//! Where this server deliberately answers differently from those before it, unless another test shows it already.
//! `docs/WIRE-DEVIATIONS.md` lists all such places.

use serde_json::json;
use testflinger_server::config::{GuardedJobs, Mode, Raw};

use crate::support::{Part, TestServer, ZERO};

#[test]
fn any_mapping_is_provision_data_because_each_generation_of_agents_has_its_own() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    for data in [
        json!({ "whatever": 1 }),
        json!({ "url": "not a url" }),
        json!({ "jobs": [] }),
        json!({ "url": "http://a.b/c", "media": "floppy" }),
        json!({ "type": "maas", "distro": "noble" }),
    ] {
        let id = anyone.submit(&json!({ "job_queue": "q", "provision_data": data }));
        assert_eq!(anyone.get(&format!("/v1/job/{id}")).value()["provision_data"], data);
    }
    let id = anyone.submit(&json!({ "job_queue": "q", "provision_data": null }));
    assert_eq!(anyone.get(&format!("/v1/job/{id}")).status, 200);
    let word = anyone.post("/v1/job", &json!({ "job_queue": "q", "provision_data": "skip" }));
    let errors = json!({ "provision_data": { "_schema": "Invalid data type: skip" } });
    assert_eq!((word.status, word.value()["detail"]["json"].clone()), (422, errors));
}

#[test]
fn unknown_members_inside_of_known_sections_are_kept() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let job = json!({
        "job_queue": "q",
        "test_data": { "cmds": "x", "attachments": [{ "local": "d", "agent": "a" }] },
        "reserve_data": { "x": 1 },
    });
    let id = anyone.submit(&job);
    let shown = anyone.get(&format!("/v1/job/{id}")).value();
    assert_eq!(
        (&shown["test_data"], &shown["reserve_data"]),
        (&job["test_data"], &job["reserve_data"])
    );
}

#[test]
fn archives_are_sent_whole_as_they_were_stored_whatever_part_is_asked_for() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let path = format!("/v1/result/{ZERO}/artifact");
    anyone.upload(&path, &[Part("file", b"\x00art")]);
    let part = anyone.clone().header("Range", "bytes=1-2").get(&path);
    assert_eq!((part.status, &part.body[..]), (200, &b"\x00art"[..]));
    assert_eq!(part.header("content-encoding"), None, "a client that decodes gets the same bytes");
    assert_eq!(part.header("content-type"), Some("application/gzip"));
    let head = anyone.send("HEAD", &path, b"");
    assert_eq!((head.status, head.header("content-length")), (200, Some("4")));
}

#[test]
fn reservations_may_be_written_as_durations_and_are_handed_on_in_seconds() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    for (timeout, seconds) in [(json!("1h30m"), 5400), (json!("3600"), 3600), (json!(100), 100)] {
        let id =
            anyone.submit(&json!({ "job_queue": "q", "reserve_data": { "timeout": timeout } }));
        let shown = anyone.get(&format!("/v1/job/{id}")).value();
        assert_eq!(shown["reserve_data"]["timeout"], seconds);
    }
    let bad = json!({ "job_queue": "q", "reserve_data": { "timeout": "soon" } });
    assert_eq!(anyone.post("/v1/job", &bad).status, 422);
}

#[test]
fn a_job_may_say_how_long_it_waits() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let id = anyone.submit(&json!({ "job_queue": "q", "queue_timeout": "1h30m" }));
    assert_eq!(anyone.get(&format!("/v1/job/{id}")).value()["queue_timeout"], 5400);
    for bad in [json!(-1), json!("soon"), json!([])] {
        let answer = anyone.post("/v1/job", &json!({ "job_queue": "q", "queue_timeout": bad }));
        assert_eq!(answer.status, 422, "{bad}");
    }
}

#[test]
fn outside_of_the_open_mode_a_job_is_its_submitters() {
    for mode in [Mode::Contributor, Mode::Locked] {
        let server = TestServer::with(Raw { access: Some(mode), ..Raw::default() });
        let (owner, other) =
            (server.client("owner", "contributor"), server.client("other", "contributor"));
        let manager = server.client("boss", "manager");
        let cancel = json!({ "action": "cancel" });
        let submit = || owner.submit(&json!({ "job_queue": "q" }));
        let id = submit();
        let action = format!("/v1/job/{id}/action");
        let again = json!({ "job_queue": "q", "job_id": id });
        for (path, body) in [(action.as_str(), &cancel), ("/v1/job", &again)] {
            let refused = other.post(path, body);
            assert_eq!(refused.status, 403);
            assert!(refused.message().contains("submitter"), "{}", refused.text());
        }
        assert_eq!(owner.post("/v1/job", &again).status, 200);
        assert_eq!(owner.post(&action, &cancel).seen(), (200, "OK".to_owned()));
        let id = submit();
        assert_eq!(manager.post(&format!("/v1/job/{id}/action"), &cancel).status, 200);
    }
    let open = TestServer::start();
    let owner = open.client("owner", "contributor");
    let id = owner.submit(&json!({ "job_queue": "q" }));
    let cancelled =
        open.anonymous().post(&format!("/v1/job/{id}/action"), &json!({ "action": "cancel" }));
    assert_eq!(cancelled.status, 200, "in an open lab everybody may");
}

#[test]
fn what_the_nameless_submitted_everybody_cancels() {
    let server = TestServer::with(Raw { access: Some(Mode::Contributor), ..Raw::default() });
    for caller in [server.anonymous(), server.client("dev", "contributor")] {
        let id = server.anonymous().submit(&json!({ "job_queue": "q" }));
        let action = format!("/v1/job/{id}/action");
        assert_eq!(caller.post(&action, &json!({ "action": "cancel" })).status, 200);
    }
}

/// The command line of 2025 shows its token only when it submits.
#[test]
fn the_nameless_steer_a_clients_job_unless_it_is_guarded() {
    let statuses = |access: Mode, guarded_jobs: GuardedJobs, restrict: bool| {
        let raw = Raw { access: Some(access), guarded_jobs: Some(guarded_jobs), ..Raw::default() };
        let server = TestServer::with(raw);
        server.client("dev", "contributor");
        if restrict {
            server.client("rig", "agent").post("/v1/agents/data/rig", &json!({ "queues": ["q"] }));
            let owner = json!({ "client_id": "dev" });
            let restricted = server.client("boss", "admin").post("/v1/restricted-queues/q", &owner);
            assert_eq!(restricted.status, 200, "{}", restricted.text());
        }
        let dev = server.anonymous().header("Authorization", &server.token("dev"));
        let test = json!({ "attachments": [{ "agent": "a" }] });
        let id = dev.submit(&json!({ "job_queue": "q", "test_data": test }));
        let anyone = server.anonymous();
        let sent = anyone.upload(&format!("/v1/job/{id}/attachments"), &[Part("file", b"x")]);
        if access != Mode::Open {
            let again = anyone.post("/v1/job", &json!({ "job_queue": "q", "job_id": id }));
            assert!([401, 403].contains(&again.status), "to replace a job is to submit one");
        }
        let cancel = anyone.post(&format!("/v1/job/{id}/action"), &json!({ "action": "cancel" }));
        [sent.status, cancel.status]
    };
    assert_eq!(statuses(Mode::Contributor, GuardedJobs::Restricted, false), [200, 200]);
    assert_eq!(statuses(Mode::Contributor, GuardedJobs::Restricted, true), [403, 403]);
    assert_eq!(statuses(Mode::Contributor, GuardedJobs::All, false), [403, 403]);
    assert_eq!(statuses(Mode::Locked, GuardedJobs::Restricted, false), [401, 401]);
    assert_eq!(statuses(Mode::Open, GuardedJobs::All, false), [200, 200]);
}
