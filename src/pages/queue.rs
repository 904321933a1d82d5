//! `/queues/<name>`

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;

use super::Pages;
use super::agents::AgentLine;
use super::chart::{Column, columns};
use super::queues::QueueLine;
use super::shell::{Failure, Shell, Shown, live};
use super::show::{Line, span};
use super::visitor::Visitor;
use crate::domain::{Timestamp, counted};
use crate::http::QueuePath;
use crate::ops::{self, JobFilter, Lab};

/// Jobs in each list.
const NAMED: usize = 25;
const HOURS: u64 = 24;

#[derive(Template)]
#[template(path = "queue.html")]
struct Page {
    shell: Shell,
    line: QueueLine,
    owners: Vec<String>,
    percentiles: Option<String>,
    waits: Option<String>,
    throughput: Option<String>,
    agents: Vec<AgentLine>,
    waiting: Vec<Line>,
    jobs: Vec<Line>,
}

/// The page.
pub(super) async fn get(
    State(Pages { app, .. }): State<Pages>,
    visitor: Visitor,
    headers: HeaderMap,
    QueuePath(name): QueuePath,
) -> Shown {
    let (now, hearing, lines) = (app.now(), app.hearing(), app.lines().await?);
    let shell = Shell::of(&visitor, name.to_string(), "/queues");
    let read = move |tx: &crate::store::ReadTx| {
        let lab = Lab::now(tx, &lines, now, &hearing)?;
        let glance = lab.queue(tx, &name)?;
        let filter = JobFilter { queue: Some(name.clone()), ..JobFilter::default() };
        let jobs = filter.page(tx, None, NAMED)?.items;
        let is_known = glance.agents > 0 || glance.waiting > 0 || glance.restricted;
        if jobs.is_empty() && !is_known && ops::queue_known(tx, &name)? == ops::QueueKnown::Unknown
        {
            return Ok::<_, ops::Error>(None);
        }
        let owners = if glance.restricted { ops::restricted_queue(tx, &name)? } else { Vec::new() };
        let waits = ops::newest_waits(tx, &name)?;
        let since = now.minus(Duration::from_hours(HOURS));
        let ended = ops::ended_since(tx, &name, since)?;
        Ok(Some(Page {
            shell,
            line: QueueLine::of(&glance),
            owners: owners.iter().map(ToString::to_string).collect(),
            percentiles: percentiles(&waits),
            waits: histogram(&waits),
            throughput: by_hour(&ended, now),
            agents: lab.of_queue(&name).map(|agent| AgentLine::of(agent, now)).collect(),
            waiting: Line::all(&ops::waiting_in(tx, &name, NAMED)?, now),
            jobs: Line::all(&jobs, now),
        }))
    };
    match app.scan(read).await? {
        Some(page) => Ok(live(&page, &headers)),
        None => Err(Failure::unknown("No agent serves a queue of this name, and no job is in it.")),
    }
}

/// How long half of them and nine of ten waited at most; they are sorted.
fn percentiles(waits: &[u32]) -> Option<String> {
    let at = |percent: usize| waits.get((waits.len() * percent).div_ceil(100).checked_sub(1)?);
    let (half, most) = (at(50)?, at(90)?);
    let shown = |seconds: &u32| span(Duration::from_secs((*seconds).into()));
    Some(format!("half within {}, nine of ten within {}", shown(half), shown(most)))
}

/// Up to how many seconds a column counts, and what stands below it.
const STEPS: [(u32, &str); 9] = [
    (10, "10 s"),
    (60, "1 min"),
    (300, "5 min"),
    (900, "15 min"),
    (1800, "30 min"),
    (3600, "1 h"),
    (14_400, "4 h"),
    (86_400, "1 d"),
    (u32::MAX, "longer"),
];

fn histogram(waits: &[u32]) -> Option<String> {
    let mut from = 0;
    let column = |(to, label): &(u32, &str)| {
        let height = waits.iter().filter(|wait| (from..*to).contains(*wait)).count() as u64;
        from = *to;
        let says = format!("{}: less than {label}", counted(height, "job", "jobs"));
        Column { height, bad: 0, says, label: (*label).to_owned() }
    };
    let all: Vec<Column> = STEPS.iter().map(column).collect();
    columns(&all, "How many of the newest jobs waited how long")
}

fn by_hour(ended: &[(Timestamp, bool)], now: Timestamp) -> Option<String> {
    let hours_ago = |at: Timestamp| now.since(at).as_secs() / 3600;
    let column = |ago: u64| {
        let of_hour = ended.iter().filter(|(at, _)| hours_ago(*at) == ago);
        let (all, bad) =
            of_hour.fold((0, 0), |(all, bad), (_, failed)| (all + 1, bad + u64::from(*failed)));
        let label = if ago.is_multiple_of(6) { format!("-{ago} h") } else { String::new() };
        let says = format!("{all} ended, {bad} of them failed, {ago} to {} hours ago", ago + 1);
        Column { height: all, bad, says, label: if ago == 0 { "now".to_owned() } else { label } }
    };
    let all: Vec<Column> = (0..HOURS).rev().map(column).collect();
    columns(&all, "How many jobs ended in each of the last 24 hours, failed ones in red")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_half_and_of_nine_of_ten_is_true_of_so_many() {
        let said = |waits: &[u32]| percentiles(waits).unwrap();
        assert_eq!(said(&[0, 0, 120]), "half within 0 s, nine of ten within 2 min");
        assert_eq!(
            said(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
            "half within 5 s, nine of ten within 9 s"
        );
        assert_eq!(said(&[7]), "half within 7 s, nine of ten within 7 s");
        assert_eq!(percentiles(&[]), None);
    }
}
