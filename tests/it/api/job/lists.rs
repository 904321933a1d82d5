//! Lists that are longer than a page.

use serde_json::{Value, json};

use crate::support::TestServer;

const JOBS: usize = 600;

#[test]
fn lists_of_any_length_are_answered_whole_and_in_order() {
    let server = TestServer::start();
    std::thread::scope(|scope| {
        for n in 0..20 {
            let caller = server.anonymous();
            scope.spawn(move || {
                for _ in 0..JOBS / 20 {
                    caller.submit(&json!({ "job_queue": "q", "tags": [format!("t{}", n % 2)] }));
                }
            });
        }
    });
    let anyone = server.anonymous();
    let ids = |path: &str| {
        let value = anyone.get(path).value();
        let id = |row: &Value| row["job_id"].as_str().unwrap().to_owned();
        value.as_array().unwrap().iter().map(id).collect::<Vec<String>>()
    };
    let all = ids("/v1/queues/q/jobs");
    assert_eq!(all.len(), JOBS);
    for path in [
        "",
        "?tags=t0&tags=t1",
        "?state=waiting",
        "?state=active",
        "?tags=t1&tags=t0&state=waiting",
    ] {
        assert_eq!(ids(&format!("/v1/job/search{path}")), all, "{path}");
    }
    assert_eq!(ids("/v1/job/search?tags=t0").len(), JOBS / 2);
    assert_eq!(ids("/v1/job/search?tags=t0&tags=t1&match=all"), Vec::<String>::new());
    assert_eq!(anyone.get(&format!("/v1/job/{}/position", all[JOBS - 1])).text(), "599");
    assert_eq!(anyone.claim("q").as_ref(), Some(&all[0]));
}

#[test]
fn the_position_counts_the_waiting_jobs_before() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let ids: Vec<String> = (0..3).map(|_| anyone.submit(&json!({ "job_queue": "q" }))).collect();
    anyone.submit(&json!({ "job_queue": "other" }));
    let position = |id: &str| anyone.get(&format!("/v1/job/{id}/position")).seen();
    assert_eq!(position(&ids[2]), (200, "2".to_owned()));
    anyone.claim("q").unwrap();
    assert_eq!(position(&ids[2]), (200, "1".to_owned()));
    assert_eq!(position(&ids[0]), (410, "Job not found or already started\n".to_owned()));
    anyone.post(&format!("/v1/job/{}/action", ids[1]), &json!({ "action": "cancel" }));
    assert_eq!(position(&ids[2]), (200, "0".to_owned()));
}

#[test]
fn a_queues_jobs_are_listed_in_all_states() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    for _ in 0..3 {
        anyone.submit(&json!({ "job_queue": "q" }));
    }
    let first = anyone.claim("q").unwrap();
    anyone.claim("q").unwrap();
    anyone.post(&format!("/v1/result/{first}"), &json!({ "job_state": "complete" }));
    let list = anyone.get("/v1/queues/q/jobs").value();
    let states: Vec<&str> =
        list.as_array().unwrap().iter().map(|row| row["job_state"].as_str().unwrap()).collect();
    assert_eq!(states, ["complete", "running", "waiting"]);
}
