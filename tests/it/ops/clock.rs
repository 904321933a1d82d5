//! A clock that jumped must not remove what is young.

use std::time::Duration;

use testflinger_server::domain::{Clock, JobId};
use testflinger_server::ops::{self, Due, Patience, Submission, Sweep};
use testflinger_server::store::{Ages, JobReads};

use crate::support::{Lab, submission};

const HOUR: Duration = Duration::from_hours(1);
const WEEK: Duration = Duration::from_hours(7 * 24);

fn sweep(lab: &Lab) -> Sweep {
    let ages =
        Ages { jobs: WEEK, files: WEEK, agents: WEEK, queues: WEEK, refresh: WEEK, drain: WEEK };
    lab.store.write(move |tx, now| ops::sweep(tx, now, &ages, 100)).unwrap()
}

/// A lab that was swept, with a job that has just ended.
fn swept() -> (Lab, JobId) {
    let lab = Lab::new();
    assert!(matches!(sweep(&lab), Sweep::Done(_)));
    let id = lab.submit(submission("q")).unwrap();
    lab.cancel(id).unwrap();
    (lab, id)
}

fn is_there(lab: &Lab, id: JobId) -> bool {
    lab.store.read().unwrap().job(id).unwrap().is_some()
}

#[test]
fn a_jump_of_more_than_a_day_holds_the_sweep_until_it_is_undone() {
    let (lab, id) = swept();
    let before = lab.clock.now();
    lab.clock.advance(WEEK * 52);
    for _ in 0..3 {
        assert_eq!(sweep(&lab), Sweep::Held { last: before });
        lab.clock.advance(HOUR);
    }
    assert!(is_there(&lab, id));
    lab.clock.set(before);
    lab.clock.advance(HOUR);
    assert!(matches!(sweep(&lab), Sweep::Done(_)));
    assert!(is_there(&lab, id));
}

#[test]
fn a_confirmed_clock_lets_the_sweep_go_on() {
    let (lab, id) = swept();
    lab.clock.advance(WEEK * 2);
    assert!(matches!(sweep(&lab), Sweep::Held { .. }));
    lab.store.write(ops::confirm_clock).unwrap();
    assert!(matches!(sweep(&lab), Sweep::Done(swept) if swept.removed == 1));
    assert!(!is_there(&lab, id));
}

#[test]
fn no_job_has_waited_too_long_by_a_clock_that_is_not_believed() {
    let (lab, _) = swept();
    let patient = Submission { queue_timeout: Some(WEEK), ..submission("q") };
    let id = lab.submit(patient).unwrap();
    let patience =
        Patience { began: lab.clock.now(), acknowledge: HOUR, suspect: HOUR, lost: HOUR };
    let due = || {
        let tx = lab.store.read().unwrap();
        ops::overdue(&tx, lab.clock.now(), &patience, |_| lab.clock.now()).unwrap()
    };
    lab.clock.set(lab.clock.now().plus(WEEK * 52));
    assert_eq!(due(), []);
    lab.store.write(ops::confirm_clock).unwrap();
    assert_eq!(due(), [(id, Due::WaitedTooLong)]);
}

#[test]
fn time_that_passes_as_usual_holds_nothing() {
    let (lab, id) = swept();
    for _ in 0..8 * 24 {
        lab.clock.advance(HOUR);
        assert!(matches!(sweep(&lab), Sweep::Done(_)));
    }
    assert!(!is_there(&lab, id));
}
