//! Agents: what they posted about themselves, their log lines and how their provisionings ended.

use serde::{Deserialize, Serialize};

use super::aging::Kind;
use crate::domain::{Agent, AgentName, Aside, Cause, ClientId, Provision, QueueName, Timestamp};
use crate::store::engine::codec::{Record, first_version};
use crate::store::engine::{ALL, Error, IndexRow, Key, Rows, Table, Tail, WriteTx, codec};

/// An agent; its name is the key. `fields` is the JSON object of what it last posted, member by member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct AgentV1 {
    pub(super) seq: u64,
    pub(super) updated_at: i64,
    /// Member and JSON text of its value, sorted.
    pub(super) fields: Vec<(String, String)>,
    pub(super) queues: Vec<String>,
    /// 0 none yet, 1 pass, 2 fail.
    pub(super) streak_type: u8,
    pub(super) streak_count: u64,
}
first_version!(AgentV1, 2);

/// What an agent has since it may be set aside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct AgentV2 {
    pub(super) agent: AgentV1,
    pub(super) aside: Option<AsideV1>,
}

/// Why an agent is set aside; a part of [`AgentV2`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct AsideV1 {
    /// 1 drained, 2 quarantined.
    pub(super) cause: u8,
    pub(super) since: i64,
    pub(super) why: String,
}

impl Record for AgentV2 {
    const TAG: u8 = AgentV1::TAG;
    const VERSION: u8 = 2;
    type Previous = AgentV1;

    fn upgrade(agent: AgentV1) -> Self {
        Self { agent, aside: None }
    }
}

/// The last lines that an agent logged, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct AgentLogV1 {
    pub(super) lines: Vec<String>,
}
first_version!(AgentLogV1, 3);

/// The end of one provisioning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ProvisionV1 {
    pub(super) at: i64,
    pub(super) job_id: String,
    pub(super) exit_code: i64,
    pub(super) detail: String,
}
first_version!(ProvisionV1, 4);

/// The same with who submitted the job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ProvisionV2 {
    pub(super) provision: ProvisionV1,
    pub(super) submitted_by: Option<String>,
}

impl Record for ProvisionV2 {
    const TAG: u8 = ProvisionV1::TAG;
    const VERSION: u8 = 2;
    type Previous = ProvisionV1;

    fn upgrade(provision: ProvisionV1) -> Self {
        Self { provision, submitted_by: None }
    }
}

/// How many log lines and provisionings of an agent are kept.
const KEPT: usize = 100;

impl Agent {
    fn index_rows(&self) -> Vec<IndexRow> {
        let name = self.name.as_str().as_bytes().to_vec();
        let mut rows = vec![
            (Table::AgentBySeq, Key::new().number(self.seq), name.clone()),
            (Table::Expiry, Kind::Agent.key(self.updated_at, &name), Vec::new()),
        ];
        for queue in &self.queues {
            let key = queue.prefix().number(self.seq);
            rows.push((Table::AgentByQueue, key, name.clone()));
        }
        rows
    }
}

/// What can be read of agents.
pub trait AgentReads {
    /// The agent with this name.
    fn agent(&self, name: &AgentName) -> Result<Option<Agent>, Error>;
    /// The next `limit` agents after the one with `seq` `after`, in the order of their first appearance.
    fn agents_after(&self, after: u64, limit: usize) -> Result<Vec<Agent>, Error>;
    /// The same of those that serve a queue.
    fn queue_agents_after(
        &self,
        queue: &QueueName,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Agent>, Error>;
    /// The last lines that an agent logged, oldest first.
    fn agent_log(&self, name: &AgentName) -> Result<Vec<String>, Error>;
    /// How its last provisionings ended, oldest first.
    fn provisions(&self, name: &AgentName) -> Result<Vec<Provision>, Error>;
}

impl<R: Rows> AgentReads for R {
    fn agent(&self, name: &AgentName) -> Result<Option<Agent>, Error> {
        let record = self.record(Table::Agent, &name.key())?;
        Ok(record.map(|record| agent(name.clone(), record)))
    }

    fn agents_after(&self, after: u64, limit: usize) -> Result<Vec<Agent>, Error> {
        page(self, Table::AgentBySeq, &Key::new(), after, limit)
    }

    fn queue_agents_after(
        &self,
        queue: &QueueName,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Agent>, Error> {
        let prefix = queue.prefix();
        page(self, Table::AgentByQueue, &prefix, after, limit)
    }

    fn agent_log(&self, name: &AgentName) -> Result<Vec<String>, Error> {
        let log: Option<AgentLogV1> = self.record(Table::AgentLog, &name.key())?;
        Ok(log.unwrap_or_default().lines)
    }

    fn provisions(&self, name: &AgentName) -> Result<Vec<Provision>, Error> {
        self.list(Table::ProvisionLog, &name.prefix(), ALL, |_, value| read_provision(value))
    }
}

fn agent(name: AgentName, AgentV2 { agent: record, aside }: AgentV2) -> Agent {
    Agent {
        name,
        aside: aside.map(|aside| Aside {
            cause: if aside.cause == 1 { Cause::Drain } else { Cause::Quarantine },
            since: Timestamp::from_micros(aside.since),
            why: aside.why,
        }),
        seq: record.seq,
        updated_at: Timestamp::from_micros(record.updated_at),
        fields: record.fields.into_iter().collect(),
        queues: record.queues.into_iter().map(QueueName::trusted).collect(),
        streak: match record.streak_type {
            0 => None,
            kind => Some((kind == 1, record.streak_count)),
        },
    }
}

/// The index rows of a stored agent.
pub(crate) fn index_of(key: &[u8], value: &[u8]) -> Result<Vec<IndexRow>, Error> {
    Ok(agent(AgentName::stored(key)?, codec::decode(value)?).index_rows())
}

/// Reads a stored log.
pub(crate) fn read_log(value: &[u8]) -> Result<Vec<String>, Error> {
    codec::decode(value).map(|log: AgentLogV1| log.lines)
}

/// Reads the stored end of a provisioning.
pub(crate) fn read_provision(value: &[u8]) -> Result<Provision, Error> {
    let ProvisionV2 { provision: record, submitted_by } = codec::decode(value)?;
    Ok(Provision {
        at: Timestamp::from_micros(record.at),
        job_id: record.job_id,
        exit_code: record.exit_code,
        detail: record.detail,
        submitted_by: submitted_by.map(ClientId::trusted),
    })
}

fn page(
    rows: &impl Rows,
    table: Table,
    prefix: &Key,
    after: u64,
    limit: usize,
) -> Result<Vec<Agent>, Error> {
    let names =
        rows.list(table, prefix, (Some(after), limit), |_, value| AgentName::stored(value))?;
    let mut agents = Vec::new();
    for name in names {
        let agent = rows.agent(&name)?;
        agents.push(agent.ok_or_else(|| Error::Corrupt(format!("agent {name} is missing")))?);
    }
    Ok(agents)
}

impl WriteTx<'_> {
    /// Adds an agent, or makes `old` into `new`, with all index rows.
    pub fn put_agent(&mut self, old: Option<&Agent>, new: &Agent) -> Result<(), Error> {
        let before = old.map(Agent::index_rows).unwrap_or_default();
        self.replace_rows(&before, &new.index_rows())?;
        let (streak_type, streak_count) = match new.streak {
            None => (0, 0),
            Some((passed, count)) => (if passed { 1 } else { 2 }, count),
        };
        let record = AgentV1 {
            seq: new.seq,
            updated_at: new.updated_at.as_micros(),
            fields: new.fields.clone().into_iter().collect(),
            queues: new.queues.iter().map(ToString::to_string).collect(),
            streak_type,
            streak_count,
        };
        let aside = new.aside.as_ref().map(|aside| AsideV1 {
            cause: if aside.cause == Cause::Drain { 1 } else { 2 },
            since: aside.since.as_micros(),
            why: aside.why.clone(),
        });
        self.put_record(Table::Agent, &new.name.key(), &AgentV2 { agent: record, aside })
    }

    /// Removes an agent with its log; its history has a removal of its own.
    pub fn remove_agent(&mut self, agent: &Agent) -> Result<(), Error> {
        self.replace_rows(&agent.index_rows(), &[])?;
        self.remove(Table::AgentLog, &agent.name.key())?;
        self.remove_prefix(Table::ProvisionLog, &agent.name.prefix())?;
        self.remove(Table::Agent, &agent.name.key())?;
        Ok(())
    }

    /// Adds lines to an agent's log and forgets all but the last [`KEPT`].
    pub fn append_agent_log(&mut self, name: &AgentName, lines: &[String]) -> Result<(), Error> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut log = self.agent_log(name)?;
        log.extend_from_slice(lines);
        log.drain(..log.len().saturating_sub(KEPT));
        self.put_record(Table::AgentLog, &name.key(), &AgentLogV1 { lines: log })
    }

    /// Adds the end of a provisioning and forgets all but the last [`KEPT`].
    pub fn append_provision(&mut self, name: &AgentName, entry: &Provision) -> Result<(), Error> {
        let prefix = name.prefix();
        let seqs = self.list(Table::ProvisionLog, &prefix, ALL, |key, _| Ok(Tail(key).number()))?;
        for seq in &seqs[..(seqs.len() + 1).saturating_sub(KEPT)] {
            self.remove(Table::ProvisionLog, &prefix.clone().number(*seq))?;
        }
        let record = ProvisionV2 {
            provision: ProvisionV1 {
                at: entry.at.as_micros(),
                job_id: entry.job_id.clone(),
                exit_code: entry.exit_code,
                detail: entry.detail.clone(),
            },
            submitted_by: entry.submitted_by.as_ref().map(ToString::to_string),
        };
        let key = prefix.number(self.next_seq()?);
        self.put_record(Table::ProvisionLog, &key, &record)
    }
}
