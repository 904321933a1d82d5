use serde_json::{Value, json};

use crate::support::TestServer;

fn errors(path: &str, body: &Value) -> Value {
    let server = TestServer::start();
    let answer = server.anonymous().post(path, body);
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert_eq!(answer.value()["message"], "Validation error");
    answer.value()["detail"]["json"].clone()
}

#[test]
fn everything_that_is_wrong_with_a_job_is_said_at_once() {
    let body = json!({
        "tags": ["a", 1, null],
        "name": 7,
        "global_timeout": "soon",
        "output_timeout": null,
        "debug": "perhaps",
        "provision_data": "skip",
        "allocate_data": [],
        "test_data": { "test_cmds": 1, "attachments": [{ "agent": "a" }, { "device": 2 }, 3] },
        "reserve_data": { "ssh_keys": ["lp:me", "xx:me"], "timeout": "later" },
        "exclude_agents": "a",
    });
    assert_eq!(
        errors("/v1/job", &body),
        json!({
            "job_queue": ["Missing data for required field."],
            "tags": { "1": ["Not a valid string."], "2": ["Field may not be null."] },
            "name": ["Not a valid string."],
            "global_timeout": ["Not a valid integer."],
            "output_timeout": ["Field may not be null."],
            "debug": ["Not a valid boolean."],
            "provision_data": { "_schema": "Invalid data type: skip" },
            "allocate_data": ["Not a valid mapping type."],
            "test_data": {
                "test_cmds": ["Not a valid string."],
                "attachments": {
                    "1": {
                        "agent": ["Missing data for required field."],
                        "device": ["Not a valid string."],
                    },
                    "2": { "_schema": ["Invalid input type."] },
                },
            },
            "reserve_data": {
                "ssh_keys": { "1": ["String does not match expected pattern."] },
                "timeout": ["Not a valid integer."],
            },
            "exclude_agents": ["Not a valid list."],
        })
    );
}

#[test]
fn an_action_has_one_known_member() {
    let path = "/v1/job/00000000-0000-0000-0000-000000000000/action";
    assert_eq!(
        errors(path, &json!({ "action": "Cancel", "why": "" })),
        json!({ "action": ["Must be one of: cancel."], "why": ["Unknown field."] })
    );
    let missing = json!({ "action": ["Missing data for required field."] });
    assert_eq!(errors(path, &json!({})), missing);
    assert_eq!(
        errors(path, &json!({ "action": null })),
        json!({ "action": ["Field may not be null."] })
    );
}

#[test]
fn an_agent_posts_texts_and_lists_of_texts() {
    assert_eq!(
        errors("/v1/agents/data/a", &json!({ "state": 1, "queues": ["q", 2], "log": null })),
        json!({
            "state": ["Not a valid string."],
            "queues": { "1": ["Not a valid string."] },
            "log": ["Field may not be null."],
        })
    );
}

#[test]
fn a_provisioning_names_its_job_and_how_it_ended() {
    assert_eq!(
        errors("/v1/agents/provision_logs/a", &json!({ "detail": 1, "more": 1 })),
        json!({
            "job_id": ["Missing data for required field."],
            "exit_code": ["Missing data for required field."],
            "detail": ["Not a valid string."],
            "more": ["Unknown field."],
        })
    );
}

#[test]
fn a_result_has_numbers_for_statuses_and_texts_for_logs() {
    let path = "/v1/result/00000000-0000-0000-0000-000000000000";
    let body = json!({
        "test_status": "x", "test_output": 1, "device_info": "d",
        "status": { "test": null, "reset": 1, "setup": "x" },
    });
    let phases =
        "Must be one of: setup, provision, firmware_update, test, allocate, reserve, cleanup.";
    assert_eq!(
        errors(path, &body),
        json!({
            "test_status": ["Not a valid integer."],
            "test_output": ["Not a valid string."],
            "device_info": ["Not a valid mapping type."],
            "status": {
                "test": { "value": ["Field may not be null."] },
                "reset": { "key": [phases] },
                "setup": { "value": ["Not a valid integer."] },
            },
        })
    );
}

#[test]
fn queues_and_images_have_the_shape_that_clients_read() {
    for (path, body, message) in [
        ("queues", json!({ "q": 1 }), "Description for queue 'q' must be a string"),
        ("queues", json!({ "": "x" }), "Queue names must be non-empty strings"),
        ("images", json!({ "q": [] }), "Images for queue 'q' must be a dict"),
        (
            "images",
            json!({ "q": { "a": 1 } }),
            "Provision data for image 'a' in queue 'q' must be a string",
        ),
    ] {
        let found = errors(&format!("/v1/agents/{path}"), &body);
        assert_eq!(found, json!({ "_schema": [message] }));
    }
}

#[test]
fn a_name_is_at_most_a_kilobyte_long() {
    let long = "q".repeat(1025);
    let wrong = json!({ "job_queue": ["Longer than maximum length 1024."] });
    assert_eq!(errors("/v1/job", &json!({ "job_queue": long })), wrong);
}

#[test]
fn an_empty_queue_is_too_short() {
    let wrong = json!({ "job_queue": ["Shorter than minimum length 1."] });
    assert_eq!(errors("/v1/job", &json!({ "job_queue": "" })), wrong);
}

#[test]
fn a_member_of_a_known_section_is_read_once_even_if_it_is_sent_twice() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let body = r#"{"job_queue":"q","reserve_data":{"timeout":"1m","timeout":"1h"}}"#;
    assert_eq!(anyone.json("POST", "/v1/job", body).status, 200);
    let text = anyone.get("/v1/job?queue=q").text().to_owned();
    assert!(text.contains(r#""reserve_data":{"timeout":3600}"#), "{text}");
}
