//! `GET /v1/job`

use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{HeaderName, HeaderValue};

use crate::api::wire::job::{Shown, claimed};
use crate::api::wire::search::NamedQueues;
use crate::app::{App, Delivery};
use crate::auth::Identity;
use crate::domain::Role;
use crate::http::load::Load;
use crate::http::{Answer, ApiError, ApiQuery, ApiResult};
use crate::ops::{self, By};
use crate::store::Ask;

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// Hands out a job. An empty poll reads a snapshot; one that is held then waits where jobs become claimable.
pub(in crate::api) async fn get(
    State(app): State<App>,
    by: By,
    load: Load,
    headers: HeaderMap,
    ApiQuery(named): ApiQuery<NamedQueues>,
) -> ApiResult<Answer<Shown>> {
    let ask = ask(&by, named)?;
    let preferred = preferred_wait(&headers);
    let hold = hold(preferred, by.agent.is_some(), app.longest_hold());
    let job = if hold.is_zero() && !app.read(|tx| ops::has_something(tx, &ask))? {
        None
    } else {
        app.claim(ask, by, hold).await?
    };
    let answer = match job {
        Some(delivery) => deliver(&app, &load, delivery).await?,
        None => Answer::nothing(),
    };
    match HeaderValue::from_str(&format!("wait={}", hold.as_secs())) {
        Ok(applied) if preferred.is_some() => Ok(answer.header((PREFERENCE_APPLIED, applied))),
        _ => Ok(answer),
    }
}

/// The answer with a job. Until it is made, the job can still go back.
async fn deliver(app: &App, load: &Load, delivery: Delivery) -> ApiResult<Answer<Shown>> {
    let job = delivery.claimed().ok_or_else(ApiError::internal)?;
    let (id, secrets) = (job.job.id, app.secret_values(job).await);
    let text = if let Some(body) = &job.body {
        claimed(&job.job, body, &secrets)
    } else {
        let found = app.read_large(move |tx| ops::submitted(tx, id)).await?;
        let (_, body) = found.ok_or_else(ApiError::internal)?;
        load.grow_for(&body)?;
        let job = job.job.clone();
        app.blocking(move || claimed(&job, &body, &secrets)).await?
    };
    let _ = delivery.take();
    Ok(Answer::text(text))
}

/// `HEAD` says what `GET` would say to a poll that finds nothing: it must not take a job.
pub(in crate::api) async fn head(
    by: By,
    ApiQuery(named): ApiQuery<NamedQueues>,
) -> ApiResult<Answer<Shown>> {
    ask(&by, named)?;
    Ok(Answer::nothing())
}

fn ask(by: &By, NamedQueues { queues }: NamedQueues) -> ApiResult<Ask> {
    if queues.is_empty() {
        return Err(ApiError::bad_request("No queue(s) specified in request"));
    }
    // In the open mode too: a job's secrets go to nobody who has not proved to be an agent.
    let secrets =
        matches!(by.identity, Identity::LocalAdmin) || by.identity.role() == Some(Role::Agent);
    Ok(Ask { queues, agent: by.agent.clone(), secrets })
}

/// How long a request is held. Agents are held without asking for it, never longer than the setting allows: stock agents
/// give up after 30 s, claim again five times and then sleep.
fn hold(preferred: Option<u64>, is_agent: bool, longest: Duration) -> Duration {
    match preferred {
        Some(seconds) => Duration::from_secs(seconds).min(longest),
        None if is_agent => longest,
        None => Duration::ZERO,
    }
}

/// `Prefer: wait=10` (RFC 7240), in seconds.
fn preferred_wait(headers: &HeaderMap) -> Option<u64> {
    headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .filter_map(|preference| preference.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("wait"))
        .and_then(|(_, seconds)| seconds.trim().trim_matches('"').parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preference_is_read_among_others() {
        let wait = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("prefer", HeaderValue::from_static(value));
            preferred_wait(&headers)
        };
        assert_eq!(wait("respond-async, Wait = 7"), Some(7));
        assert_eq!(wait("wait=0"), Some(0));
        assert_eq!(wait("wait=soon"), None);
        assert_eq!(wait("respond-async"), None);
    }

    #[test]
    fn only_agents_are_held_without_asking_and_nobody_longer_than_allowed() {
        let longest = Duration::from_secs(20);
        assert_eq!(hold(None, true, longest), longest);
        assert_eq!(hold(None, false, longest), Duration::ZERO);
        assert_eq!(hold(Some(0), true, longest), Duration::ZERO);
        assert_eq!(hold(Some(5), false, longest), Duration::from_secs(5));
        assert_eq!(hold(Some(500), false, longest), longest);
        assert_eq!(hold(Some(5), true, Duration::ZERO), Duration::ZERO);
    }
}
