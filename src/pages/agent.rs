//! `/agents/<name>`

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;

use super::Pages;
use super::agents::AgentLine;
use super::filter::Query;
use super::shell::{Failure, Shell, Shown, live};
use super::show::{Badge, Told, When};
use super::visitor::Visitor;
use crate::domain::{JobId, Provision, Subject, Timestamp};
use crate::http::AgentPath;
use crate::ops::{self, Lab};

/// The events that are told.
const EVENTS: usize = 50;

#[derive(Template)]
#[template(path = "agent.html")]
struct Page {
    shell: Shell,
    line: AgentLine,
    since: Option<When>,
    provision_type: String,
    identifier: String,
    queues: Vec<QueueLine>,
    provisions: Vec<ProvisionLine>,
    rate: Option<String>,
    from: String,
    to: String,
    ranged: bool,
    events: Vec<Told>,
    log: String,
}

struct QueueLine {
    name: String,
    restricted: bool,
    waiting: String,
    agents: usize,
}

struct ProvisionLine {
    at: When,
    badge: Badge,
    job: String,
    linked: bool,
    detail: String,
}

/// The page.
pub(super) async fn get(
    State(Pages { app, .. }): State<Pages>,
    visitor: Visitor,
    headers: HeaderMap,
    AgentPath(name): AgentPath,
    query: Query,
) -> Shown {
    let (now, hearing, shell) =
        (app.now(), app.hearing(), Shell::of(&visitor, name.to_string(), "/agents"));
    let lines = app.lines().await?;
    let (from, to) = (query.get("from").to_owned(), query.get("to").to_owned());
    let read = move |tx: &crate::store::ReadTx| {
        let lab = Lab::now(tx, &lines, now, &hearing)?;
        let Some(glance) = lab.agents.iter().find(|agent| agent.view.agent.name == name) else {
            return Ok::<_, ops::Error>(None);
        };
        let agent = &glance.view.agent;
        let mut queues = Vec::new();
        for queue in &agent.queues {
            let glance = lab.queue(tx, queue)?;
            let (restricted, agents) = (glance.restricted, glance.agents);
            let waiting = glance.waiting.to_string();
            queues.push(QueueLine { name: queue.to_string(), restricted, waiting, agents });
        }
        let provisions = ops::provisions(tx, &name)?;
        let provisions: Vec<Provision> =
            provisions.into_iter().filter(|it| is_between(it.at, &from, &to)).collect();
        let events = ops::newest_events(tx, &Subject::Agent(name.clone()), EVENTS)?;
        Ok(Some(Page {
            shell,
            line: AgentLine::of(glance, now),
            since: ops::agent_since(tx, agent)?.map(|at| When::at(at, now)),
            provision_type: agent.text("provision_type").unwrap_or_default(),
            identifier: agent.text("identifier").unwrap_or_default(),
            queues,
            rate: rate(&provisions),
            provisions: provisions.iter().map(|it| line(it, now)).collect(),
            ranged: !from.is_empty() || !to.is_empty(),
            from,
            to,
            events: events.iter().map(|event| Told::of(event, now)).collect(),
            log: ops::agent_log(tx, &name)?.join("\n"),
        }))
    };
    match app.scan(read).await? {
        Some(page) => Ok(live(&page, &headers)),
        None => Err(Failure::unknown("No agent of this name has reported for some time.")),
    }
}

/// Whether a moment lies in these days (`2026-01-31`), both included; an empty or odd one is no limit.
fn is_between(at: Timestamp, from: &str, to: &str) -> bool {
    let is_day =
        |day: &str| day.len() == 10 && day.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let day = at.to_string();
    let day = day.get(..10).unwrap_or_default();
    (!is_day(from) || day >= from) && (!is_day(to) || day <= to)
}

fn rate(provisions: &[Provision]) -> Option<String> {
    let passed = provisions.iter().filter(|it| it.exit_code == 0).count();
    let percent = (passed * 100).checked_div(provisions.len())?;
    Some(format!("{passed} of {} passed ({percent} %)", provisions.len()))
}

fn line(provision: &Provision, now: Timestamp) -> ProvisionLine {
    ProvisionLine {
        at: When::at(provision.at, now),
        badge: match provision.exit_code {
            0 => Badge::new("good", "passed"),
            code => Badge::new("bad", format!("exit {code}")),
        },
        linked: JobId::from_path(&provision.job_id).is_some(),
        job: provision.job_id.clone(),
        detail: provision.detail.clone(),
    }
}
