//! Jobs with their results, logs and files, as the Python server keeps them.

use std::io::{ErrorKind, Read};

use bson::oid::ObjectId;
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, Document, doc};

use super::super::super::{Error, Outcome};
use super::super::collection::{Collection, moment, value};
use super::{Dump, PAGE, UNKNOWN};
use crate::domain::member::phase_of_status;
use crate::domain::{Attachments, Blob, Job, Log, Phase, Timestamp};
use crate::store::{self, JobReads, LogReads, Member, ResultReads};

/// As the drivers of MongoDB cut files.
const CHUNK: usize = 255 * 1024;
/// Bytes of JSON that a job may have in all: MongoDB takes no document beyond 16 MiB, and BSON may be larger than JSON.
const ROOM: u64 = 12 << 20;

impl Dump<'_> {
    pub(super) fn jobs(&mut self) -> Result<(), Error> {
        let name = "jobs";
        let (mut out, mut after) = (Collection::create(self.folder, name)?, 0);
        loop {
            let page = self.tx.jobs_after(after, PAGE)?;
            let Some(end) = page.last() else { return out.end() };
            after = end.seq;
            for listed in &page {
                let Some(job) = self.tx.job(listed.id)? else { continue };
                match self.job(&job)? {
                    Ok((document, remark)) => {
                        self.put((&mut out, name, &job.id.to_string()), &document, &remark)?;
                    }
                    Err(why) => {
                        self.report.note(name, &job.id.to_string(), Outcome::LeftOut, &why);
                    }
                }
            }
        }
    }

    /// A job as a document, and what is not in it.
    fn job(&self, job: &Job) -> Result<Result<(Document, String), String>, Error> {
        let body = self.tx.job_body(job.id)?.unwrap_or_default();
        let mut data = match value(&body) {
            Ok(Bson::Document(data)) => data,
            Ok(_) => return Ok(Err("what was submitted is not an object".to_owned())),
            Err(why) => return Ok(Err(why)),
        };
        if !data.contains_key("exclude_agents") {
            data.insert("exclude_agents", Bson::Array(Vec::new()));
        }
        match job.attachments {
            Attachments::None => {}
            Attachments::Awaited => drop(data.insert("attachments_status", "waiting")),
            Attachments::Complete => drop(data.insert("attachments_status", "complete")),
        }
        if let Some(client) = &job.client {
            data.insert("client_id", client.as_str());
        }
        let mut remarks = Vec::new();
        let mut result = doc! { "job_state": job.state.as_str() };
        let mut status = Document::new();
        let mut size = body.len() as u64;
        for (member, kept) in self.tx.result(job.id)? {
            size += match &kept {
                Member::Inline(text) => text.len() as u64,
                Member::Chunked { count, .. } => count * store::CHUNK,
            };
            if size > ROOM {
                remarks.push(format!("{member} is left out: the job is too large for MongoDB"));
                continue;
            }
            let text = match kept {
                Member::Inline(text) => text,
                Member::Chunked { count, .. } => {
                    let mut bytes = Vec::new();
                    for n in 0..count {
                        bytes.extend(self.tx.result_chunk(job.id, &member, n)?.unwrap_or_default());
                    }
                    String::from_utf8_lossy(&bytes).into_owned()
                }
            };
            match (value(&text), phase_of_status(&member)) {
                (Ok(code), Some(phase)) => drop(status.insert(phase.as_str(), code)),
                (Ok(value), None) => drop(result.insert(member, value)),
                (Err(why), _) => remarks.push(format!("{member} is left out: {why}")),
            }
        }
        if !status.is_empty() {
            result.insert("status", status);
        }
        if let Some(agent) = &job.agent {
            result.insert("agent_id", agent.as_str());
        }
        if !job.tried.is_empty() {
            remarks.push("its earlier tries have no results of their own there".to_owned());
        }
        let mut document = doc! {
            "job_id": job.id.to_string(), "created_at": moment(job.created_at),
            "job_priority": job.priority, "job_data": data, "result_data": result,
        };
        if let Some(at) = job.started_at {
            document.insert("started_at", moment(at));
        }
        Ok(Ok((document, remarks.join("; "))))
    }

    pub(super) fn logs(&mut self) -> Result<(), Error> {
        let mut logs: Vec<(Log, Timestamp)> = Vec::new();
        self.tx.each_log(&mut |(log, end)| {
            logs.push((log, end.written_at));
            Ok(())
        })?;
        let (logs, unread): (Vec<_>, Vec<_>) = {
            let mut with = Vec::new();
            let mut without = Vec::new();
            for (log, at) in logs {
                if self.has_fragments(log)? {
                    with.push((log, at));
                } else {
                    without.push((log, at));
                }
            }
            (with, without)
        };
        let name = "logs";
        let mut out = Collection::create(self.folder, name)?;
        for (log, written_at) in logs {
            let (mut failed, mut count) = (None, 0_u64);
            self.tx.each_fragment(log, &mut |(phase, number, at, text)| {
                let document = doc! {
                    "_id": ObjectId::new(), "job_id": log.0.to_string(), "log_type": log.1.as_str(),
                    "phase": phase.as_str(), "fragment_number": number, "timestamp": moment(at),
                    "log_data": text, "updated_at": moment(written_at),
                };
                match out.put(&document) {
                    Ok(Ok(())) => count += 1,
                    Ok(Err(why)) => failed = Some(Ok(why)),
                    Err(error) => {
                        failed = Some(Err(error));
                        return Err(store::Error::Closed);
                    }
                }
                Ok(())
            })
            .map_err(|error| match failed.take() {
                Some(Err(cause)) => cause,
                _ => error.into(),
            })?;
            if let Some(Ok(why)) = failed {
                self.report.note(name, &log.0.to_string(), Outcome::LeftOut, &why);
            }
            (0..count).for_each(|_| self.report.note(name, "", Outcome::Taken, ""));
        }
        out.end()?;
        for name in ["output", "serial_output"] {
            let mut out = Collection::create(self.folder, name)?;
            for (log, at) in unread.iter().filter(|(log, _)| name.starts_with(log.1.as_str())) {
                let mut pieces = Vec::new();
                self.tx.each_piece(*log, &mut |(_, text)| {
                    pieces.push(Bson::String(text));
                    Ok(())
                })?;
                let mut document = doc! { "job_id": log.0.to_string(), "updated_at": moment(*at) };
                document.insert(name, pieces);
                self.put((&mut out, name, &log.0.to_string()), &document, "")?;
            }
            out.end()?;
        }
        Ok(())
    }

    fn has_fragments(&self, log: Log) -> Result<bool, Error> {
        for phase in Phase::ALL {
            if !self.tx.fragments(log, phase, i64::MIN, None)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn files(&mut self) -> Result<(), Error> {
        let mut blobs = Vec::new();
        self.tx.each_blob(&mut |(job, kind, blob)| {
            blobs.push((job, kind, blob));
            Ok(())
        })?;
        let mut files = Collection::create(self.folder, "fs.files")?;
        let mut chunks = Collection::create(self.folder, "fs.chunks")?;
        for (job, kind, blob) in blobs {
            let name = format!("{job}.{}", kind.as_str());
            if self.tx.job(job)?.is_none() {
                self.report.note("fs.files", &name, Outcome::Skipped, UNKNOWN);
                continue;
            }
            let id = ObjectId::new();
            if !self.pieces(&mut chunks, id, &blob)? {
                self.report.note("fs.files", &name, Outcome::LeftOut, "its bytes are gone");
                continue;
            }
            let document = doc! {
                "_id": id, "filename": &name, "length": i64::try_from(blob.size).unwrap_or(i64::MAX),
                "chunkSize": i32::try_from(CHUNK).unwrap_or(i32::MAX), "uploadDate": moment(blob.created_at),
            };
            drop(files.put(&document)?);
            self.report.note("fs.files", &name, Outcome::Taken, "");
        }
        files.end()?;
        chunks.end()
    }

    /// Writes the bytes of a file; says whether they are there.
    fn pieces(&self, out: &mut Collection, id: ObjectId, blob: &Blob) -> Result<bool, Error> {
        let mut source = match self.store.blobs().open(blob.name) {
            Err(store::Error::File { source, .. }) if source.kind() == ErrorKind::NotFound => {
                return Ok(false);
            }
            opened => opened?.0,
        };
        for n in 0.. {
            let mut bytes = Vec::with_capacity(CHUNK);
            let read = (&mut source).take(CHUNK as u64).read_to_end(&mut bytes);
            read.map_err(|error| store::Error::file(blob.name.to_string(), error))?;
            if bytes.is_empty() {
                break;
            }
            let data = Binary { subtype: BinarySubtype::Generic, bytes };
            let document = doc! {
                "_id": ObjectId::new(), "files_id": id, "n": n, "data": data,
                "uploadDate": moment(blob.created_at),
            };
            drop(out.put(&document)?);
        }
        Ok(true)
    }
}
