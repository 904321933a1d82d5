//! A result: whatever is posted of a job, its result can be read afterwards.

use super::lab::with_lab;

pub(super) fn run(body: &[u8]) {
    with_lab(|lab| {
        let id = lab.job();
        let path = format!("/v1/result/{id}");
        let answer = lab.post(&path, body);
        assert!(matches!(answer.status, 200 | 400 | 422), "{}", answer.status);
        assert!(lab.get(&path).json()["job_state"].is_string());
    });
}
