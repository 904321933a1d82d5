//! Alerts: each is said once when it begins and once when it ends. That it begins or ends, and what is sent about it, is
//! one write, so neither a restart nor a crash says anything twice or not at all.

use std::time::Duration;

use super::{Error, notify};
use crate::domain::{Agent, Alert, Message, QueueName, Timestamp, Trouble};
use crate::store::{AgentReads, AlertReads, JobReads, WriteTx};

/// How many agents are read together.
const PAGE: usize = 256;
/// How many agents of a queue are asked.
const ASKED: usize = 1000;

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

/// What is wrong with agents and queues. An agent is lost when it is in service and was heard neither within `patience`
/// nor since the start of the server, as `heard` says.
pub fn lab_troubles(
    tx: &(impl AgentReads + JobReads),
    now: Timestamp,
    patience: Duration,
    heard: impl Fn(&Agent) -> Timestamp,
) -> Result<Vec<(Trouble, String)>, Error> {
    let (mut found, mut after) = (Vec::new(), 0);
    let is_lost = |agent: &Agent| now.since(heard(agent)) >= patience;
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
        if !is_served(tx, &queue, is_lost)? {
            found.push((Trouble::QueueUnserved, queue.to_string()));
        }
    }
    Ok(found)
}

fn is_served(
    tx: &impl AgentReads,
    queue: &QueueName,
    is_lost: impl Fn(&Agent) -> bool,
) -> Result<bool, Error> {
    let agents = tx.queue_agents_after(queue, 0, ASKED)?;
    Ok(agents.iter().any(|agent| !agent.is_out_of_service() && !is_lost(agent)))
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
                let names = names.into_iter().filter(|name| !name.is_empty()).collect();
                notify(tx, now, message(&Told { trouble, begins, names }))?;
            }
        }
    }
    Ok(())
}
