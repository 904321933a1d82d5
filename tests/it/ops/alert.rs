use std::time::Duration;

use testflinger_server::domain::{AgentName, AgentPost, Clock, Form, Message, Timestamp, Trouble};
use testflinger_server::ops::{self, Hearing, Told};
use testflinger_server::store::{AlertReads, NoticeReads, Tray};

use crate::support::{Lab, queues, submission};

const PATIENCE: Duration = Duration::from_mins(30);

fn agent(lab: &Lab, name: &str, state: &str) {
    let fields = [("state".to_owned(), format!("\"{state}\""))].into();
    let served = Some(queues(&["q"]));
    lab.post_agent(name, AgentPost { fields, queues: served, ..AgentPost::default() });
}

fn troubles(lab: &Lab, heard: impl Fn(&str) -> Timestamp) -> Vec<(Trouble, String)> {
    let tx = lab.store.read().unwrap();
    let heard = |agent: &AgentName| heard(agent.as_str());
    let hearing = Hearing { heard, silence: PATIENCE };
    ops::lab_troubles(&tx, lab.clock.now(), &hearing).unwrap()
}

/// What is said about what is wrong, one message a line.
fn said(lab: &Lab, troubles: &[(Trouble, &str)]) -> Vec<String> {
    let troubles: Vec<(Trouble, String)> =
        troubles.iter().map(|(trouble, name)| (*trouble, (*name).to_owned())).collect();
    let message = |told: &Told| {
        let body = format!("{} {} {}", told.trouble, told.begins, told.names.join(","));
        Message { form: Form::Text, url: "http://hook/".to_owned(), body }
    };
    let last = lab.store.read().unwrap().notices_after(Tray::Waiting, 0, 1000).unwrap();
    let last = last.last().map_or(0, |notice| notice.number);
    lab.store.write(move |tx, now| ops::settle_alerts(tx, now, &troubles, message)).unwrap();
    let tx = lab.store.read().unwrap();
    let new = tx.notices_after(Tray::Waiting, last, 1000).unwrap();
    new.into_iter().map(|notice| notice.message.body).collect()
}

#[test]
fn an_agent_in_service_that_is_not_heard_is_lost_and_its_queue_unserved_while_jobs_wait() {
    let lab = Lab::new();
    for (name, state) in [("a", "waiting"), ("b", "waiting"), ("off", "offline")] {
        agent(&lab, name, state);
    }
    let start = lab.clock.now();
    lab.clock.advance(PATIENCE + Duration::from_secs(1));
    let now = lab.clock.now();
    let lost = |name: &str| (Trouble::AgentLost, name.to_owned());
    assert_eq!(troubles(&lab, |_| now), []);
    assert_eq!(troubles(&lab, |name| if name == "a" { start } else { now }), [lost("a")]);
    lab.submit(submission("q")).unwrap();
    assert_eq!(troubles(&lab, |name| if name == "a" { start } else { now }), [lost("a")]);
    let unserved = (Trouble::QueueUnserved, "q".to_owned());
    assert_eq!(troubles(&lab, |_| start), [lost("a"), lost("b"), unserved]);
}

#[test]
fn each_trouble_is_said_once_when_it_begins_and_once_when_it_ends() {
    use Trouble::{AgentLost, DiskReserve};
    let lab = Lab::new();
    let both = [(AgentLost, "a"), (AgentLost, "b"), (DiskReserve, "")];
    assert_eq!(said(&lab, &both), ["agent_lost true a,b", "disk_reserve true "]);
    assert_eq!(said(&lab, &both), [] as [&str; 0]);
    let next = [(AgentLost, "b"), (AgentLost, "c")];
    assert_eq!(
        said(&lab, &next),
        ["agent_lost true c", "agent_lost false a", "disk_reserve false "]
    );
    assert_eq!(lab.store.read().unwrap().alerts().unwrap().len(), 2);
    assert_eq!(said(&lab, &[]), ["agent_lost false b,c"]);
}
