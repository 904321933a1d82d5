//! Who submitted a job is said where the job is, and by the agent that runs it.

use serde_json::{Value, json};

use crate::support::TestServer;

fn agent_of(server: &TestServer) -> Value {
    server.anonymous().get("/v1/agents/data/rig").value()
}

#[test]
fn a_job_and_its_agent_say_who_submitted_it() {
    let server = TestServer::start();
    let agent = server.agent("rig");
    agent.post("/v1/agents/data/rig", &json!({ "state": "waiting", "queues": ["q"] }));
    let id = server.client("dev", "contributor").submit(&json!({ "job_queue": "q" }));
    assert_eq!(agent_of(&server).get("submitted_by"), None);
    let claimed = agent.get("/v1/job?queue=q").value();
    assert_eq!(claimed["client_id"], "dev");
    let shown = server.anonymous().get(&format!("/v1/job/{id}")).value();
    assert_eq!(shown, json!({ "job_id": id, "job_queue": "q", "client_id": "dev" }));
    assert_eq!(agent_of(&server)["submitted_by"], "dev");
    agent.post(&format!("/v1/result/{id}"), &json!({ "job_state": "complete" }));
    assert_eq!(agent_of(&server).get("submitted_by"), None);
}

#[test]
fn nobody_submits_in_the_name_of_another() {
    let server = TestServer::start();
    let (agent, anyone) = (server.agent("rig"), server.anonymous());
    let id = anyone.submit(&json!({ "job_queue": "q", "client_id": "boss" }));
    assert_eq!(anyone.get(&format!("/v1/job/{id}")).value().get("client_id"), None);
    assert_eq!(agent.get("/v1/job?queue=q").value().get("client_id"), None);
    agent.post("/v1/agents/data/rig", &json!({ "submitted_by": "boss", "job_id": id }));
    assert_eq!(agent_of(&server).get("submitted_by"), None);
}

#[test]
fn an_agent_that_names_a_job_of_another_does_not_say_who_submitted_it() {
    let server = TestServer::start();
    let id = server.client("dev", "contributor").submit(&json!({ "job_queue": "q" }));
    server.agent("other").claim("q").unwrap();
    server.agent("rig").post("/v1/agents/data/rig", &json!({ "job_id": id }));
    assert_eq!(agent_of(&server).get("submitted_by"), None);
}
