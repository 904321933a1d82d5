//! `/stream` and `/jobs/<id>/stream`: tell a page that is open what its logs have grown by, and when it is out of date.
//!
//! A page does not learn here what has changed. It asks for itself again, so that each thing is shown in one way only.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde::Serialize;
use tokio::time::{Instant, Interval, interval_at};

use super::Pages;
use super::access::may_still_look;
use super::filter::Query;
use super::shell::Shown;
use super::show::log_key;
use super::visitor::Visitor;
use crate::app::{JobNews, JobWatch, LabNews, LabWatch};
use crate::domain::{Change, JobId};
use crate::http::stream::Broken;
use crate::http::{ApiError, Caller, JobPath, events, json};
use crate::ops::{BadCursor, Cursor};

/// A page is out of date after so long although nothing was told: times and silences grow without a change.
const TICK: Duration = Duration::from_mins(1);

/// What happens in the lab.
pub(super) async fn lab(
    State(pages): State<Pages>,
    visitor: Visitor,
    caller: Caller,
    headers: HeaderMap,
    query: Query,
) -> Shown {
    let last = events::last_id(&headers, Some(query.get("last_event_id"))).map(str::parse::<u64>);
    let last = last.transpose().map_err(|_| bad_place())?;
    let lab = pages.app.watch_lab(last, caller.address)?;
    Ok(tell(pages, visitor, None, Some(lab)))
}

/// What happens to a job, and, while it waits, in the lab.
pub(super) async fn job(
    State(pages): State<Pages>,
    visitor: Visitor,
    caller: Caller,
    JobPath(id): JobPath,
    headers: HeaderMap,
    query: Query,
) -> Shown {
    let last = events::last_id(&headers, Some(query.get("last_event_id")));
    let place = last.map(str::parse::<Cursor>).transpose().map_err(|_: BadCursor| bad_place())?;
    let Some(job) = pages.app.watch_job(id, place, caller.address)? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let watch = || pages.app.watch_lab(None, caller.address);
    let lab = if waits(&pages, id)? { Some(watch()?) } else { None };
    Ok(tell(pages, visitor, Some(job), lab))
}

fn bad_place() -> ApiError {
    ApiError::bad_request("Invalid Last-Event-ID")
}

fn waits(pages: &Pages, id: JobId) -> Result<bool, crate::app::Error> {
    pages.app.read(|tx| crate::ops::waits(tx, id))
}

fn tell(
    pages: Pages,
    visitor: Visitor,
    job: Option<JobWatch>,
    lab: Option<LabWatch>,
) -> axum::response::Response {
    let app = pages.app.clone();
    let tick = interval_at(Instant::now() + TICK, TICK);
    events::reply(app, Open { pages, visitor, job, lab, tick }).into_response()
}

/// A page that somebody has open.
struct Open {
    pages: Pages,
    visitor: Visitor,
    job: Option<JobWatch>,
    lab: Option<LabWatch>,
    tick: Interval,
}

/// What a page is told at once. The page has all of it or none when it comes back with the id.
#[derive(Default, Serialize)]
struct News {
    /// It is out of date.
    look: bool,
    /// Its logs are of another attempt.
    anew: bool,
    /// Nothing will follow.
    end: bool,
    /// What was added to each log.
    logs: Vec<(String, String)>,
}

impl News {
    const LOOK: Self = Self { look: true, anew: false, end: false, logs: Vec::new() };

    fn of(all: Vec<JobNews>) -> Self {
        let mut news = Self::default();
        for one in all {
            match one {
                JobNews::Anew(_) => news.anew = true,
                JobNews::Changed(_) => news.look = true,
                JobNews::Text(kind, phase, text) => news.logs.push((log_key(phase, kind), text)),
                JobNews::Ended(_) => (news.look, news.end) = (true, true),
            }
        }
        news
    }

    fn event(&self, id: Option<String>) -> String {
        events::event(id, "message", &json::text(self))
    }
}

impl events::Source for Open {
    async fn next(&mut self) -> Result<Option<String>, Broken> {
        let told = tokio::select! {
            told = of_job(&mut self.job) => told?.map(|(place, news)| {
                if news.iter().any(leaves_queue) {
                    self.lab = None;
                }
                News::of(news).event(Some(place.to_string()))
            }),
            told = of_lab(&mut self.lab) => told.map(|news| {
                // On the page of a job, the place is one in the job's stream.
                let last = match &news {
                    LabNews::Told(all) if self.job.is_none() => all.last(),
                    _ => None,
                };
                News::LOOK.event(last.map(|told| told.number.to_string()))
            }),
            _ = self.tick.tick() => Some(News::LOOK.event(None)),
        };
        Ok(told.filter(|_| may_still_look(&self.pages, &self.visitor)))
    }
}

fn leaves_queue(news: &JobNews) -> bool {
    let JobNews::Changed(event) = news else { return false };
    matches!(&event.change, Change::State { to, .. } if !to.is_waiting())
}

async fn of_job(job: &mut Option<JobWatch>) -> Result<Option<(Cursor, Vec<JobNews>)>, Broken> {
    match job {
        Some(job) => job.next().await.map_err(|_| Broken),
        None => std::future::pending().await,
    }
}

async fn of_lab(lab: &mut Option<LabWatch>) -> Option<LabNews> {
    match lab {
        Some(lab) => lab.next().await,
        None => std::future::pending().await,
    }
}
