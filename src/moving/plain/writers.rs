//! The writers of all kinds.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read as _};

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::Error;
use super::out::Lines;
use super::shapes::{
    AgentLog, EventLine, FileLine, Images, JobLine, JobSecretLine, LogLine, LogText, NoticeLine,
    ProvisionLine, RefreshLine, Restricted, Sum, Times, place,
};
use super::write::Writing;
use crate::domain::wait::KEPT;
use crate::domain::{Blob, Client, JobSecret};
use crate::store::{
    self, AgentReads, AlertReads, ClientReads, JobReads, Member, NoticeReads, QueueReads,
    ResultReads, SecretReads, Tray, WaitReads,
};

/// How much is read together.
const PAGE: usize = 500;
const PIECE: usize = 256 * 1024;

/// Shows one thing after the other of what is read in pages.
fn paged<T>(
    mut next: impl FnMut(Option<&T>) -> Result<Vec<T>, store::Error>,
    mut each: impl FnMut(&T) -> Result<(), store::Error>,
) -> Result<(), Error> {
    let mut last = None;
    loop {
        let page = next(last.as_ref())?;
        page.iter().try_for_each(&mut each)?;
        match page.into_iter().next_back() {
            Some(end) => last = Some(end),
            None => return Ok(()),
        }
    }
}

pub(super) fn clients(writing: &mut Writing<'_>, lines: &mut Lines) -> Result<(), Error> {
    let (tx, secrets) = (writing.tx, writing.secrets);
    paged(
        |last: Option<&Client>| tx.clients_after(last.map(|client| &client.id), PAGE),
        |client| {
            if secrets {
                return lines.put(client);
            }
            lines.put(&Client { secret_hash: String::new(), ..client.clone() })
        },
    )
}

pub(super) fn restricted_queues(writing: &mut Writing<'_>, lines: &mut Lines) -> Result<(), Error> {
    let tx = writing.tx;
    paged(
        |last| tx.restricted_after(last, PAGE),
        |queue| lines.put(&Restricted { queue: queue.clone() }),
    )
}

pub(super) fn refresh_tokens(writing: &mut Writing<'_>, lines: &mut Lines) -> Result<(), Error> {
    Ok(writing.tx.each_refresh(&mut |(digest, token)| {
        lines.put(&RefreshLine { sha256: Sum(digest), token })
    })?)
}

pub(super) fn secrets(writing: &mut Writing<'_>, lines: &mut Lines) -> Result<(), Error> {
    let (tx, mut last) = (writing.tx, None);
    loop {
        let page = tx.secrets_after(None, last.as_ref(), PAGE)?;
        page.iter().try_for_each(|secret| lines.put(secret))?;
        match page.into_iter().next_back() {
            Some(end) => last = Some((end.client, end.path)),
            None => return Ok(()),
        }
    }
}

pub(super) fn agents(writing: &mut Writing<'_>, lines: &mut Lines) -> Result<(), Error> {
    let tx = writing.tx;
    paged(
        |last: Option<&crate::domain::Agent>| tx.agents_after(last.map_or(0, |it| it.seq), PAGE),
        |agent| lines.put(agent),
    )
}

pub(super) fn agent_logs(writing: &mut Writing<'_>, lines: &mut Lines) -> Result<(), Error> {
    Ok(writing.tx.each_agent_log(&mut |(agent, log)| lines.put(&AgentLog { agent, lines: log }))?)
}

pub(super) fn provisions(writing: &mut Writing<'_>, lines: &mut Lines) -> Result<(), Error> {
    Ok(writing.tx.each_provision(&mut |(agent, end)| lines.put(&ProvisionLine { agent, end }))?)
}

pub(super) fn queues(writing: &mut Writing<'_>, lines: &mut Lines) -> Result<(), Error> {
    let tx = writing.tx;
    paged(
        |last: Option<&crate::domain::Advertised>| {
            tx.advertised_after(last.map(|queue| &queue.name), PAGE)
        },
        |queue| lines.put(queue),
    )
}

pub(super) fn images(writing: &mut Writing<'_>, lines: &mut Lines) -> Result<(), Error> {
    Ok(writing
        .tx
        .each_images(&mut |(queue, images)| lines.put(&Images { queue, images: json(images)? }))?)
}

pub(super) fn waits(writing: &mut Writing<'_>, lines: &mut Lines) -> Result<(), Error> {
    let tx = writing.tx;
    let mut queues: BTreeSet<_> = tx.queues_with_waits()?.into_iter().collect();
    queues.extend(tx.queues_with_runs()?);
    for queue in queues {
        let (waits, runs) = (tx.waits(&queue, KEPT)?, tx.runs(&queue)?);
        lines.put(&Times { queue, waits, runs })?;
    }
    Ok(())
}

pub(super) fn jobs(writing: &mut Writing<'_>, lines: &mut Lines) -> Result<(), Error> {
    let tx = writing.tx;
    paged(
        |last: Option<&store::Listed>| tx.jobs_after(last.map_or(0, |it| it.seq), PAGE),
        |listed| {
            let (job, body) = (tx.job(listed.id)?, tx.job_body(listed.id)?);
            let (Some(job), Some(body)) = (job, body) else {
                return Err(store::Error::Corrupt(format!("job {} is missing", listed.id)));
            };
            lines.put(&JobLine { job, body: json(body)? })
        },
    )
}

pub(super) fn job_secrets(writing: &mut Writing<'_>, lines: &mut Lines) -> Result<(), Error> {
    let (tx, mut last) = (writing.tx, None);
    loop {
        let page = tx.all_job_secrets_after(last.as_ref(), PAGE)?;
        for (job_id, secret) in &page {
            let sealed = secret.sealed.clone().filter(|_| writing.secrets);
            let secret = JobSecret { sealed, ..secret.clone() };
            lines.put(&JobSecretLine { job_id: *job_id, secret })?;
        }
        match page.into_iter().next_back() {
            Some((job, secret)) => last = Some((job, secret.variable)),
            None => return Ok(()),
        }
    }
}

/// A result may be large, so it is written piece by piece.
pub(super) fn results(writing: &mut Writing<'_>, lines: &mut Lines) -> Result<(), Error> {
    let tx = writing.tx;
    Ok(tx.each_result(&mut |(id, since)| {
        let since = since.map_or_else(|| "null".to_owned(), |at| format!("\"{}\"", at.exact()));
        lines.part(format!("{{\"job_id\":\"{id}\",\"since\":{since},\"result\":{{").as_bytes())?;
        for (n, (name, member)) in tx.result(id)?.into_iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            lines.part(format!("{comma}{}:", serde_json::json!(name)).as_bytes())?;
            match member {
                Member::Inline(text) => lines.part(text.as_bytes())?,
                Member::Chunked { count, .. } => {
                    for n in 0..count {
                        let piece = tx.result_chunk(id, &name, n)?;
                        let lost = || store::Error::Corrupt(format!("the result of {id}: {name}"));
                        lines.part(&piece.ok_or_else(lost)?)?;
                    }
                }
            }
        }
        lines.part(b"}}")?;
        lines.end_line()
    })?)
}

pub(super) fn events(writing: &mut Writing<'_>, lines: &mut Lines) -> Result<(), Error> {
    Ok(writing
        .tx
        .each_event(&mut |(of, number, event)| lines.put(&EventLine { of, number, event }))?)
}

pub(super) fn logs(writing: &mut Writing<'_>, lines: &mut Lines) -> Result<(), Error> {
    let tx = writing.tx;
    Ok(tx.each_log(&mut |(log, end)| {
        let name = place("logs", log.0, &format!("{}.jsonl", log.1.as_str()));
        let mut file = writing.out.create(&name)?;
        tx.each_fragment(log, &mut |(phase, number, at, text)| {
            file.put(&LogText::Fragment { phase, number, at, text })
        })?;
        tx.each_piece(log, &mut |(unread, text)| file.put(&LogText::Unread { unread, text }))?;
        let count = file.end()?;
        lines.put(&LogLine { job_id: log.0, log: log.1, end, file: name, lines: count })
    })?)
}

pub(super) fn files(writing: &mut Writing<'_>, lines: &mut Lines) -> Result<(), Error> {
    let mut missing = Vec::new();
    writing.tx.each_blob(&mut |(job_id, kind, blob)| {
        let name = place("files", job_id, kind.as_str());
        if copy(writing, &name, &blob)? {
            let sha256 = Sum(blob.sha256);
            let (size, created_at) = (blob.size, blob.created_at);
            lines.put(&FileLine { job_id, kind, size, sha256, created_at, file: name })?;
        } else {
            missing.push(format!("the {} of job {job_id}", kind.as_str()));
        }
        Ok(())
    })?;
    writing.missing = missing;
    Ok(())
}

/// Copies a blob, and says whether it was there.
fn copy(writing: &Writing<'_>, name: &str, blob: &Blob) -> Result<bool, store::Error> {
    let opened = writing.store.blobs().open(blob.name);
    let mut source = match opened {
        Err(store::Error::File { source, .. }) if source.kind() == ErrorKind::NotFound => {
            return Ok(false);
        }
        opened => opened?.0,
    };
    let (mut file, mut sum) = (writing.out.create(name)?, Sha256::new());
    let mut piece = vec![0; PIECE];
    loop {
        let read = match source.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(store::Error::file(name, error)),
        };
        sum.update(&piece[..read]);
        file.raw(&piece[..read])?;
    }
    file.end()?;
    if sum.finalize()[..] == blob.sha256[..] {
        return Ok(true);
    }
    let help = "run: testflinger-server check --repair";
    Err(store::Error::Corrupt(format!("{name} holds other bytes than were uploaded: {help}")))
}

pub(super) fn notices(writing: &mut Writing<'_>, lines: &mut Lines) -> Result<(), Error> {
    let tx = writing.tx;
    for (tray, given_up) in [(Tray::Waiting, false), (Tray::Dead, true)] {
        paged(
            |last: Option<&crate::domain::Notice>| {
                tx.notices_after(tray, last.map_or(0, |notice| notice.number), PAGE)
            },
            |notice| lines.put(&NoticeLine { given_up, notice: notice.clone() }),
        )?;
    }
    Ok(())
}

pub(super) fn alerts(writing: &mut Writing<'_>, lines: &mut Lines) -> Result<(), Error> {
    Ok(writing.tx.alerts()?.iter().try_for_each(|alert| lines.put(alert))?)
}

/// JSON text as a part of a line.
fn json(text: String) -> Result<Box<RawValue>, store::Error> {
    RawValue::from_string(text).map_err(|error| store::Error::Corrupt(error.to_string()))
}
