//! `GET /v1/result/<id>`

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::header::{ETAG, HeaderValue, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::pieces::Pieces;
use crate::api::wire::result::{is_log, log_of};
use crate::app::App;
use crate::domain::{JobId, LogKind, Phase};
use crate::http::{ApiResult, JobPath, json, reply};
use crate::ops::{self, By};
use crate::store::{self, FragmentRow, JobReads, Log, LogReads, Member, ReadTx, ResultReads};

/// The value of a member of the answer.
enum Shown {
    Posted(Member),
    /// Put together from fragments.
    Assembled(Log, Phase, Vec<FragmentRow>),
}

/// What was posted, the logs, and the state. An agent asks only for the state, every ten seconds, so it gets no logs.
pub(in crate::api) async fn get(
    State(app): State<App>,
    by: By,
    JobPath(id): JobPath,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let (members, news) = app.read(|tx| {
        let mut members: BTreeMap<String, Shown> = tx
            .result(id)?
            .into_iter()
            .map(|(name, member)| (name, Shown::Posted(member)))
            .collect();
        if by.agent.is_some() {
            members.retain(|name, _| !is_log(name));
        } else {
            assemble(tx, id, &mut members)?;
        }
        let job = tx.job(id)?;
        if let Some(job) = &job {
            let state = Member::Inline(json::text(&job.state));
            members.insert("job_state".to_owned(), Shown::Posted(state));
        }
        let news = job.is_some_and(|job| ops::is_news(&job, by.agent.as_ref()));
        Ok::<_, ops::Error>((members, news))
    })?;
    if news {
        // The agent's first sign of life about this job; no later look writes.
        app.write(move |tx, _| ops::acknowledge(tx, id, &by)).await?;
    }
    if members.is_empty() {
        return Ok(reply::nothing());
    }
    let tag = tag(&members);
    if headers.get_all(IF_NONE_MATCH).iter().any(|value| names(value, &tag)) {
        return Ok(([(ETAG, tag)], StatusCode::NOT_MODIFIED).into_response());
    }
    let mut pieces = Pieces::new(id);
    for (name, member) in members {
        pieces.name(&name);
        match member {
            Shown::Posted(Member::Inline(json)) => pieces.text(&json),
            Shown::Posted(Member::Chunked { count, .. }) => pieces.chunks(&name, count),
            Shown::Assembled(log, phase, rows) => pieces.fragments(log, phase, rows),
        }
    }
    pieces.text("}\n");
    let mut response = pieces.reply(app);
    response.headers_mut().insert(ETAG, tag);
    Ok(response)
}

/// Changes whenever the answer does, and is made without reading a log: whoever asks again and again whether something
/// has changed costs next to nothing.
fn tag(members: &BTreeMap<String, Shown>) -> HeaderValue {
    let mut hash = Sha256::new();
    for (name, member) in members {
        hash.update(name.len().to_be_bytes());
        hash.update(name);
        match member {
            Shown::Posted(Member::Inline(json)) => {
                hash.update(json.len().to_be_bytes());
                hash.update(json);
            }
            Shown::Posted(Member::Chunked { count, version }) => {
                hash.update(count.to_be_bytes());
                hash.update(version.to_be_bytes());
            }
            // Fragments are only ever added.
            Shown::Assembled(_, _, rows) => {
                for row in rows {
                    hash.update(row.number.to_be_bytes());
                    hash.update(row.size.to_be_bytes());
                }
            }
        }
    }
    // Weak: the same answer may be sent compressed.
    let text = format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(&hash.finalize()[..18]));
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("W/\"\""))
}

/// Whether a list of tags names this one.
fn names(list: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(list), Ok(tag)) = (list.to_str(), tag.to_str()) else { return false };
    let plain = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    list.split(',').any(|found| found.trim() == "*" || plain(found) == plain(tag))
}

/// Adds the logs that were posted in fragments; one that was posted whole wins.
fn assemble(
    tx: &ReadTx,
    id: JobId,
    members: &mut BTreeMap<String, Shown>,
) -> Result<(), store::Error> {
    for kind in LogKind::ALL {
        let log = Log(id, kind);
        if tx.log_written(log)?.is_none() {
            continue;
        }
        for phase in Phase::ALL {
            let name = log_of(phase, kind);
            if members.contains_key(&name) {
                continue;
            }
            let rows = tx.fragments(log, phase, i64::MIN, None)?;
            if !rows.is_empty() {
                members.insert(name, Shown::Assembled(log, phase, rows));
            }
        }
    }
    Ok(())
}
