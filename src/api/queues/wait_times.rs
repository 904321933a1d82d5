//! `GET /v1/queues/wait_times`

use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::domain::QueueName;
use crate::domain::wait::{PERCENTILES, percentile};
use crate::http::{ApiQuery, ApiResult, json, reply};
use crate::ops;
use crate::store::WaitReads;

/// Percentiles of how long jobs waited, in seconds, for the named queues or all.
pub(in crate::api) async fn get(State(app): State<App>, query: ApiQuery) -> ApiResult<Response> {
    let mut named = query.queues()?;
    named.sort_unstable();
    named.dedup();
    let members = app
        .scan(move |tx| {
            let queues = if named.is_empty() { tx.queues_with_waits()? } else { named };
            let mut members = Vec::new();
            for queue in queues {
                members.extend(member(&queue, tx.waits(&queue)?));
            }
            Ok::<_, ops::Error>(members)
        })
        .await?;
    Ok(reply::json_text(format!("{{{}}}", members.join(","))))
}

fn member(queue: &QueueName, mut waits: Vec<u32>) -> Option<String> {
    waits.sort_unstable();
    let values = PERCENTILES.map(|percent| percentile(&waits, percent));
    if values.iter().any(Option::is_none) {
        return None;
    }
    let values: Vec<String> = PERCENTILES
        .iter()
        .zip(values)
        .map(|(percent, value)| format!("\"{percent}\":{}", json::text(&value)))
        .collect();
    Some(format!("{}:{{{}}}", json::text(queue), values.join(",")))
}
