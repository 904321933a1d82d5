use serde_json::json;

use crate::support::{Part, TestServer, ZERO};

const ARCHIVE: Part<'static> = Part("file", b"archive");

fn with_attachments() -> serde_json::Value {
    json!({ "job_queue": "q", "test_data": { "attachments": [{ "agent": "a" }] } })
}

#[test]
fn a_job_waits_for_its_attachments_and_then_carries_their_state() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let id = anyone.submit(&with_attachments());
    let later = anyone.submit(&json!({ "job_queue": "q" }));
    let path = format!("/v1/job/{id}/attachments");
    assert_eq!(anyone.get(&path).seen(), (204, String::new()));
    assert_eq!(anyone.get(&format!("/v1/job/{later}/position")).text(), "1");
    assert_eq!(anyone.claim("q"), Some(later));
    assert_eq!(anyone.claim("q"), None);
    assert_eq!(anyone.upload(&path, &[ARCHIVE]).seen(), (200, "OK".to_owned()));
    let answer = anyone.get(&path);
    assert_eq!(answer.seen(), (200, "archive".to_owned()));
    assert_eq!(answer.header("content-type"), Some("application/gzip"));
    let job = anyone.get("/v1/job?queue=q").value();
    assert_eq!((&job["job_id"], &job["attachments_status"]), (&json!(id), &json!("complete")));
    assert_eq!(anyone.get(&format!("/v1/job/{id}")).value().get("attachments_status"), None);
}

#[test]
fn a_second_archive_is_not_taken_and_leaves_no_file() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let path = format!("/v1/job/{}/attachments", anyone.submit(&with_attachments()));
    anyone.upload(&path, &[ARCHIVE]);
    assert_eq!(anyone.upload(&path, &[Part("file", b"other")]).seen(), (200, "OK".to_owned()));
    assert_eq!(anyone.send("POST", &path, b"").status, 400, "that is no archive");
    assert_eq!(anyone.get(&path).text(), "archive");
    assert_eq!(server.blob_files().len(), 1);
}

#[test]
fn only_a_waiting_job_that_names_attachments_takes_them() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let upload = |id: &str| anyone.upload(&format!("/v1/job/{id}/attachments"), &[ARCHIVE]).seen();
    assert_eq!(upload(ZERO), (422, format!("Job {ZERO} is not valid\n")));
    let plain = anyone.submit(&json!({ "job_queue": "p" }));
    assert_eq!(upload(&plain), (422, format!("Job {plain} not awaiting attachments\n")));
    let cancelled = anyone.submit(&with_attachments());
    anyone.post(&format!("/v1/job/{cancelled}/action"), &json!({ "action": "cancel" }));
    assert_eq!(upload(&cancelled), (422, format!("Job {cancelled} is not valid\n")));
    assert_eq!(upload("me"), (400, "Invalid job id\n".to_owned()));
    assert!(server.blob_files().is_empty());
}

#[test]
fn an_archive_belongs_in_the_part_named_file() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let path = format!("/v1/job/{}/attachments", anyone.submit(&with_attachments()));
    let answer = anyone.upload(&path, &[Part("archive", b"x")]);
    assert_eq!((answer.status, answer.message()), (400, "Bad Request".to_owned()));
    assert_eq!(anyone.claim("q"), None);
}

#[test]
fn attachments_of_any_section_count() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    for section in ["provision_data", "firmware_update_data", "customer_data"] {
        anyone.submit(&json!({ "job_queue": "q", section: { "attachments": [{ "agent": "a" }] } }));
    }
    assert_eq!(anyone.claim("q"), None);
}

#[test]
fn a_resubmitted_job_waits_for_its_attachments_again() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let mut job = with_attachments();
    let id = anyone.submit(&job);
    let path = format!("/v1/job/{id}/attachments");
    anyone.upload(&path, &[ARCHIVE]);
    job["job_id"] = json!(id);
    anyone.submit(&job);
    assert_eq!(anyone.claim("q"), None);
    assert_eq!(anyone.get(&path).status, 204);
    anyone.upload(&path, &[ARCHIVE]);
    assert_eq!(anyone.claim("q"), Some(id));
}
