//! `GET /v1/result/<id>`

use std::collections::BTreeMap;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use futures_util::stream::try_unfold;

use crate::api::wire::result::is_log;
use crate::domain::JobId;
use crate::http::stream::Broken;
use crate::http::{ApiResult, App, Caller, JobPath, json, reply};
use crate::ops;
use crate::store::{JobReads, Member, ResultReads};

/// What was posted, and the state. An agent asks only for the state, every ten seconds, so it gets no logs.
pub(in crate::api) async fn get(
    State(app): State<App>,
    caller: Caller,
    JobPath(id): JobPath,
) -> ApiResult<Response> {
    let members = app.read(|tx| {
        let mut members = tx.result(id)?;
        if caller.agent.is_some() {
            members.retain(|name, _| !is_log(name));
        }
        if let Some(job) = tx.job(id)? {
            members.insert("job_state".to_owned(), Member::Inline(json::text(&job.state)));
        }
        Ok::<_, ops::Error>(members)
    })?;
    if members.is_empty() {
        Ok(reply::nothing())
    } else {
        Ok(reply::json_stream(body(app, id, members)))
    }
}

/// A piece of the answer.
enum Piece {
    Text(String),
    /// The chunk of a member with this number.
    Chunk(String, u64),
}

/// The members as a JSON object; large ones are read while they are sent.
fn body(app: App, id: JobId, members: BTreeMap<String, Member>) -> Body {
    let mut pieces = Vec::new();
    let mut text = String::new();
    for (name, member) in members {
        text.push(if text.is_empty() && pieces.is_empty() { '{' } else { ',' });
        text.push_str(&json::text(&name));
        text.push(':');
        match member {
            Member::Inline(json) => text.push_str(&json),
            Member::Chunked(count) => {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
                pieces.extend((0..count).map(|n| Piece::Chunk(name.clone(), n)));
            }
        }
    }
    text.push_str("}\n");
    if pieces.is_empty() {
        return Body::from(text);
    }
    pieces.push(Piece::Text(text));
    Body::from_stream(try_unfold(pieces.into_iter(), move |mut pieces| {
        let app = app.clone();
        async move {
            let bytes = match pieces.next() {
                None => return Ok(None),
                Some(Piece::Text(text)) => Bytes::from(text),
                Some(Piece::Chunk(member, n)) => {
                    let chunk = app.scan(move |tx| tx.result_chunk(id, &member, n)).await;
                    // Gone when the result was posted anew meanwhile.
                    Bytes::from(chunk.ok().flatten().ok_or(Broken)?)
                }
            };
            Ok::<_, Broken>(Some((bytes, pieces)))
        }
    }))
}
