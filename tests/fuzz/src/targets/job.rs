//! A job: what is accepted can be read, claimed and looked at; what is not is refused with a reason.

use super::lab::with_lab;

pub(super) fn run(body: &[u8]) {
    with_lab(|lab| {
        let answer = lab.post("/v1/job", body);
        if answer.status != 200 {
            assert!(matches!(answer.status, 400 | 401 | 403 | 422), "{}", answer.status);
            assert!(answer.json()["message"].is_string());
            return;
        }
        let id = answer.json()["job_id"].as_str().unwrap().to_owned();
        let shown = lab.get(&format!("/v1/job/{id}")).json();
        assert_eq!(shown["job_id"], id);
        for path in [format!("/v1/job/{id}/status"), format!("/v1/result/{id}")] {
            assert_eq!(lab.get(&path).status, 200);
        }
        let queue = shown["job_queue"].as_str().unwrap();
        let queue: String = form_urlencoded::byte_serialize(queue.as_bytes()).collect();
        lab.get(&format!("/v1/job?queue={queue}"));
    });
}
