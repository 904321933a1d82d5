//! Alerts: each is said once when it begins and once when it ends. That it begins or ends, and what is sent about it, is
//! one write, so neither a restart nor a crash says anything twice or not at all.

use super::{Error, Hearing, notify};
use crate::domain::{Agent, AgentName, Alert, Message, Timestamp, Trouble};
use crate::store::{AgentReads, AlertReads, JobReads, WriteTx};

/// How many agents are read together.
const PAGE: usize = 256;
/// How many agents of a queue are asked.
const ASKED: usize = 1000;

/// How many agents or queues a sentence names.
const NAMED: usize = 20;

/// What has begun or ended: one message, however many agents or queues it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What it is about.
    pub trouble: Trouble,
    /// Whether it begins; else it ends.
    pub begins: bool,
    /// The agents or queues; empty when it is about the server.
    pub names: Vec<String>,
}

impl Told {
    /// Told of these agents or queues, or of the server, which has no name.
    fn new(trouble: Trouble, begins: bool, mut names: Vec<String>) -> Self {
        names.retain(|name| !name.is_empty());
        Self { trouble, begins, names }
    }

    /// The agents or queues that are named.
    #[must_use]
    pub fn named(&self) -> &[String] {
        &self.names[..self.names.len().min(NAMED)]
    }

    /// It in a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let (begins, ends) = self.trouble.sentences();
        let what = if self.begins { begins } else { ends };
        if self.names.is_empty() {
            return what.to_owned();
        }
        let named = self.named().join(", ");
        match self.names.len() - self.named().len() {
            0 => format!("{what}: {named}"),
            more => format!("{what}: {named} and {more} more"),
        }
    }
}

/// What is wrong, each trouble once with all agents or queues that it is about.
#[must_use]
pub fn told(troubles: &[(Trouble, String)]) -> Vec<Told> {
    let all = |trouble| {
        let of = troubles.iter().filter(move |(which, _)| *which == trouble);
        let names: Vec<String> = of.map(|(_, name)| name.clone()).collect();
        (!names.is_empty()).then(|| Told::new(trouble, true, names))
    };
    Trouble::ALL.into_iter().filter_map(all).collect()
}

/// What is wrong with agents and queues. An agent in service that is silent is lost.
pub fn lab_troubles(
    tx: &(impl AgentReads + JobReads),
    now: Timestamp,
    hearing: &Hearing<impl Fn(&AgentName) -> Timestamp>,
) -> Result<Vec<(Trouble, String)>, Error> {
    let (mut found, mut after) = (Vec::new(), 0);
    let is_lost = |agent: &Agent| hearing.silent_since(agent, now).is_some();
    loop {
        let agents = tx.agents_after(after, PAGE)?;
        let Some(last) = agents.last() else { break };
        after = last.seq;
        let silent = agents.iter().filter(|agent| !agent.is_out_of_service() && is_lost(agent));
        found.extend(silent.map(|agent| (Trouble::AgentLost, agent.name.to_string())));
        let quarantined = agents.iter().filter(|agent| agent.is_quarantined());
        found.extend(quarantined.map(|agent| (Trouble::AgentQuarantined, agent.name.to_string())));
    }
    for queue in tx.queues_with_waiting()? {
        let agents = tx.queue_agents_after(&queue, 0, ASKED)?;
        if !agents.iter().any(|agent| !agent.is_out_of_service() && !is_lost(agent)) {
            found.push((Trouble::QueueUnserved, queue.to_string()));
        }
    }
    Ok(found)
}

/// Compares what is wrong now with the alerts that have begun, and sends what `message` makes of the difference.
pub fn settle_alerts(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    troubles: &[(Trouble, String)],
    message: impl Fn(&Told) -> Message,
) -> Result<(), Error> {
    let known = tx.alerts()?;
    for trouble in Trouble::ALL {
        let is_so = |alert: &Alert| {
            troubles.iter().any(|(which, name)| *which == alert.trouble && *name == alert.name)
        };
        let ended: Vec<&Alert> =
            known.iter().filter(|alert| alert.trouble == trouble && !is_so(alert)).collect();
        let is_new =
            |name: &str| !known.iter().any(|alert| alert.trouble == trouble && alert.name == name);
        let begun = troubles.iter().filter(|(which, name)| *which == trouble && is_new(name));
        let begun: Vec<String> = begun.map(|(_, name)| name.clone()).collect();
        for alert in &ended {
            tx.remove_alert(alert)?;
        }
        for name in &begun {
            tx.put_alert(&Alert { trouble, name: name.clone(), since: now })?;
        }
        let ended = ended.into_iter().map(|alert| alert.name.clone()).collect();
        for (begins, names) in [(true, begun), (false, ended)] {
            if !names.is_empty() {
                notify(tx, now, message(&Told::new(trouble, begins, names)))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_short_however_much_is_wrong() {
        let names = (0..1000).map(|n| format!("a{n}")).collect();
        let told = Told { trouble: Trouble::AgentLost, begins: true, names };
        let text = told.sentence();
        assert!(text.starts_with("Agents are lost: a0, a1, ") && text.ends_with(" and 980 more"));
    }
}
