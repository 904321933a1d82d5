use testflinger_server::domain::{AgentPost, Subject};
use testflinger_server::store::HistoryReads;

use crate::support::{Lab, agents};

#[test]
fn a_history_keeps_its_newest_changes() {
    let lab = Lab::new();
    let last = 3000;
    for n in 0..=last {
        let fields = [("state".to_owned(), format!("\"{n}\""))].into();
        lab.post_agent("a", AgentPost { fields, ..AgentPost::default() });
    }
    let subject = Subject::Agent(agents(&["a"])[0].clone());
    let history = lab.store.read().unwrap().history(&subject).unwrap();
    // It is cut now and then, so some more are there.
    assert!((1000..2000).contains(&history.len()), "{}", history.len());
    let newest = format!("{:?}", history.last().unwrap());
    assert!(newest.contains(&last.to_string()), "{newest}");
}
