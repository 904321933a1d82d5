//! `/v1/job/<id>/pin`

use serde_json::json;
use testflinger_server::config::{Mode, Raw};

use crate::support::{TestServer, ZERO};

#[test]
fn a_job_is_pinned_and_unpinned_by_who_may_replace_it() {
    let server = TestServer::with(Raw { access: Some(Mode::Contributor), ..Raw::default() });
    let (dev, other) = (server.client("dev", "contributor"), server.client("other", "contributor"));
    let manager = server.client("boss", "manager");
    let id = dev.submit(&json!({ "job_queue": "q" }));
    let path = format!("/v1/job/{id}/pin");
    let pinned = || dev.get(&format!("/v1/job/{id}/status")).value()["pinned"].clone();
    assert_eq!(pinned(), false);
    assert_eq!(other.send("PUT", &path, b"").status, 403);
    assert_eq!(dev.send("PUT", &path, b"").seen(), (200, "OK".to_owned()));
    assert_eq!(dev.send("PUT", &path, b"").status, 200);
    assert_eq!(pinned(), true);
    assert_eq!(manager.delete(&path).seen(), (200, "OK".to_owned()));
    assert_eq!(pinned(), false);
    let events = dev.get(&format!("/v1/events/job/{id}")).value();
    let told: Vec<&str> = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["message"].as_str().unwrap())
        .collect();
    assert_eq!(told[1..], ["Pinned by client dev", "Unpinned by client boss"]);
}

#[test]
fn only_a_job_that_is_there_can_be_pinned() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    assert_eq!(anyone.send("PUT", &format!("/v1/job/{ZERO}/pin"), b"").status, 404);
    let bad = anyone.send("PUT", "/v1/job/x/pin", b"");
    assert_eq!((bad.status, bad.message().as_str()), (400, "Invalid job_id specified"));
}
