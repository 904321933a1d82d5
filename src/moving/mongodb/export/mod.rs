//! `export --mongodb`: a dump that `mongorestore` takes and the Python server of 2026 reads.
//!
//! Documents come in the order in which things came, because that server hands out jobs of one priority as they lie.

mod jobs;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bson::oid::ObjectId;
use bson::{Bson, Document, doc};

use super::super::{Error, Outcome, Report};
use super::collection::{Collection, moment, value};
use crate::auth::passwords::bcrypt_cost;
use crate::auth::refresh::generate_secret;
use crate::domain::wait::KEPT;
use crate::domain::{JobId, Provision, Timestamp};
use crate::store::{
    self, AgentReads, ClientReads, NewDir, QueueReads, ReadTx, SecretReads, Store, WaitReads,
};

const PAGE: usize = 500;
/// The name of the database, as that server is set up.
const DATABASE: &str = "testflinger_db";

/// What to export, and how.
pub struct Export {
    /// The folder, which is not there yet, or is empty.
    pub dir: PathBuf,
    /// The present moment.
    pub now: Timestamp,
}

struct Dump<'a> {
    store: &'a Store,
    tx: ReadTx,
    folder: &'a Path,
    report: Report,
    now: Timestamp,
}

/// Writes a dump of everything that the Python server knows, too.
///
/// # Errors
/// [`Error`]; there is no folder then.
pub fn export(store: &Store, export: &Export) -> Result<Report, Error> {
    let built = NewDir::begin(&export.dir, export.now)?;
    let folder = built.path().join(DATABASE);
    let (tx, now) = (store.read()?, export.now);
    let mut dump = Dump { store, tx, folder: &folder, report: Report::default(), now };
    dump.clients()?;
    dump.agents()?;
    dump.queues()?;
    dump.jobs()?;
    dump.logs()?;
    dump.files()?;
    dump.rest()?;
    let mut report = dump.report;
    report.finish();
    built.finish(export.now)?;
    Ok(report)
}

impl Dump<'_> {
    fn put(
        &mut self,
        (collection, name, id): (&mut Collection, &str, &str),
        document: &Document,
        remark: &str,
    ) -> Result<(), Error> {
        let mut with_id = doc! { "_id": ObjectId::new() };
        with_id.extend(document.clone());
        let (outcome, why) = match collection.put(&with_id)? {
            Err(why) => (Outcome::LeftOut, why),
            Ok(()) if remark.is_empty() => (Outcome::Taken, String::new()),
            Ok(()) => (Outcome::Changed, remark.to_owned()),
        };
        self.report.note(name, id, outcome, &why);
        Ok(())
    }

    fn clients(&mut self) -> Result<(), Error> {
        const NEW_SECRET: &str =
            "nobody has its secret there, because argon2 is unknown there: give it a new one";
        let name = "client_permissions";
        let mut out = Collection::create(self.folder, name)?;
        let random = generate_secret().map_err(|error| {
            store::Error::file("random numbers", std::io::Error::other(error.to_string()))
        })?;
        let random: &str = secrecy::ExposeSecret::expose_secret(&random);
        let nobody = bcrypt::hash(&random[..random.len().min(64)], 10)
            .map_err(|error| store::Error::Corrupt(error.to_string()))?;
        let mut last = None;
        loop {
            let page = self.tx.clients_after(last.as_ref(), PAGE)?;
            let Some(end) = page.last() else { break };
            last = Some(end.id.clone());
            for client in &page {
                let is_bcrypt = bcrypt_cost(&client.secret_hash).is_ok();
                let has_none = client.secret_hash.is_empty();
                let numbers = |numbers: &BTreeMap<String, i64>| {
                    numbers.iter().map(|(name, n)| (name.clone(), Bson::Int64(*n))).collect()
                };
                let (priority, time): (Document, Document) =
                    (numbers(&client.max_priority), numbers(&client.max_reservation_time));
                // Nothing that is not JSON: that server puts all of it into tokens.
                let mut document = doc! {
                    "client_id": client.id.as_str(), "role": client.role.as_str(),
                    "client_secret_hash": if is_bcrypt { &client.secret_hash } else { &nobody },
                    "max_priority": priority, "max_reservation_time": time,
                };
                if let Some(queues) = &client.allowed_queues {
                    let queues: Vec<String> = queues.iter().map(ToString::to_string).collect();
                    document.insert("allowed_queues", queues);
                }
                if let Some(email) = &client.email {
                    document.insert("email", email);
                }
                let remark = match (is_bcrypt, has_none) {
                    (true, _) => "",
                    (_, true) => "it has no secret here, and none there",
                    _ => NEW_SECRET,
                };
                self.put((&mut out, name, client.id.as_str()), &document, remark)?;
            }
        }
        out.end()?;
        let name = "restricted_queues";
        let (mut out, mut last) = (Collection::create(self.folder, name)?, None);
        loop {
            let page = self.tx.restricted_after(last.as_ref(), PAGE)?;
            for queue in &page {
                let document = doc! { "queue_name": queue.as_str() };
                self.put((&mut out, name, queue.as_str()), &document, "")?;
            }
            match page.into_iter().next_back() {
                Some(end) => last = Some(end),
                None => return out.end(),
            }
        }
    }

    fn agents(&mut self) -> Result<(), Error> {
        let name = "agents";
        let (mut out, mut after) = (Collection::create(self.folder, name)?, 0);
        loop {
            let page = self.tx.agents_after(after, PAGE)?;
            let Some(end) = page.last() else { break };
            after = end.seq;
            for agent in &page {
                let mut document = Document::new();
                let mut remark = String::new();
                for (member, json) in &agent.fields {
                    match value(json) {
                        Ok(value) => drop(document.insert(member, value)),
                        Err(why) => remark = format!("{member} is left out: {why}"),
                    }
                }
                let log = self.tx.agent_log(&agent.name)?;
                document.extend(doc! {
                    "name": agent.name.as_str(), "log": log, "updated_at": moment(agent.updated_at),
                    "queues": agent.queues.iter().map(ToString::to_string).collect::<Vec<_>>(),
                });
                if let Some((passed, count)) = agent.streak {
                    document.extend(doc! {
                        "provision_streak_type": if passed { "pass" } else { "fail" },
                        "provision_streak_count": i64::try_from(count).unwrap_or(i64::MAX),
                    });
                }
                if agent.aside.is_some() {
                    "it is set aside here, which is unknown there: set its state"
                        .clone_into(&mut remark);
                }
                self.put((&mut out, name, agent.name.as_str()), &document, &remark)?;
            }
        }
        out.end()?;
        let name = "provision_logs";
        let mut names = BTreeSet::new();
        self.tx.each_provision(&mut |(agent, _)| {
            names.insert(agent);
            Ok(())
        })?;
        let mut out = Collection::create(self.folder, name)?;
        for agent in names {
            let ends = self.tx.provisions(&agent)?;
            let entry = |end: &Provision| {
                Bson::Document(doc! {
                    "job_id": &end.job_id, "exit_code": end.exit_code, "detail": &end.detail,
                    "timestamp": moment(end.at),
                })
            };
            let log: Vec<Bson> = ends.iter().map(entry).collect();
            let document = doc! { "name": agent.as_str(), "provision_log": log };
            self.put((&mut out, name, agent.as_str()), &document, "")?;
        }
        out.end()
    }

    fn queues(&mut self) -> Result<(), Error> {
        let name = "queues";
        let mut out = Collection::create(self.folder, name)?;
        let mut last = None;
        loop {
            let page = self.tx.advertised_after(last.as_ref(), PAGE)?;
            let Some(end) = page.last() else { break };
            last = Some(end.name.clone());
            for queue in &page {
                let mut document =
                    doc! { "name": queue.name.as_str(), "description": &queue.description };
                if let Some(at) = queue.updated_at {
                    document.insert("updated_at", moment(at));
                }
                let images = self.tx.images(&queue.name)?.map(|json| value(&json));
                if let Some(Ok(images)) = images {
                    document.insert("images", images);
                }
                self.put((&mut out, name, queue.name.as_str()), &document, "")?;
            }
        }
        out.end()?;
        let name = "queue_wait_times";
        let mut out = Collection::create(self.folder, name)?;
        for queue in self.tx.queues_with_waits()? {
            let waits = self.tx.waits(&queue, KEPT)?.into_iter().map(i64::from);
            let document =
                doc! { "name": queue.as_str(), "wait_times": waits.collect::<Vec<i64>>() };
            self.put((&mut out, name, queue.as_str()), &document, "")?;
        }
        out.end()
    }

    /// Counts what the other server does not know.
    fn rest(&mut self) -> Result<(), Error> {
        let (now, report) = (self.now, &mut self.report);
        self.tx.each_refresh(&mut |(_, token)| {
            if !token.revoked && token.created_at <= now {
                let why = "only their digests are kept here: tokens that the other server issued are in its own database";
                report.note("refresh_tokens", token.client.as_str(), Outcome::Skipped, why);
            }
            Ok(())
        })?;
        let mut unknown: Vec<JobId> = Vec::new();
        self.tx.each_result(&mut |(id, since)| {
            unknown.extend(since.map(|_| id));
            Ok(())
        })?;
        for id in unknown {
            self.report.note("results", &id.to_string(), Outcome::Skipped, UNKNOWN);
        }
        let mut after = None;
        loop {
            let page = self.tx.secrets_after(None, after.as_ref(), PAGE)?;
            for secret in &page {
                let (id, why) =
                    (format!("{}/{}", secret.client, secret.path), "write it anew there");
                self.report.note("secrets", &id, Outcome::LeftOut, why);
            }
            match page.into_iter().next_back() {
                Some(end) => after = Some((end.client, end.path)),
                None => return Ok(()),
            }
        }
    }
}

const UNKNOWN: &str = "they belong to no job, or to an earlier try of one";
