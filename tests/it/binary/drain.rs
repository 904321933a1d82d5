//! `drain` and `resume`

use serde_json::json;

use super::cli::Cli;
use crate::support::Program;

#[test]
fn drain_waits_until_nothing_runs() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (program, cli) = (Program::serve(&data), Cli(&data));
    let anyone = program.anonymous();
    let job = anyone.submit(&json!({ "job_queue": "q" }));
    assert_eq!(anyone.claim("q").as_ref(), Some(&job));
    let said = cli.ok(&["drain"]);
    assert!(said.ends_with("until testflinger-server resume\n1 job runs\n"), "{said}");
    let said = std::thread::scope(|scope| {
        let waits = scope.spawn(|| cli.ok(&["drain", "--wait"]));
        let path = format!("/v1/result/{job}");
        assert_eq!(anyone.post(&path, &json!({ "job_state": "complete" })).status, 200);
        waits.join().unwrap()
    });
    assert!(said.ends_with("nothing runs\n"), "{said}");
    let next = anyone.submit(&json!({ "job_queue": "q" }));
    program.stop();

    // On a stopped server, too.
    let program = Program::serve(&data);
    assert_eq!(program.anonymous().claim("q"), None);
    program.stop();
    cli.ok(&["resume"]);
    cli.ok(&["drain", "--wait"]);
    assert_eq!(cli.ok(&["resume"]), "jobs are handed out again\n");
    let program = Program::serve(&data);
    assert_eq!(program.anonymous().claim("q"), Some(next));
    program.stop();
}
