//! `/`: how the lab is, and what needs a person.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;

use super::Pages;
use super::shell::{Shell, Shown, live};
use super::show::{Badge, Line, When};
use super::visitor::Visitor;
use crate::app::App;
use crate::domain::{self, AgentName, Timestamp};
use crate::ops::{self, AgentGlance, Doing, Lab, LabReads};
use crate::store::ReadTx;

/// Jobs that are named in each list.
const NAMED: usize = 8;

#[derive(Template)]
#[template(path = "home.html")]
struct Page {
    shell: Shell,
    agents: usize,
    busy: usize,
    idle: usize,
    offline: usize,
    waiting: String,
    running: Vec<Line>,
    oldest: Vec<Line>,
    troubles: Vec<Trouble>,
    /// When the newest verified backup was made.
    backup: Option<When>,
}

/// Something that needs a person.
struct Trouble {
    badge: Badge,
    what: String,
    path: String,
    why: String,
    since: Option<When>,
}

/// The page.
pub(super) async fn get(
    State(Pages { app, .. }): State<Pages>,
    visitor: Visitor,
    headers: HeaderMap,
) -> Shown {
    let (now, hearing, shell) = (app.now(), app.hearing(), Shell::of(&visitor, "Home", "/"));
    let backup = app.verified_backup().map(|note| When::at(note.at(), now));
    let (of, lines) = (app.clone(), app.lines().await?);
    let read = move |tx: &ReadTx| {
        let lab = Lab::now(tx, &lines, now, &hearing)?;
        let mut troubles = of_server(&of, tx, backup.is_some())?;
        troubles.extend(of_lab(tx, &lab, now)?);
        let count = |such| lab.agents.iter().filter(|agent| agent.doing == such).count();
        Ok::<_, ops::Error>(Page {
            shell,
            agents: lab.agents.len(),
            busy: count(Doing::Busy),
            idle: count(Doing::Idle),
            offline: count(Doing::Offline) + count(Doing::Silent),
            waiting: lab.waiting().to_string(),
            running: Line::all(&lab.running, now),
            oldest: Line::all(&ops::longest_waiting(tx, NAMED)?, now),
            troubles,
            backup,
        })
    };
    Ok(live(&app.scan(read).await?, &headers))
}

fn of_lab(tx: &impl LabReads, lab: &Lab, now: Timestamp) -> Result<Vec<Trouble>, ops::Error> {
    let mut troubles = Vec::new();
    if let Some(since) = tx.drained_since()? {
        troubles.push(Trouble {
            badge: Badge::new("warn", "drained"),
            what: "This server".to_owned(),
            path: "/jobs?state=active".to_owned(),
            why: "It hands out no jobs until it is resumed: testflinger-server resume.".to_owned(),
            since: Some(When::at(since, now)),
        });
    }
    for (queue, job) in lab.stuck(tx)? {
        let served = lab.of_queue(&queue).next().is_some();
        troubles.push(Trouble {
            badge: Badge::new("bad", if served { "all offline" } else { "no agent" }),
            path: format!("/queues/{}", encoded(queue.as_str())),
            what: queue.to_string(),
            why: if served {
                "Jobs wait in this queue, and all of its agents are offline or silent.".to_owned()
            } else {
                "Jobs wait in this queue, and no agent serves it. Is its name right?".to_owned()
            },
            since: job.map(|job| When::at(job.created_at, now)),
        });
    }
    for agent in &lab.agents {
        if matches!(agent.doing, Doing::Offline | Doing::Silent) {
            troubles.push(of_agent(tx, agent, now)?);
        }
    }
    Ok(troubles)
}

fn of_agent(
    tx: &impl LabReads,
    glance: &AgentGlance,
    now: Timestamp,
) -> Result<Trouble, ops::Error> {
    let agent = &glance.view.agent;
    let comment = agent.told_why().unwrap_or_default();
    let (why, since) = match glance.doing {
        Doing::Silent => {
            let lost = "It was not heard any more, and it has not said that it is offline.";
            let job = glance.job.as_ref().map(|_| " It still has a job.").unwrap_or_default();
            (format!("{lost}{job}"), Some(glance.heard))
        }
        _ if comment.is_empty() => {
            ("Nobody has said why.".to_owned(), ops::agent_since(tx, agent)?)
        }
        _ => (comment, ops::agent_since(tx, agent)?),
    };
    Ok(Trouble {
        badge: Badge::of_agent(glance),
        path: agent_path(&agent.name),
        what: agent.name.to_string(),
        why,
        since: since.map(|at| When::at(at, now)),
    })
}

/// What is wrong with the server itself. That there is no backup is said beside the list: a lab may be too young for one.
fn of_server(app: &App, tx: &ReadTx, has_backup: bool) -> Result<Vec<Trouble>, ops::Error> {
    let mut found = app.server_troubles(tx)?;
    found.retain(|trouble| has_backup || *trouble != domain::Trouble::BackupOld);
    let trouble = |trouble: domain::Trouble| Trouble {
        badge: Badge::new("bad", "server"),
        what: "This server".to_owned(),
        path: "/metrics".to_owned(),
        why: format!("{}.", trouble.sentences().0),
        since: None,
    };
    Ok(found.into_iter().map(trouble).collect())
}

/// The page of an agent.
pub(super) fn agent_path(name: &AgentName) -> String {
    format!("/agents/{}", encoded(name.as_str()))
}

/// A name in a path.
pub(super) fn encoded(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}
