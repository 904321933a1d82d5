//! The readers of all kinds.

use std::io::{ErrorKind, Read as _};
use std::path::Path;

use super::Error;
use super::read::{Reading, Wrong, parse};
use super::shapes::{
    AgentLog, EventLine, FileLine, Images, JobLine, JobSecretLine, LogLine, LogText, NoticeLine,
    ProvisionLine, RefreshLine, Restricted, ResultLine, Sum, Times, place,
};
use crate::domain::{Advertised, Agent, Alert, Client, Log, Secret};
use crate::store::{
    self, AgentReads, AlertReads, BlobReads, ClientReads, JobReads, NoticeReads, QueueReads,
    ResultReads, SecretReads, WaitReads,
};

/// Why a line cannot be.
const DOUBLE: &str = "another line is about the same";
const BEYOND: &str = "its number is beyond last_number of server.json";

const PIECE: usize = 256 * 1024;

/// Whether nothing was there before.
const fn first(is_first: bool) -> Result<(), &'static str> {
    if is_first { Ok(()) } else { Err(DOUBLE) }
}

/// Whether JSON text is an object.
fn object(json: &str) -> Result<(), Wrong> {
    if json.starts_with('{') {
        Ok(())
    } else {
        Err("it holds something that is not an object".into())
    }
}

pub(super) fn client(reading: &mut Reading<'_>, text: &str) -> Result<(), Wrong> {
    let client: Client = parse(text)?;
    reading.step(text.len(), move |tx| {
        if tx.client(&client.id)?.is_some() {
            return Ok(Err(DOUBLE));
        }
        tx.put_client(&client).map(Ok)
    })
}

pub(super) fn restricted_queue(reading: &mut Reading<'_>, text: &str) -> Result<(), Wrong> {
    let Restricted { queue } = parse(text)?;
    reading.step(text.len(), move |tx| {
        if tx.is_restricted(&queue)? {
            return Ok(Err(DOUBLE));
        }
        tx.restrict(&queue).map(Ok)
    })
}

pub(super) fn refresh_token(reading: &mut Reading<'_>, text: &str) -> Result<(), Wrong> {
    let RefreshLine { sha256: Sum(digest), token } = parse(text)?;
    reading.step(text.len(), move |tx| {
        if tx.refresh(&digest)?.is_some() {
            return Ok(Err(DOUBLE));
        }
        tx.put_refresh(&digest, &token).map(Ok)
    })
}

pub(super) fn secret(reading: &mut Reading<'_>, text: &str) -> Result<(), Wrong> {
    let secret: Secret = parse(text)?;
    reading.step(text.len(), move |tx| {
        if tx.secret(&secret.client, &secret.path)?.is_some() {
            return Ok(Err(DOUBLE));
        }
        tx.put_secret(&secret).map(Ok)
    })
}

pub(super) fn agent(reading: &mut Reading<'_>, text: &str) -> Result<(), Wrong> {
    let agent: Agent = parse(text)?;
    if agent.seq > reading.last_number {
        return Err(BEYOND.into());
    }
    reading.step(text.len(), move |tx| {
        let at = tx.agents_after(agent.seq.saturating_sub(1), 1)?;
        let place_is_taken = at.first().is_some_and(|other| other.seq == agent.seq);
        if place_is_taken || tx.agent(&agent.name)?.is_some() {
            return Ok(Err(DOUBLE));
        }
        tx.put_agent(None, &agent).map(Ok)
    })
}

pub(super) fn agent_log(reading: &mut Reading<'_>, text: &str) -> Result<(), Wrong> {
    let AgentLog { agent, lines } = parse(text)?;
    reading.step(text.len(), move |tx| {
        if !tx.agent_log(&agent)?.is_empty() {
            return Ok(Err(DOUBLE));
        }
        tx.append_agent_log(&agent, &lines).map(Ok)
    })
}

pub(super) fn provision(reading: &mut Reading<'_>, text: &str) -> Result<(), Wrong> {
    let ProvisionLine { agent, end } = parse(text)?;
    reading.step(text.len(), move |tx| tx.append_provision(&agent, &end).map(Ok))
}

pub(super) fn queue(reading: &mut Reading<'_>, text: &str) -> Result<(), Wrong> {
    let queue: Advertised = parse(text)?;
    reading.step(text.len(), move |tx| {
        if tx.advertised(&queue.name)?.is_some() {
            return Ok(Err(DOUBLE));
        }
        tx.put_advertised(&queue).map(Ok)
    })
}

pub(super) fn images(reading: &mut Reading<'_>, text: &str) -> Result<(), Wrong> {
    let Images { queue, images } = parse(text)?;
    object(images.get())?;
    reading.step(text.len(), move |tx| {
        if tx.images(&queue)?.is_some() {
            return Ok(Err(DOUBLE));
        }
        tx.put_images(&queue, images.get()).map(Ok)
    })
}

pub(super) fn waits(reading: &mut Reading<'_>, text: &str) -> Result<(), Wrong> {
    let Times { queue, waits, runs } = parse(text)?;
    reading.step(text.len(), move |tx| {
        if !tx.waits(&queue, 1)?.is_empty() || !tx.runs(&queue)?.is_empty() {
            return Ok(Err(DOUBLE));
        }
        waits.iter().try_for_each(|wait| tx.append_wait(&queue, *wait))?;
        runs.iter().try_for_each(|run| tx.append_run(&queue, *run)).map(Ok)
    })
}

pub(super) fn job(reading: &mut Reading<'_>, text: &str) -> Result<(), Wrong> {
    let JobLine { job, body } = parse(text)?;
    object(body.get())?;
    if job.seq > reading.last_number {
        return Err(BEYOND.into());
    }
    reading.step(text.len() * 2, move |tx| {
        if tx.job(job.id)?.is_some() || tx.is_place_taken(job.seq)? {
            return Ok(Err(DOUBLE));
        }
        tx.insert_job(&job, body.get()).map(Ok)
    })
}

pub(super) fn job_secret(reading: &mut Reading<'_>, text: &str) -> Result<(), Wrong> {
    let JobSecretLine { job_id, secret } = parse(text)?;
    reading.step(text.len(), move |tx| {
        if tx.job_secrets(job_id)?.iter().any(|other| other.variable == secret.variable) {
            return Ok(Err(DOUBLE));
        }
        tx.put_job_secret(job_id, &secret).map(Ok)
    })
}

pub(super) fn result(reading: &mut Reading<'_>, text: &str) -> Result<(), Wrong> {
    let ResultLine { job_id, since, result } = parse(text)?;
    reading.step(text.len() * 2, move |tx| {
        if !tx.result(job_id)?.is_empty() {
            return Ok(Err(DOUBLE));
        }
        for (member, json) in &result {
            tx.put_result(job_id, member, json.get())?;
        }
        since.map_or(Ok(()), |at| tx.expire_result(job_id, at)).map(Ok)
    })
}

pub(super) fn event(reading: &mut Reading<'_>, text: &str) -> Result<(), Wrong> {
    let EventLine { of, number, event } = parse(text)?;
    if number > reading.last_number {
        return Err(BEYOND.into());
    }
    reading.step(text.len(), move |tx| tx.put_event(&of, number, &event).map(first))
}

pub(super) fn log(reading: &mut Reading<'_>, text: &str) -> Result<(), Wrong> {
    let LogLine { job_id, log, end, file, lines } = parse(text)?;
    let name = place("logs", job_id, &format!("{}.jsonl", log.as_str()));
    let path = reading.named(&file, &name)?;
    let log = Log(job_id, log);
    reading.step(text.len(), move |tx| tx.put_log_end(log, &end).map(first))?;
    let found = reading.lines(&path, &mut |reading, text| {
        let line: LogText = parse(text)?;
        reading.step(text.len() * 2, move |tx| match &line {
            LogText::Fragment { phase, number, at, text } => {
                tx.put_fragment(log, (*phase, *number), *at, text).map(Ok)
            }
            LogText::Unread { unread, text } => tx.put_piece(log, *unread, text).map(first),
        })
    })?;
    if found == lines { Ok(()) } else { Err(format!("{name} has {found} lines").as_str().into()) }
}

pub(super) fn file(reading: &mut Reading<'_>, text: &str) -> Result<(), Wrong> {
    let line: FileLine = parse(text)?;
    let path = reading.named(&line.file, &place("files", line.job_id, line.kind.as_str()))?;
    let store = reading.build.store();
    if store.read()?.blob(line.job_id, line.kind)?.is_some() {
        return Err(DOUBLE.into());
    }
    let mut upload = store.blobs().upload()?;
    copy(&path, &mut upload)?;
    let blob = upload.finish(line.created_at)?;
    if (blob.size, Sum(blob.sha256)) != (line.size, line.sha256) {
        return Err("its file holds other bytes".into());
    }
    let (job, kind) = (line.job_id, line.kind);
    store.write(move |tx, _| tx.put_blob(job, kind, &blob))?;
    upload.keep();
    Ok(crate::store::backup::check_interrupted().map_err(Error::from)?)
}

fn copy(path: &Path, upload: &mut store::Upload) -> Result<(), Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let mut source = std::fs::File::open(path).map_err(failed)?;
    let mut piece = vec![0; PIECE];
    loop {
        match source.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(read) => upload.write(&piece[..read])?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

pub(super) fn notice(reading: &mut Reading<'_>, text: &str) -> Result<(), Wrong> {
    let line: NoticeLine = parse(text)?;
    if line.notice.number > reading.last_number {
        return Err(BEYOND.into());
    }
    reading.step(text.len(), move |tx| {
        if tx.notice(line.tray(), line.notice.number)?.is_some() {
            return Ok(Err(DOUBLE));
        }
        tx.put_notice(line.tray(), &line.notice).map(Ok)
    })
}

pub(super) fn alert(reading: &mut Reading<'_>, text: &str) -> Result<(), Wrong> {
    let alert: Alert = parse(text)?;
    reading.step(text.len(), move |tx| {
        let same = |other: &Alert| (other.trouble, &other.name) == (alert.trouble, &alert.name);
        if tx.alerts()?.iter().any(same) {
            return Ok(Err(DOUBLE));
        }
        tx.put_alert(&alert).map(Ok)
    })
}
