//! Agents that fall silent.

use std::time::Duration;

use testflinger_server::domain::{
    Change, Clock, EndedBy, Job, JobId, JobState, Log, LogKind, Phase, Subject, Timestamp,
};
use testflinger_server::ops::{self, Due, Patience, Submission};
use testflinger_server::store::{HistoryReads, JobReads, LogReads};

use crate::support::{Lab, submission};

const PATIENCE: Patience = Patience {
    began: Timestamp::from_micros(0),
    acknowledge: Duration::from_mins(2),
    suspect: Duration::from_secs(150),
    lost: Duration::from_mins(30),
};

/// Looks once, with all agents last heard at `heard`, and does what is due.
fn watch(lab: &Lab, heard: Timestamp) -> Vec<Due> {
    let (tx, now) = (lab.store.read().unwrap(), lab.clock.now());
    let due = ops::overdue(&tx, now, &PATIENCE, |_| heard).unwrap();
    drop(tx);
    for &one in &due {
        lab.store.write(move |tx, now| ops::act(tx, now, one, &PATIENCE, |_| heard)).unwrap();
    }
    due.into_iter().map(|(_, due)| due).collect()
}

fn job(lab: &Lab, id: JobId) -> Job {
    lab.store.read().unwrap().job(id).unwrap().unwrap()
}

/// A job that the agent has and has acknowledged, and when.
fn running(lab: &Lab) -> (JobId, Timestamp) {
    let id = lab.submit(submission("q")).unwrap();
    assert_eq!(lab.claim(&["q"], Some("rig")), Some(id));
    lab.post_state(id, "test", Some("rig"));
    (id, lab.clock.now())
}

#[test]
fn a_job_that_is_not_acknowledged_goes_back_to_its_old_place() {
    let lab = Lab::new();
    let first = lab.submit(submission("q")).unwrap();
    let second = lab.submit(submission("q")).unwrap();
    assert_eq!(lab.claim(&["q"], Some("rig")), Some(first));
    lab.clock.advance(Duration::from_secs(119));
    assert_eq!(watch(&lab, lab.clock.now()), []);
    lab.clock.advance(Duration::from_secs(2));
    assert_eq!(watch(&lab, lab.clock.now()), [Due::GoBack], "however often the agent is heard");
    let tx = lab.store.read().unwrap();
    let position = |id| ops::position(&tx, &lab.store.lines().unwrap(), id).unwrap();
    assert_eq!((position(first), position(second)), (0, 1));
    drop(tx);
    assert_eq!(lab.claim(&["q"], Some("other")), Some(first));
    assert_eq!(lab.claim(&["q"], Some("rig")), Some(second));
}

#[test]
fn silence_is_noted_once_and_so_is_its_end() {
    let lab = Lab::new();
    let (id, heard) = running(&lab);
    lab.clock.advance(Duration::from_secs(151));
    assert_eq!(watch(&lab, heard), [Due::Suspect]);
    assert_eq!(watch(&lab, heard), [], "once");
    assert_eq!(job(&lab, id).state.as_str(), "test", "nothing changes on the wire");
    assert_eq!(watch(&lab, lab.clock.now()), [Due::Trust]);
    let history = lab.store.read().unwrap().history(&Subject::Job(id)).unwrap();
    let begins = history.iter().filter_map(|event| match event.change {
        Change::Silence { begins } => Some(begins),
        _ => None,
    });
    assert_eq!(begins.collect::<Vec<bool>>(), [true, false]);
}

#[test]
fn a_job_whose_agent_is_lost_ends_with_the_reason_as_its_last_line() {
    let lab = Lab::new();
    let (id, heard) = running(&lab);
    lab.clock.advance(Duration::from_secs(30 * 60 + 1));
    assert_eq!(watch(&lab, heard), [Due::Lost]);
    let ended = job(&lab, id);
    assert_eq!((ended.state.as_str(), ended.ended_by), ("cancelled", Some(EndedBy::Server)));
    let tx = lab.store.read().unwrap();
    let last = tx.history(&Subject::Job(id)).unwrap().pop().unwrap();
    let cancelled = JobState::new("cancelled");
    assert!(matches!(&last.change, Change::State { to, .. } if *to == cancelled));
    assert_eq!(last.why, "its agent fell silent");
    let log = Log(id, LogKind::Output);
    let rows = tx.fragments(log, Phase::Test, 0, None).unwrap();
    let text = tx.fragment_texts(log, Phase::Test, &rows).unwrap();
    assert!(text.ends_with("the job was ended: its agent fell silent\n"), "{text}");
    drop(tx);
    lab.post_state(id, "test", Some("rig"));
    assert_eq!(job(&lab, id).state.as_str(), "cancelled", "a phase does not revive it");
    lab.post_state(id, "complete", Some("rig"));
    assert_eq!(job(&lab, id).state.as_str(), "complete", "its agent may yet complete it");
}

#[test]
fn what_a_person_cancelled_no_agent_completes() {
    let lab = Lab::new();
    let (id, _) = running(&lab);
    lab.cancel(id).unwrap();
    lab.post_state(id, "complete", Some("rig"));
    assert_eq!(job(&lab, id).state.as_str(), "cancelled");
}

#[test]
fn an_agent_that_asks_for_another_job_may_report_the_end_of_the_one_it_had() {
    let lab = Lab::new();
    let (first, _) = running(&lab);
    let next = lab.submit(submission("q")).unwrap();
    assert_eq!(lab.claim(&["q"], Some("rig")), Some(next));
    lab.post_state(next, "test", Some("rig"));
    assert_eq!(job(&lab, first).state.as_str(), "test", "it may be on its way");
    lab.clock.advance(Duration::from_mins(20));
    assert_eq!(watch(&lab, lab.clock.now()), []);
    lab.post_state(first, "complete", Some("rig"));
    assert_eq!(job(&lab, first).state.as_str(), "complete");
    assert_eq!(job(&lab, next).state.as_str(), "test");
}

#[test]
fn a_job_whose_agent_goes_on_without_reporting_its_end_is_ended_and_may_yet_be_completed() {
    let lab = Lab::new();
    let (first, _) = running(&lab);
    // It asks in vain, again and again.
    for _ in 0..2 {
        assert_eq!(lab.claim(&["q"], Some("rig")), None);
        lab.clock.advance(Duration::from_mins(15));
    }
    assert_eq!(watch(&lab, lab.clock.now()), []);
    lab.clock.advance(Duration::from_secs(1));
    assert_eq!(watch(&lab, lab.clock.now()), [Due::Left]);
    assert_eq!(job(&lab, first).ended_by, Some(EndedBy::Server));
    let output = || {
        let tx = lab.store.read().unwrap();
        let log = Log(first, LogKind::Output);
        let rows = tx.fragments(log, Phase::Test, 0, None).unwrap();
        (tx.fragment_texts(log, Phase::Test, &rows).unwrap(), tx.drain_pieces(log).unwrap().len())
    };
    assert!(output().0.contains("did not report its end"), "{}", output().0);
    lab.post_state(first, "complete", Some("rig"));
    assert_eq!(job(&lab, first).state.as_str(), "complete");
    assert_eq!(output(), (String::new(), 0), "what the server said was wrong");
}

#[test]
fn the_time_in_which_the_server_was_down_is_not_the_agents() {
    let lab = Lab::new();
    let (first, _) = running(&lab);
    assert_eq!(lab.claim(&["q"], Some("rig")), None);
    lab.clock.advance(Duration::from_hours(1));
    let patience = Patience { began: lab.clock.now(), ..PATIENCE };
    let due =
        ops::overdue(&lab.store.read().unwrap(), lab.clock.now(), &patience, |_| lab.clock.now());
    assert_eq!((due.unwrap(), job(&lab, first).state.as_str()), (vec![], "test"));
}

#[test]
fn what_was_written_down_before_the_clock_was_set_back_counts_from_then() {
    let lab = Lab::new();
    let (first, _) = running(&lab);
    assert_eq!(lab.claim(&["q"], Some("rig")), None);
    let second = lab.submit(submission("q")).unwrap();
    assert_eq!(lab.claim(&["q"], Some("other")), Some(second));
    lab.clock.set(lab.clock.now().minus(Duration::from_hours(24)));
    let patience = Patience { began: lab.clock.now(), ..PATIENCE };
    let due = || {
        let tx = lab.store.read().unwrap();
        ops::overdue(&tx, lab.clock.now(), &patience, |_| lab.clock.now()).unwrap()
    };
    assert_eq!(due(), []);
    lab.clock.advance(Duration::from_secs(121));
    assert_eq!(due(), [(second, Due::GoBack)]);
    lab.clock.advance(Duration::from_mins(30));
    let found = due();
    assert!(found.contains(&(first, Due::Left)) && found.len() == 2, "{found:?}");
}

#[test]
fn an_agent_that_begins_anew_has_lost_the_job_it_had() {
    let lab = Lab::new();
    let (lost, _) = running(&lab);
    lab.enrol(&["rig"], &["q"]);
    assert_eq!(job(&lab, lost).state.as_str(), "cancelled");
    assert_eq!(job(&lab, lost).ended_by, Some(EndedBy::Server));
}

#[test]
fn a_caller_without_a_name_has_no_lease() {
    let lab = Lab::new();
    let id = lab.submit(submission("q")).unwrap();
    assert_eq!(lab.claim(&["q"], None), Some(id));
    lab.clock.advance(Duration::from_hours(24));
    assert_eq!(watch(&lab, Timestamp::default()), []);
    assert_eq!(job(&lab, id).state.as_str(), "running");
    assert_eq!(lab.claim(&["q"], None), None, "and gets it only once");
}

#[test]
fn a_job_that_may_not_wait_longer_ends_in_its_queue() {
    let lab = Lab::new();
    let queue_timeout = Some(Duration::from_hours(1));
    let id = lab.submit(Submission { queue_timeout, ..submission("q") }).unwrap();
    let patient = lab.submit(submission("q")).unwrap();
    lab.clock.advance(Duration::from_mins(59));
    assert_eq!(watch(&lab, Timestamp::default()), []);
    lab.clock.advance(Duration::from_mins(2));
    assert_eq!(watch(&lab, Timestamp::default()), [Due::WaitedTooLong]);
    assert_eq!(job(&lab, id).state.as_str(), "cancelled");
    assert_eq!(lab.claim(&["q"], None), Some(patient));
}

#[test]
fn a_job_that_was_taken_in_time_is_not_ended_by_its_queue_timeout() {
    let lab = Lab::new();
    let queue_timeout = Some(Duration::from_hours(1));
    let id = lab.submit(Submission { queue_timeout, ..submission("q") }).unwrap();
    assert_eq!(lab.claim(&["q"], None), Some(id));
    lab.clock.advance(Duration::from_hours(2));
    assert_eq!(watch(&lab, Timestamp::default()), []);
}

#[test]
fn a_server_that_was_down_gives_agents_the_whole_time_to_acknowledge() {
    let lab = Lab::new();
    lab.submit(submission("q")).unwrap();
    lab.claim(&["q"], Some("a")).unwrap();
    lab.clock.advance(Duration::from_hours(1));
    let patience = Patience { began: lab.clock.now(), ..PATIENCE };
    let due = || {
        let tx = lab.store.read().unwrap();
        let due = ops::overdue(&tx, lab.clock.now(), &patience, |_| patience.began).unwrap();
        due.into_iter().map(|(_, due)| due).collect::<Vec<_>>()
    };
    assert_eq!(due(), []);
    lab.clock.advance(Duration::from_secs(121));
    assert_eq!(due(), [Due::GoBack]);
}

#[test]
fn an_agent_that_runs_a_job_that_had_gone_back_has_it_and_its_lease() {
    let lab = Lab::new();
    let id = lab.submit(submission("q")).unwrap();
    assert_eq!(lab.claim(&["q"], Some("slow")), Some(id));
    lab.clock.advance(Duration::from_secs(121));
    assert_eq!(watch(&lab, lab.clock.now()), [Due::GoBack]);
    lab.post_state(id, "setup", Some("slow"));
    assert_eq!(job(&lab, id).agent.map(|agent| agent.to_string()).as_deref(), Some("slow"));
    assert_eq!(lab.claim(&["q"], Some("other")), None, "one agent has it");
    let heard = lab.clock.now();
    lab.clock.advance(Duration::from_secs(30 * 60 + 1));
    assert_eq!(watch(&lab, heard), [Due::Lost]);
}
