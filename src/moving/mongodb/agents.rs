//! `agents` and `provision_logs`.

use super::super::Error;
use super::super::load::{Became, kept, taken};
use super::{Document, Fields, Late, Move, Stop};
use crate::domain::{Agent, AgentName, ClientId, Provision, Timestamp};
use crate::store::{self, AgentReads, WriteTx};

const AGENTS: &str = "agents";
const PROVISIONS: &str = "provision_logs";

/// Members of an agent that are not among those that it posted.
const OTHERS: [&str; 9] = [
    "_id",
    "last_seen_at",
    "log",
    "name",
    "provision_streak_count",
    "provision_streak_type",
    "restricted_to",
    "submitted_by",
    "updated_at",
];

/// The ends of provisionings of an agent, until all agents have come.
pub(super) struct Provisions {
    name: AgentName,
    ends: Vec<Provision>,
    size: usize,
}

impl Move<'_> {
    pub(super) fn agent(&mut self, (_, fields): Document<'_>) -> Result<(), Stop> {
        let agent = agent(fields, self.now)?;
        let name = agent.name.to_string();
        if !self.is_first(AGENTS, &name) {
            return Ok(());
        }
        if let Some(job) = agent.job() {
            self.running.insert(job, agent.name.clone());
        }
        let log = fields.texts("log").unwrap_or_default();
        let size = fields.size() * 2;
        self.load.step((AGENTS, name), size, move |tx| put_agent(tx, agent.clone(), &log))?;
        Ok(())
    }

    pub(super) fn provisions(&mut self, (_, fields): Document<'_>) -> Result<(), Stop> {
        let name: AgentName = fields.name("name")?;
        if self.is_first(PROVISIONS, name.as_str()) {
            let ends = fields.documents("provision_log");
            let ends = ends.into_iter().filter_map(|end| Some(provision(&fields.inner(end).ok()?)));
            let (ends, size) = (ends.collect(), fields.size());
            let late = Late::Provisions(Provisions { name, ends, size });
            self.late.push((late, fields.losses()));
        }
        Ok(())
    }

    pub(super) fn put_provisions(&mut self, provisions: Provisions) -> Result<(), Error> {
        let Provisions { name, ends, size } = provisions;
        self.load.step((PROVISIONS, name.to_string()), size, move |tx| {
            let last = tx.provisions(&name)?.last().map(|end| end.at);
            for end in ends.iter().filter(|end| last.is_none_or(|last| end.at > last)) {
                tx.append_provision(&name, end)?;
            }
            Ok(taken())
        })
    }
}

fn put_agent(tx: &mut WriteTx<'_>, mut new: Agent, log: &[String]) -> Result<Became, store::Error> {
    match tx.agent(&new.name)? {
        Some(old) if old.updated_at > new.updated_at => {
            return Ok(kept("they have reported here since"));
        }
        Some(old) => {
            tx.remove_agent(&old)?;
            new.seq = old.seq;
            new.aside = old.aside;
        }
        None => new.seq = tx.next_place()?,
    }
    tx.put_agent(None, &new)?;
    tx.append_agent_log(&new.name, log)?;
    Ok(taken())
}

fn agent(fields: &Fields<'_>, now: Timestamp) -> Result<Agent, String> {
    let updated_at = fields.moment("updated_at").at().unwrap_or(now).min(now);
    let mut agent = Agent::new(fields.name("name")?, 0, updated_at);
    agent.fields = fields.all_json()?;
    agent.fields.retain(|name, _| !OTHERS.contains(&name.as_str()));
    agent.queues = fields.names("queues")?;
    let passed = match fields.text("provision_streak_type").as_deref() {
        Some("pass") => Some(true),
        Some("fail") => Some(false),
        _ => None,
    };
    let count = fields.int("provision_streak_count").and_then(|count| u64::try_from(count).ok());
    agent.streak = passed.zip(count.filter(|count| *count > 0));
    Ok(agent)
}

fn provision(fields: &Fields<'_>) -> Provision {
    Provision {
        at: fields.moment("timestamp").at().unwrap_or_default(),
        job_id: fields.text("job_id").unwrap_or_default(),
        exit_code: fields.int("exit_code").unwrap_or_default(),
        detail: fields.text("detail").unwrap_or_default(),
        submitted_by: fields.text("submitted_by").and_then(|id| ClientId::try_from(id).ok()),
    }
}
