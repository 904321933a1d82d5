//! A result: whatever is posted of a job, its result can be read afterwards.
#![no_main]

use libfuzzer_sys::fuzz_target;
use testflinger_fuzz::with_lab;

fuzz_target!(|body: &[u8]| {
    with_lab(|lab| {
        let id = lab.job();
        let path = format!("/v1/result/{id}");
        let answer = lab.post(&path, body);
        assert!(matches!(answer.status, 200 | 400 | 422), "{}", answer.status);
        assert!(lab.get(&path).json()["job_state"].is_string());
    });
});
