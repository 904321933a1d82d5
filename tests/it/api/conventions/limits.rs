//! What one request can cost. `docs/LIMITS.md` lists all limits.

use serde_json::{Map, Value, json};

use crate::support::{Connection, TestServer, ZERO};

#[test]
fn what_is_small_by_nature_has_a_small_body() {
    const KIB: usize = 1024;
    let server = TestServer::start();
    for (path, most) in [
        ("/v1/oauth2/refresh".to_owned(), 64 * KIB),
        (format!("/v1/job/{ZERO}/action"), 64 * KIB),
        (format!("/v1/job/{ZERO}/events"), 1024 * KIB),
        ("/v1/agents/data/a".to_owned(), 1024 * KIB),
        ("/v1/agents/provision_logs/a".to_owned(), 1024 * KIB),
        ("/v1/agents/queues".to_owned(), 1024 * KIB),
        ("/v1/agents/images".to_owned(), 1024 * KIB),
    ] {
        let answer = server.anonymous().json("POST", &path, &" ".repeat(most));
        assert_ne!(answer.status, 413, "{path}");
        // Only announced: a client that is still sending may not get to see the answer.
        let mut connection = Connection::open(&server.url());
        let length = format!("Content-Length: {}", most + 1);
        connection.begin(&format!("POST {path}"), "application/json", &length);
        assert_eq!(connection.answer().0, 413, "{path}");
    }
}

fn object(members: usize) -> Map<String, Value> {
    (0..members).map(|n| (format!("m{n}"), json!(n))).collect()
}

#[test]
fn an_object_that_is_looked_into_has_at_most_a_thousand_members() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let job = |members: usize, inside: usize| {
        let mut job = object(members - 2);
        job.insert("job_queue".to_owned(), json!("q"));
        job.insert("test_data".to_owned(), Value::Object(object(inside)));
        anyone.post("/v1/job", &Value::Object(job))
    };
    assert_eq!(job(1000, 1000).status, 200);
    let wrong = json!(["Longer than maximum length 1000."]);
    assert_eq!(job(1001, 0).value()["detail"]["json"], json!({ "_schema": wrong }));
    let inside = json!({ "test_data": { "_schema": wrong } });
    assert_eq!(job(2, 1001).value()["detail"]["json"], inside);
    let free = json!({ "job_queue": "q", "allocate_data": object(5000), "x": object(5000) });
    assert_eq!(anyone.post("/v1/job", &free).status, 200, "nobody looks into these");
}

#[test]
fn lists_of_names_have_at_most_a_thousand() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let wrong = json!(["Longer than maximum length 1000."]);
    let names = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>();
    let job = |count| json!({ "job_queue": "q", "tags": names(count), "x": names(5000) });
    assert_eq!(anyone.post("/v1/job", &job(1000)).status, 200);
    let answer = anyone.post("/v1/job", &job(1001));
    assert_eq!(answer.value()["detail"]["json"], json!({ "tags": wrong }));
    let excluded = json!({ "job_queue": "q", "exclude_agents": names(1001) });
    let answer = anyone.post("/v1/job", &excluded);
    assert_eq!(answer.value()["detail"]["json"], json!({ "exclude_agents": wrong }));
    let answer = anyone.post("/v1/agents/data/a", &json!({ "queues": names(1001) }));
    assert_eq!(answer.value()["detail"]["json"], json!({ "queues": wrong }));
    let claim = |count| anyone.get(&format!("/v1/job?queue={}", names(count).join("&queue=")));
    assert_eq!(claim(1000).status, 204);
    assert_eq!(claim(1001).value()["detail"]["query"], json!({ "queue": wrong }));
}

#[test]
fn an_agent_sends_at_most_ten_thousand_lines_of_its_log_at_once() {
    let server = TestServer::start();
    let post = |lines| {
        server.anonymous().post("/v1/agents/data/a", &json!({ "log": vec!["a line"; lines] }))
    };
    assert_eq!(post(10_000).status, 200);
    assert_eq!(post(10_001).status, 422);
}

#[test]
fn a_search_names_at_most_a_hundred_tags() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let search = |tags| anyone.get(&format!("/v1/job/search?{}", vec!["tags=a"; tags].join("&")));
    assert_eq!(search(100).status, 200);
    let wrong = json!({ "tags": ["Longer than maximum length 100."] });
    assert_eq!(search(101).value()["detail"]["query"], wrong);
    assert_eq!(search(8000).status, 422);
}

#[test]
fn at_most_a_hundred_errors_are_listed() {
    let server = TestServer::start();
    let path = "/v1/agents/provision_logs/a";
    let answer = server.anonymous().post(path, &Value::Object(object(1000)));
    let errors = &answer.value()["detail"]["json"];
    assert_eq!(errors.as_object().unwrap().len(), 101);
    assert_eq!(errors["_schema"], json!(["Only 100 errors are listed."]));
    let lists = json!({ "job_queue": "q", "tags": vec![1; 1000], "exclude_agents": vec![1; 1000] });
    let answer = server.anonymous().post("/v1/job", &lists);
    let errors = &answer.value()["detail"]["json"];
    assert_eq!(errors["tags"].as_object().unwrap().len(), 100);
    assert_eq!(errors["exclude_agents"], json!(null));
}

#[test]
fn an_error_repeats_little_of_what_was_sent() {
    let server = TestServer::start();
    let long = "x".repeat(100_000);
    for (path, body) in [
        ("/v1/agents/provision_logs/a", json!({ &long: 1, "job_id": "a", "exit_code": 0 })),
        ("/v1/job", json!({ "job_queue": "q", "provision_data": long })),
        ("/v1/agents/images", json!({ "q": { &long: 1 } })),
        ("/v1/agents/queues", json!({ &long: 1 })),
        (&format!("/v1/result/{ZERO}"), json!({ "status": { &long: 1 } })),
    ] {
        let answer = server.anonymous().post(path, &body);
        assert_eq!(answer.status, 422);
        assert!(answer.body.len() < 1024, "{path}: {}", answer.body.len());
    }
}

#[test]
fn every_limit_names_its_test() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join("docs/LIMITS.md")).unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| What |"));
    for row in rows {
        let test = row.split('`').rev().nth(1).unwrap();
        let (module, name) = test.rsplit_once("::").unwrap();
        let below = if module.starts_with("src::") { "" } else { "tests/it" };
        let folder = root.join(below).join(module.replace("::", "/"));
        let tests = std::fs::read_to_string(folder.with_extension("rs"))
            .or_else(|_| std::fs::read_to_string(folder.join("mod.rs")))
            .unwrap_or_default();
        assert!(tests.contains(&format!("fn {name}()")), "{row}");
    }
}

#[test]
fn an_agent_says_at_most_a_mebibyte_about_itself() {
    let server = TestServer::start();
    let agent = server.anonymous();
    let post = |name: &str, size| {
        agent.post("/v1/agents/data/a", &json!({ name: "x".repeat(size) })).status
    };
    assert_eq!(post("first", 600_000), 200);
    assert_eq!(post("second", 600_000), 413);
    // What replaces something does not add to it.
    assert_eq!(post("first", 700_000), 200);
    assert_eq!(post("state", 10), 200);
    let shown = agent.get("/v1/agents/data/a").value();
    assert_eq!((shown["state"].as_str().unwrap().len(), shown.get("second")), (10, None));
}
