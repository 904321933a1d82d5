use testflinger_server::domain::{
    AgentName, AgentPost, Change, ClientId, Job, Provision, Subject, Timestamp,
};
use testflinger_server::ops;
use testflinger_server::store::{AgentReads, HistoryReads};

use crate::support::{Lab, agents, submission};

fn name() -> AgentName {
    agents(&["a"]).remove(0)
}

fn logs(lab: &Lab, lines: std::ops::Range<usize>) {
    let log = lines.map(|n| n.to_string()).collect();
    lab.post_agent("a", AgentPost { log, ..AgentPost::default() });
}

#[test]
fn the_last_hundred_lines_of_an_agents_log_are_kept() {
    let lab = Lab::new();
    let first_and_last = || {
        let log = lab.store.read().unwrap().agent_log(&name()).unwrap();
        (log.len(), log[0].clone(), log[log.len() - 1].clone())
    };
    logs(&lab, 0..60);
    logs(&lab, 60..60);
    assert_eq!(first_and_last(), (60, "0".to_owned(), "59".to_owned()));
    logs(&lab, 60..120);
    assert_eq!(first_and_last(), (100, "20".to_owned(), "119".to_owned()));
    logs(&lab, 0..500);
    assert_eq!(first_and_last(), (100, "400".to_owned(), "499".to_owned()));
}

#[test]
fn the_last_hundred_provisionings_are_kept_for_unknown_agents_too() {
    let lab = Lab::new();
    for exit_code in 0..103 {
        let entry = Provision {
            at: Timestamp::from_micros(exit_code),
            job_id: "any".to_owned(),
            exit_code,
            detail: String::new(),
            submitted_by: None,
        };
        let write =
            lab.store.write(move |tx, now| ops::post_provision(tx, now, &name(), &entry, 0));
        write.unwrap();
    }
    let codes: Vec<i64> = lab
        .store
        .read()
        .unwrap()
        .provisions(&name())
        .unwrap()
        .iter()
        .map(|p| p.exit_code)
        .collect();
    assert_eq!(codes, (3..103).collect::<Vec<i64>>());
}

#[test]
fn the_log_of_a_provisioning_keeps_who_submitted_the_job() {
    let lab = Lab::new();
    let dev = ClientId::try_from("dev".to_owned()).unwrap();
    let submitted_by = |job_id: String| {
        let entry = Provision {
            at: Timestamp::from_micros(0),
            job_id,
            exit_code: 0,
            detail: String::new(),
            submitted_by: None,
        };
        lab.store.write(move |tx, now| ops::post_provision(tx, now, &name(), &entry, 0)).unwrap();
        let log = lab.store.read().unwrap().provisions(&name()).unwrap();
        log.last().unwrap().submitted_by.clone()
    };
    let id = lab.submit(submission("q")).unwrap();
    let old = lab.job(id).unwrap();
    assert_eq!(submitted_by(id.to_string()), None);
    let new = Job { client: Some(dev.clone()), ..old.clone() };
    lab.store.write::<_, ops::Error>(move |tx, _| Ok(tx.update_job(&old, &new)?)).unwrap();
    assert_eq!(submitted_by(id.to_string()), Some(dev));
    assert_eq!(submitted_by("any text".to_owned()), None);
}

#[test]
fn a_change_goes_into_the_agents_history_and_a_repetition_does_not() {
    let lab = Lab::new();
    let post = |state: &str| {
        let fields = [("state".to_owned(), format!("\"{state}\""))].into();
        lab.post_agent("a", AgentPost { fields, ..AgentPost::default() });
    };
    for state in ["waiting", "waiting", "test"] {
        post(state);
    }
    let history = lab.store.read().unwrap().history(&Subject::Agent(name())).unwrap();
    let member = |from: Option<&str>, to: &str| Change::Member {
        name: "state".to_owned(),
        from: from.map(ToOwned::to_owned),
        to: Some(to.to_owned()),
    };
    let changes: Vec<Change> = history.into_iter().map(|event| event.change).collect();
    assert_eq!(changes, [member(None, "\"waiting\""), member(Some("\"waiting\""), "\"test\"")]);
}
