//! Priority is for clients with a token over HTTP; here the use cases are called directly.

use testflinger_server::domain::JobId;
use testflinger_server::ops::{self, Submission};

use crate::support::{Lab, submission};

fn job(queue: &str, priority: i64) -> Submission {
    Submission { priority, ..submission(queue) }
}

#[test]
fn the_highest_priority_over_all_named_queues_goes_first_then_submit_order() {
    let lab = Lab::new();
    let [low, high, first, negative, second, least] =
        [("a", 1), ("b", 5), ("a", 0), ("c", -3), ("b", 0), ("c", i64::MIN)]
            .map(|(queue, priority)| lab.submit(job(queue, priority)).unwrap());
    lab.submit(job("unasked", i64::MAX)).unwrap();
    let order: Vec<JobId> = (0..6).map(|_| lab.claim(&["c", "b", "a"], None).unwrap()).collect();
    assert_eq!(order, [high, low, first, second, negative, least]);
    assert_eq!(lab.claim(&["a", "b", "c"], None), None);
}

#[test]
fn the_position_follows_priority() {
    let lab = Lab::new();
    let [zero, high, low, another] =
        [0, 9, -9, 0].map(|priority| lab.submit(job("q", priority)).unwrap());
    let tx = lab.store.read().unwrap();
    let positions = [high, zero, another, low]
        .map(|id| ops::position(&tx, &lab.store.lines().unwrap(), id).unwrap());
    assert_eq!(positions, [0, 1, 2, 3]);
}

#[test]
fn a_job_that_excludes_the_caller_does_not_hide_those_behind_it() {
    let lab = Lab::new();
    lab.enrol(&["a", "b"], &["q"]);
    let mut best = job("q", 9);
    best.exclude_agents = crate::support::agents(&["a"]);
    let best = lab.submit(best).unwrap();
    let next = lab.submit(job("q", 1)).unwrap();
    assert_eq!(lab.claim(&["q"], Some("a")), Some(next));
    assert_eq!(lab.claim(&["q"], Some("b")), Some(best));
}
