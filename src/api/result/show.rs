//! `GET /v1/result/<id>`

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;

use super::pieces::Pieces;
use crate::api::wire::result::{is_log, log_of};
use crate::domain::{JobId, LogKind, Phase};
use crate::http::{ApiResult, App, Caller, JobPath, json, reply};
use crate::ops;
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
    caller: Caller,
    JobPath(id): JobPath,
) -> ApiResult<Response> {
    let (members, news) = app.read(|tx| {
        let mut members: BTreeMap<String, Shown> = tx
            .result(id)?
            .into_iter()
            .map(|(name, member)| (name, Shown::Posted(member)))
            .collect();
        if caller.agent.is_some() {
            members.retain(|name, _| !is_log(name));
        } else {
            assemble(tx, id, &mut members)?;
        }
        let job = tx.job(id)?;
        if let Some(job) = &job {
            let state = Member::Inline(json::text(&job.state));
            members.insert("job_state".to_owned(), Shown::Posted(state));
        }
        let news = job.is_some_and(|job| ops::is_news(&job, caller.agent.as_ref()));
        Ok::<_, ops::Error>((members, news))
    })?;
    if news {
        // The agent's first sign of life about this job; no later look writes.
        let by = caller.by(&app);
        app.write(move |tx, _| ops::acknowledge(tx, id, &by)).await?;
    }
    if members.is_empty() {
        return Ok(reply::nothing());
    }
    let mut pieces = Pieces::new(id);
    for (name, member) in members {
        pieces.name(&name);
        match member {
            Shown::Posted(Member::Inline(json)) => pieces.text(&json),
            Shown::Posted(Member::Chunked(count)) => pieces.chunks(&name, count),
            Shown::Assembled(log, phase, rows) => pieces.fragments(log, phase, rows),
        }
    }
    pieces.text("}\n");
    Ok(pieces.reply(app))
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
