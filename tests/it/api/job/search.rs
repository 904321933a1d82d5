use serde_json::{Value, json};

use crate::support::{Caller, TestServer};

fn ids(anyone: &Caller, query: &str) -> Vec<String> {
    let answer = anyone.get(&format!("/v1/job/search?{query}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let id = |row: &Value| row["job_id"].as_str().unwrap().to_owned();
    answer.value().as_array().unwrap().iter().map(id).collect()
}

#[test]
fn tags_match_any_or_all() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let submit = |tags: &[&str]| anyone.submit(&json!({ "job_queue": "q", "tags": tags }));
    let (a, b, ab, none) = (submit(&["a"]), submit(&["b", "b"]), submit(&["b", "a"]), submit(&[]));
    assert_eq!(ids(&anyone, "tags=a&tags=b"), [a.clone(), b.clone(), ab.clone()]);
    assert_eq!(ids(&anyone, "tags=a&tags=b&match=any"), [a.clone(), b.clone(), ab.clone()]);
    assert_eq!(ids(&anyone, "tags=a&tags=b&match=all"), std::slice::from_ref(&ab));
    assert_eq!(ids(&anyone, "tags=c"), Vec::<String>::new());
    assert_eq!(ids(&anyone, ""), [a, b, ab, none]);
}

#[test]
fn states_are_the_words_of_agents_and_of_the_api_reference() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let job = || anyone.submit(&json!({ "job_queue": "q", "tags": ["t"] }));
    let [waiting, test, complete, completed, cancelled] = [(); 5].map(|()| job());
    let post = |id: &str, state: &str| {
        anyone.post(&format!("/v1/result/{id}"), &json!({ "job_state": state }));
    };
    post(&test, "test");
    post(&complete, "complete");
    post(&completed, "completed");
    anyone.post(&format!("/v1/job/{cancelled}/action"), &json!({ "action": "cancel" }));
    let both = [complete, completed];
    assert_eq!(ids(&anyone, "state=complete"), both);
    assert_eq!(ids(&anyone, "state=completed"), both);
    assert_eq!(ids(&anyone, "state=cancelled"), std::slice::from_ref(&cancelled));
    assert_eq!(ids(&anyone, "state=test&state=cancelled"), [test.clone(), cancelled]);
    assert_eq!(ids(&anyone, "state=active"), [waiting.clone(), test.clone()]);
    assert_eq!(ids(&anyone, "state=active&state=cancelled&tags=t"), [waiting.clone(), test]);
    assert_eq!(ids(&anyone, "state=waiting&tags=t"), [waiting]);
}

#[test]
fn an_unknown_word_for_a_state_counts_as_active() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let id = anyone.submit(&json!({ "job_queue": "q" }));
    anyone.post(&format!("/v1/result/{id}"), &json!({ "job_state": "pondering" }));
    assert_eq!(anyone.state(&id), "pondering");
    assert_eq!(ids(&anyone, "state=active"), [id]);
}

#[test]
fn unknown_words_are_refused_and_unknown_parameters_ignored() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let answer = anyone.get("/v1/job/search?match=some");
    assert_eq!(answer.status, 422);
    let refused = json!({ "query": { "match": ["Must be one of: any, all."] } });
    assert_eq!(answer.value()["detail"], refused);
    let answer = anyone.get("/v1/job/search?state=test&state=pondering");
    assert_eq!(answer.status, 422);
    let message = answer.value()["detail"]["query"]["state"]["1"][0].as_str().unwrap().to_owned();
    assert!(message.starts_with("Must be one of: setup, provision, "), "{message}");
    assert_eq!(ids(&anyone, "colour=red"), Vec::<String>::new());
}
