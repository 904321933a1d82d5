//! `/agents`

use std::cmp::Reverse;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;

use super::Pages;
use super::chart::meter;
use super::filter::Query;
use super::shell::{Shell, Shown, live};
use super::show::{Badge, Line, When, span};
use super::visitor::Visitor;
use crate::domain::Timestamp;
use crate::ops::{AgentGlance, Doing, Lab};

#[derive(Template)]
#[template(path = "agents.html")]
struct Page {
    shell: Shell,
    lines: Vec<AgentLine>,
    total: usize,
    filtered: bool,
    text: String,
    sort: String,
    states: [(&'static str, &'static str, bool); 5],
    columns: Vec<Column>,
}

/// A heading that sorts.
struct Column {
    word: &'static str,
    link: String,
    order: Option<&'static str>,
    arrow: &'static str,
    num: bool,
}

/// An agent in a list.
pub(super) struct AgentLine {
    pub(super) name: String,
    pub(super) location: String,
    pub(super) badge: Badge,
    pub(super) comment: String,
    pub(super) job: Option<Line>,
    /// How long its job may last.
    pub(super) limit: Option<String>,
    pub(super) meter: Option<String>,
    pub(super) queues: Vec<QueueTag>,
    pub(super) streak: Option<(bool, u64)>,
    pub(super) seen: When,
}

pub(super) struct QueueTag {
    pub(super) name: String,
    pub(super) restricted: bool,
}

impl AgentLine {
    pub(super) fn of(glance: &AgentGlance, now: Timestamp) -> Self {
        let AgentGlance { view, heard, job, .. } = glance;
        let agent = &view.agent;
        let text = |member: &str| agent.text(member).unwrap_or_default();
        let limit = job.as_ref().and_then(|job| job.limit);
        let started = job.as_ref().and_then(|job| job.job.started_at);
        let used = |limit: Duration| {
            let used = now.since(started?).as_secs();
            meter(used, limit.as_secs())
        };
        Self {
            name: agent.name.to_string(),
            location: text("location"),
            badge: Badge::of_agent(glance),
            comment: text("comment"),
            job: job.as_ref().map(|job| Line::of(job, now)),
            limit: limit.map(span),
            meter: limit.and_then(used),
            queues: agent
                .queues
                .iter()
                .map(|queue| QueueTag {
                    name: queue.to_string(),
                    restricted: view.restricted_to.contains_key(queue),
                })
                .collect(),
            streak: agent.streak,
            seen: When::at(*heard, now),
        }
    }
}

const STATES: [(&str, &str); 5] = [
    ("", "any"),
    ("busy", "busy"),
    ("idle", "idle"),
    ("offline", "offline or silent"),
    ("failing", "failing to provision"),
];

/// The headings: word, name of the order, numbers.
const COLUMNS: [(&str, &str, bool); 6] = [
    ("Agent", "name", false),
    ("State", "state", false),
    ("Job", "job", false),
    ("Queues", "", false),
    ("Provisioning", "streak", true),
    ("Last seen", "seen", true),
];

/// The page.
pub(super) async fn get(
    State(Pages { app, .. }): State<Pages>,
    visitor: Visitor,
    headers: HeaderMap,
    query: Query,
) -> Shown {
    let (now, hearing, lines) = (app.now(), app.hearing(), app.lines().await?);
    let lab = app.scan(move |tx| Lab::now(tx, &lines, now, &hearing)).await?;
    let (text, state, sort) = (query.get("text"), query.get("state"), query.get("sort"));
    let needle = text.to_lowercase();
    let total = lab.agents.len();
    let mut agents = lab.agents;
    agents.retain(|agent| is_in(agent, state) && has(agent, &needle));
    order(&mut agents, sort);
    let columns = COLUMNS.iter().map(|column| heading(column, sort, (text, state))).collect();
    let page = Page {
        shell: Shell::of(&visitor, "Agents", "/agents"),
        lines: agents.iter().map(|agent| AgentLine::of(agent, now)).collect(),
        total,
        filtered: !text.is_empty() || !state.is_empty(),
        text: text.to_owned(),
        sort: sort.to_owned(),
        states: STATES.map(|(value, word)| (value, word, value == state)),
        columns,
    };
    Ok(live(&page, &headers))
}

fn heading(
    (word, name, num): &(&'static str, &'static str, bool),
    sort: &str,
    (text, state): (&str, &str),
) -> Column {
    if name.is_empty() {
        return Column { word, link: String::new(), order: None, arrow: "", num: *num };
    }
    let (order, arrow, next) = match sort.strip_prefix('-') {
        Some(sorted) if sorted == *name => (Some("descending"), " ↓", (*name).to_owned()),
        _ if sort == *name => (Some("ascending"), " ↑", format!("-{name}")),
        _ => (None, "", (*name).to_owned()),
    };
    let link = Query::path("/agents", &[("text", text), ("state", state), ("sort", &next)]);
    Column { word, link, order, arrow, num: *num }
}

fn is_in(agent: &AgentGlance, state: &str) -> bool {
    match state {
        "busy" => agent.doing == Doing::Busy,
        "idle" => agent.doing == Doing::Idle,
        "offline" => matches!(agent.doing, Doing::Offline | Doing::Silent),
        "failing" => matches!(agent.view.agent.streak, Some((false, _))),
        _ => true,
    }
}

fn has(glance: &AgentGlance, needle: &str) -> bool {
    let agent = &glance.view.agent;
    let has = |text: &str| text.to_lowercase().contains(needle);
    needle.is_empty()
        || has(agent.name.as_str())
        || agent.queues.iter().any(|queue| has(queue.as_str()))
        || ["location", "comment", "provision_type"]
            .iter()
            .any(|member| agent.text(member).is_some_and(|text| has(&text)))
}

fn order(agents: &mut [AgentGlance], sort: &str) {
    let (name, back) = match sort.strip_prefix('-') {
        Some(name) => (name, true),
        None => (sort, false),
    };
    agents.sort_by(|a, b| a.view.agent.name.cmp(&b.view.agent.name));
    match name {
        "state" => agents.sort_by_key(|agent| Badge::of_agent(agent).word),
        "job" => agents.sort_by_key(|agent| {
            let started = agent.job.as_ref().and_then(|job| job.job.started_at);
            (started.is_none(), started)
        }),
        "streak" => agents.sort_by_key(|agent| match agent.view.agent.streak {
            Some((false, count)) => (0, Reverse(count)),
            Some((true, count)) => (1, Reverse(count)),
            None => (2, Reverse(0)),
        }),
        "seen" => agents.sort_by_key(|agent| Reverse(agent.heard)),
        _ => {}
    }
    if back {
        agents.reverse();
    }
}
