//! Values that come back in what a job says are not shown.

use serde_json::{Value, json};
use testflinger_server::config::Raw;

use super::Lab;
use crate::support::{Events, TestServer};

const SECRET: &str = "hunter22hunter";

/// A running job that uses [`SECRET`].
fn running(lab: &Lab) -> String {
    lab.write("a", &json!({ "value": SECRET }));
    let id = lab.submitted(&json!({ "A": "a" }));
    assert_eq!(Lab::handed_out(&lab.agent), json!({ "A": SECRET }));
    id
}

#[track_caller]
fn post(lab: &Lab, id: &str, number: i64, phase: &str, text: &str) {
    let fragment = json!({
        "fragment_number": number,
        "timestamp": "2026-11-23T12:00:00+00:00",
        "phase": phase,
        "log_data": text,
    });
    let answer = lab.agent.post(&format!("/v1/result/{id}/log/output"), &fragment);
    assert_eq!(answer.status, 200);
}

fn read(lab: &Lab, id: &str, from: i64) -> Value {
    let path = format!("/v1/result/{id}/log/output?start_fragment={from}");
    lab.ci.get(&path).value()["output"].clone()
}

#[test]
fn a_value_in_a_result_is_masked_in_short_and_in_long_members() {
    let lab = Lab::new();
    let id = running(&lab);
    let long = format!("{}{SECRET}{}", "x".repeat(200_000), "y".repeat(200_000));
    let body = json!({
        "test_output": format!("password: {SECRET}\n"),
        "setup_output": long,
        "device_info": { SECRET: [SECRET, 5] },
        "test_status": 0,
    });
    assert_eq!(lab.agent.post(&format!("/v1/result/{id}"), &body).status, 200);
    let answer = lab.ci.get(&format!("/v1/result/{id}"));
    assert!(!answer.text().contains("hunter"), "{:.300}", answer.text());
    let shown = answer.value();
    assert_eq!(shown["test_output"], "password: ********\n");
    assert_eq!(shown["device_info"], json!({ "********": ["********", 5] }));
    let expected = format!("{}********{}", "x".repeat(200_000), "y".repeat(200_000));
    assert_eq!(shown["setup_output"], expected.as_str());
}

#[test]
fn a_value_across_fragments_is_masked_from_wherever_one_reads() {
    let lab = Lab::new();
    let id = running(&lab);
    post(&lab, &id, 0, "test", "it is hunter");
    let first = read(&lab, &id, 0)["test"].clone();
    assert_eq!(first, json!({ "last_fragment_number": -1, "log_data": "" }), "held back");
    post(&lab, &id, 1, "test", "22hun");
    post(&lab, &id, 2, "test", "ter, and more");
    assert_eq!(read(&lab, &id, 0)["test"]["log_data"], "it is ********, and more");
    assert_eq!(read(&lab, &id, 2)["test"]["log_data"], "********, and more");
    let result = lab.ci.get(&format!("/v1/result/{id}")).value();
    assert_eq!(result["test_output"], "it is ********, and more");
}

/// The texts of the output that a watcher is told until the job ends.
fn watched(mut events: Events) -> String {
    let mut told = String::new();
    while let Some(event) = events.next() {
        if event.name == "output" {
            told.push_str(event.data["text"].as_str().unwrap());
        }
    }
    told
}

#[test]
fn a_value_across_fragments_is_masked_for_whoever_watches() {
    let lab = Lab::new();
    let id = running(&lab);
    let (token, path) = (lab.server.token("ci"), format!("/v1/job/{id}/stream"));
    let watch = |more: &str| {
        let headers = format!("Authorization: Bearer {token}\r\n{more}");
        Events::open(&lab.server.url(), &path, &headers)
    };
    let mut early = watch("");
    post(&lab, &id, 0, "test", "it is hunter");
    let (told, place) = early.until("output");
    assert_eq!(told["text"], "it is ");
    post(&lab, &id, 1, "test", "22hun");
    post(&lab, &id, 2, "test", "ter, and hunt");
    assert_eq!(early.until("output").0["text"], "********, and ");
    let end = json!({ "job_state": "complete" });
    assert_eq!(lab.agent.post(&format!("/v1/result/{id}"), &end).status, 200);
    assert_eq!(watched(early), "hunt");
    assert_eq!(watched(watch("")), "it is ********, and hunt");
    // What was held back is told again rather than lost.
    let header = format!("Last-Event-ID: {}\r\n", place.unwrap());
    assert_eq!(watched(watch(&header)), "it is ********, and hunt");
    // Nor can anybody begin in the middle of a value.
    assert_eq!(watched(watch("Last-Event-ID: 1-0-2-0\r\n")), "********, and hunt");
}

#[test]
fn what_only_looks_like_a_value_is_shown_when_the_job_has_ended() {
    let lab = Lab::new();
    let id = running(&lab);
    post(&lab, &id, 0, "test", "we went hunt");
    assert_eq!(read(&lab, &id, 0)["test"]["last_fragment_number"], -1);
    let result = |id: &str| lab.ci.get(&format!("/v1/result/{id}")).value();
    assert_eq!(result(&id)["test_output"], "we went ");
    let end = json!({ "job_state": "complete" });
    assert_eq!(lab.agent.post(&format!("/v1/result/{id}"), &end).status, 200);
    assert_eq!(read(&lab, &id, 0)["test"]["log_data"], "we went hunt");
    assert_eq!(result(&id)["test_output"], "we went hunt");
}

#[test]
fn a_phase_that_is_over_is_not_held_back() {
    let lab = Lab::new();
    let id = running(&lab);
    post(&lab, &id, 0, "setup", "we went hunt");
    post(&lab, &id, 1, "test", "found nothing");
    let log = read(&lab, &id, 0);
    assert_eq!(log["setup"]["log_data"], "we went hunt");
    assert_eq!(log["test"]["last_fragment_number"], 1);
}

#[test]
fn a_fragment_that_is_sent_again_is_masked_too() {
    let lab = Lab::new();
    let id = running(&lab);
    for text in ["it is hunter22", "it is hunter22hunter"] {
        post(&lab, &id, 0, "test", text);
        post(&lab, &id, 0, "test", text);
    }
    post(&lab, &id, 1, "test", "hunter.");
    let shown = read(&lab, &id, 0)["test"]["log_data"].as_str().unwrap().to_owned();
    assert!(!shown.contains(SECRET), "{shown}");
}

#[test]
fn text_that_is_read_once_is_masked_across_its_pieces() {
    let lab = Lab::new();
    let id = running(&lab);
    let path = format!("/v1/result/{id}/output");
    let send = |text: &str| assert_eq!(lab.agent.send("POST", &path, text.as_bytes()).status, 200);
    send("one");
    send("it is hunter");
    assert_eq!(lab.ci.get(&path).seen(), (200, "one".to_owned()), "the second waits");
    assert_eq!(lab.ci.get(&path).status, 204);
    send("22hunter.");
    send("done");
    assert_eq!(lab.ci.get(&path).seen(), (200, "it is ********\n.\ndone".to_owned()));
}

#[test]
fn the_stored_bytes_stay_and_a_setting_turns_masking_off() {
    let raw =
        Raw { mask_secrets: Some(testflinger_server::config::Switch(false)), ..Raw::default() };
    let lab = Lab::on(TestServer::with(raw));
    let id = running(&lab);
    post(&lab, &id, 0, "test", "it is hunter");
    post(&lab, &id, 1, "test", "22hunter");
    assert_eq!(read(&lab, &id, 0)["test"]["log_data"], format!("it is {SECRET}"));
}

#[test]
fn a_short_value_is_not_masked() {
    let lab = Lab::new();
    lab.write("a", &json!({ "value": "1234567" }));
    let id = lab.submitted(&json!({ "A": "a" }));
    Lab::handed_out(&lab.agent);
    post(&lab, &id, 0, "test", "1234567");
    assert_eq!(read(&lab, &id, 0)["test"]["log_data"], "1234567");
}

#[test]
fn a_value_is_masked_on_pages_too() {
    let lab = Lab::new();
    let id = running(&lab);
    let long = format!("{}\n{SECRET}\n{}", "x".repeat(200_000), "y".repeat(40_000));
    post(&lab, &id, 0, "test", &format!("before {SECRET} after\n{}", &SECRET[..7]));
    let body = json!({
        "setup_output": long, "setup_serial": format!("serial {SECRET}"), "device_info": { "key": SECRET }, "note": SECRET,
    });
    assert_eq!(lab.agent.post(&format!("/v1/result/{id}"), &body).status, 200);
    for path in [
        format!("/jobs/{id}"),
        format!("/jobs/{id}/log/output/setup"),
        format!("/jobs/{id}/log/serial/setup"),
        format!("/jobs/{id}/log/output/test"),
        format!("/jobs/{id}/log/output/test?find=before"),
    ] {
        let answer = lab.ci.get(&path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(!answer.text().contains("hunter"), "{path}: {:.3000}", answer.text());
    }
    let shown = lab.ci.get(&format!("/jobs/{id}"));
    let mut stream = crate::pages::open(&lab.server, shown.text(), "");
    post(&lab, &id, 1, "test", &format!("{}\nend\n", &SECRET[7..]));
    let mut text = String::new();
    while !text.ends_with("end\n") {
        let told = stream.next().unwrap().data;
        for log in told["logs"].as_array().unwrap() {
            text.push_str(log[1].as_str().unwrap());
        }
    }
    assert_eq!(text, "before ******** after\n********\nend\n");
}

#[test]
fn a_value_across_two_parts_of_a_long_log_is_masked() {
    let lab = Lab::new();
    let id = running(&lab);
    let filler = "long line\n".repeat(30_000);
    post(&lab, &id, 0, "test", &format!("{filler}it is {}", &SECRET[..7]));
    post(&lab, &id, 1, "test", &format!("{} and more\n{filler}", &SECRET[7..]));
    post(&lab, &id, 2, "test", "end\n");
    let path = format!("/jobs/{id}/log/output/test");
    let part = |number: usize| lab.ci.get(&format!("{path}?part={number}")).text().to_owned();
    let all = part(0) + &part(1) + &part(2);
    assert!(all == format!("{filler}it is ******** and more\n{filler}end\n"), "{:.300}", part(1));
}

#[test]
fn a_value_is_masked_in_what_an_earlier_try_said_and_the_next_try_gets_the_same() {
    let lab = Lab::new();
    let other = lab.agent.without("Cookie").header("Cookie", "agent_name=rack2");
    for (agent, name) in [(&lab.agent, "rack1"), (&other, "rack2")] {
        let post = json!({ "queues": ["q"], "state": "waiting" });
        assert_eq!(agent.post(&format!("/v1/agents/data/{name}"), &post).status, 200);
    }
    lab.server.local().send("PUT", "/admin/queues/q", Some(&json!({ "retries": 1 })));
    let id = running(&lab);
    post(&lab, &id, 0, "provision", &format!("with {SECRET}\n"));
    let serial = format!("{SECRET}{}", "x".repeat(200_000));
    let end = json!({
        "provision_status": 1, "provision_serial": serial, "device_info": { "key": SECRET },
        "job_state": "complete",
    });
    assert_eq!(lab.agent.post(&format!("/v1/result/{id}"), &end).status, 200);
    // Otherwise the old value would be shown from now on.
    lab.write("a", &json!({ "value": "another value" }));
    assert_eq!(Lab::handed_out(&other), json!({ "A": SECRET }));
    for what in ["?try=1", "/log/output?try=1", "/log/output"] {
        let answer = lab.ci.get(&format!("/v1/result/{id}{what}"));
        let text = answer.text();
        assert!(text.contains("********") && !text.contains("hunter"), "{what}: {text:.300}");
    }
    let page = lab.server.anonymous().get(&format!("/jobs/{id}/log/serial/provision?try=1"));
    assert!(page.text().starts_with("********x"), "{:.100}", page.text());
}
