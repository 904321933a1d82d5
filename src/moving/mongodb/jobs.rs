//! `jobs`: what was submitted, where it stands, and what came out of it.

use std::collections::BTreeMap;

use super::super::load::{Became, taken};
use super::super::{Error, Outcome};
use super::{Document, Fields, Move, Stop, fields};
use crate::domain::member::status_of;
use crate::domain::{
    Actor, AgentName, Attachments, Change, ClientId, Event, Job, JobId, JobSecret, JobState, Phase,
    QueueName, SecretPath, Subject, Timestamp,
};
use crate::store::{self, HistoryReads, JobReads, WriteTx};

const JOBS: &str = "jobs";
/// Why a job has its state, in its history. Nothing has happened to it here while this is its last event.
const MOVED: &str = "imported from MongoDB";
/// How many jobs are put in order together.
const PAGE: usize = 1_000;

/// A job, read.
struct Moved {
    job: Job,
    body: String,
    members: BTreeMap<String, String>,
    secrets: Vec<JobSecret>,
    remarks: Vec<&'static str>,
}

impl Move<'_> {
    pub(super) fn job(&mut self, (_, fields): Document<'_>) -> Result<(), Stop> {
        let moved = self.read_job(fields)?;
        let (id, created_at) = (moved.job.id, moved.job.created_at);
        let bar = if moved.job.state.is_finished() && self.since.is_some_and(|at| created_at < at) {
            Some((Outcome::Skipped, "they belong to finished jobs before --since"))
        } else if self.has_changed(id)? {
            Some((Outcome::Kept, "something has happened to the jobs here since"))
        } else {
            None
        };
        if let Some((outcome, why)) = bar {
            self.barred.insert(id, (outcome, why));
            self.load.note(JOBS, &id.to_string(), outcome, why);
            return Ok(());
        }
        if let Some(before) = self.jobs.get(&id) {
            let why = "another document has the same job_id and is newer";
            if created_at < *before {
                self.load.note(JOBS, &id.to_string(), Outcome::LeftOut, why);
                return Ok(());
            }
            // The older one must be counted before it is said to be gone.
            self.load.flush()?;
            self.load.report.replaced(JOBS, &id.to_string(), why);
        }
        self.jobs.insert(id, created_at);
        self.load.step((JOBS, id.to_string()), fields.size() * 2, move |tx| put(tx, &moved))?;
        Ok(())
    }

    /// Whether anything has happened here to a job that an earlier import brought, or that was never imported.
    fn has_changed(&self, id: JobId) -> Result<bool, Error> {
        let tx = self.load.store.read()?;
        if tx.job(id)?.is_none() {
            return Ok(false);
        }
        let newest = tx.newest_events(&Subject::Job(id), 1)?;
        Ok(newest
            .last()
            .is_none_or(|(_, event)| event.why != MOVED || event.actor != Actor::Server))
    }

    fn read_job(&self, fields: &Fields<'_>) -> Result<Moved, String> {
        let mut remarks = Vec::new();
        let text = fields.text("job_id").ok_or("job_id is missing")?;
        let id = JobId::from_path(&text).ok_or("job_id is not a UUID")?;
        if id.to_string() != text {
            remarks.push("its id is an unusual spelling of a UUID: that spelling finds it, lists show another id");
        }
        let data = fields.document("job_data").ok_or("job_data is missing")?;
        let data = fields.inner(data)?;
        let queue: QueueName = data.name("job_queue")?;
        let created_at = fields.moment("created_at").at().unwrap_or_else(|| {
            remarks.push("created_at is missing: it counts from this import");
            self.now
        });
        let result =
            fields.document("result_data").map(|result| fields.inner(result)).transpose()?;
        let state = result.as_ref().and_then(|result| result.text("job_state"));
        let state = JobState::new(state.as_deref().unwrap_or(JobState::WAITING));
        let under_way = !state.is_waiting() && !state.is_finished();
        let agent = result.as_ref().and_then(|result| result.text("agent_id"));
        let agent = agent
            .and_then(|name| AgentName::try_from(name).ok())
            .or_else(|| self.running.get(&id).filter(|_| under_way).cloned());
        let secrets = secrets(&data);
        let job = Job {
            priority: fields.int("job_priority").or_else(|| data.int("job_priority")).unwrap_or(0),
            attachments: match data.text("attachments_status").as_deref() {
                None => Attachments::None,
                Some("complete") => Attachments::Complete,
                Some(_) => Attachments::Awaited,
            },
            client: data.text("client_id").and_then(|id| ClientId::try_from(id).ok()),
            secrets: !secrets.is_empty(),
            tags: data.names("tags")?,
            exclude_agents: data.names("exclude_agents")?,
            ..Job::new(id, 0, queue, created_at)
        };
        let body = body(&data)?;
        let members = result.as_ref().map_or_else(|| Ok(BTreeMap::new()), members)?;
        let job = job.moved_in(state, fields.moment("started_at").at(), agent);
        Ok(Moved { job, body, members, secrets, remarks })
    }

    /// Puts jobs into the order in which they were submitted, where the dump has another one.
    pub(super) fn order_jobs(&mut self) -> Result<(), Error> {
        let mut all: Vec<(Timestamp, u64, JobId)> = Vec::new();
        let mut after = 0;
        loop {
            let tx = self.load.store.read()?;
            let page = tx.jobs_after(after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            for listed in page {
                let created_at = tx.job(listed.id)?.map(|job| job.created_at);
                all.push((created_at.unwrap_or_default(), listed.seq, listed.id));
            }
        }
        let good = all.windows(2).take_while(|pair| pair[0].0 <= pair[1].0).count() + 1;
        if good >= all.len() {
            return Ok(());
        }
        all.sort_unstable();
        // Places grow with every use, so those from the first that is wrong on get new ones.
        let first = all.windows(2).take_while(|pair| pair[0].1 < pair[1].1).count();
        let wrong: Vec<JobId> =
            all.get(first..).unwrap_or_default().iter().map(|it| it.2).collect();
        for page in wrong.chunks(PAGE) {
            let page = page.to_vec();
            self.load.store.write(move |tx, _| {
                for id in &page {
                    if let Some(old) = tx.job(*id)? {
                        let seq = tx.next_place()?;
                        tx.update_job(&old, &Job { seq, ..old.clone() })?;
                    }
                }
                Ok::<_, store::Error>(())
            })?;
        }
        Ok(())
    }
}

fn put(tx: &mut WriteTx<'_>, moved: &Moved) -> Result<Became, store::Error> {
    let (id, subject) = (moved.job.id, Subject::Job(moved.job.id));
    let old = tx.job(id)?;
    tx.remove_result(id)?;
    if let Some(old) = &old {
        tx.remove_history(&subject)?;
        tx.remove_job_secrets(id)?;
        tx.remove_job(old)?;
    }
    let seq = match old {
        Some(old) => old.seq,
        None => tx.next_place()?,
    };
    let job = Job { seq, ..moved.job.clone() };
    let event = Event {
        at: job.started_at.unwrap_or(job.created_at),
        actor: Actor::Server,
        change: Change::State { from: None, to: job.state.clone() },
        why: MOVED.to_owned(),
    };
    tx.append_history(&subject, &event)?;
    tx.insert_job(&job, &moved.body)?;
    for (member, json) in &moved.members {
        tx.put_result(id, member, json)?;
    }
    for secret in &moved.secrets {
        tx.put_job_secret(id, secret)?;
    }
    if moved.remarks.is_empty() {
        return Ok(taken());
    }
    Ok((Outcome::Changed, moved.remarks.join("; ")))
}

/// What was submitted, without what the other server added.
fn body(data: &Fields<'_>) -> Result<String, String> {
    let mut members = data.all_json()?;
    for name in ["attachments_status", "client_id", "job_id"] {
        members.remove(name);
    }
    let members = members.iter().map(|(name, json)| format!("{}:{json}", fields::quoted(name)));
    Ok(format!("{{{}}}", members.collect::<Vec<_>>().join(",")))
}

/// The members of a result; exit codes stand by phase in one generation and by themselves in the other.
fn members(result: &Fields<'_>) -> Result<BTreeMap<String, String>, String> {
    let mut members = result.all_json()?;
    members.remove("job_state");
    members.remove("agent_id");
    if result.document("status").is_some() {
        members.remove("status");
        for (phase, code) in result.numbers("status") {
            let phase = Phase::parse(&phase);
            members.extend(phase.map(|phase| (status_of(phase), code.to_string())));
        }
    }
    Ok(members)
}

/// The secrets that a job uses.
fn secrets(data: &Fields<'_>) -> Vec<JobSecret> {
    let read = |document| data.inner(document).ok();
    let client = data.text("client_id").and_then(|id| ClientId::try_from(id).ok());
    let (Some(client), Some(test)) = (client, data.document("test_data").and_then(read)) else {
        return Vec::new();
    };
    let named = test.document("secrets").and_then(read);
    let named = named.map(|named| named.all_texts()).unwrap_or_default();
    let secret = |(variable, path)| {
        let path = SecretPath::try_from(path).ok()?;
        Some(JobSecret { variable, client: client.clone(), path, sealed: None, taken: false })
    };
    named.into_iter().filter_map(secret).collect()
}
