//! `/queues`

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;

use super::Pages;
use super::filter::Query;
use super::shell::{Shell, Shown, live};
use super::show::span;
use super::visitor::Visitor;
use crate::ops::{self, Lab, QueueGlance};

#[derive(Template)]
#[template(path = "queues.html")]
struct Page {
    shell: Shell,
    lines: Vec<QueueLine>,
    text: String,
}

/// A queue in a list.
pub(super) struct QueueLine {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) restricted: bool,
    /// Jobs wait, and nobody serves it.
    pub(super) stuck: bool,
    pub(super) waiting: String,
    pub(super) running: usize,
    pub(super) agents: usize,
    pub(super) idle: usize,
    pub(super) offline: usize,
    pub(super) wait: String,
}

impl QueueLine {
    pub(super) fn of(glance: &QueueGlance) -> Self {
        Self {
            name: glance.name.to_string(),
            description: glance.description.clone(),
            restricted: glance.restricted,
            stuck: glance.agents == 0 && glance.waiting > 0,
            waiting: glance.waiting.to_string(),
            running: glance.running,
            agents: glance.agents,
            idle: glance.idle,
            offline: glance.offline,
            wait: glance.median.map(span).unwrap_or_default(),
        }
    }
}

/// The page.
pub(super) async fn get(
    State(Pages { app, .. }): State<Pages>,
    visitor: Visitor,
    headers: HeaderMap,
    query: Query,
) -> Shown {
    let (now, hearing, lines) = (app.now(), app.hearing(), app.lines().await?);
    let read = move |tx: &crate::store::ReadTx| {
        let lab = Lab::now(tx, &lines, now, &hearing)?;
        lab.queues(tx)
    };
    let mut queues: Vec<QueueGlance> = app.scan::<_, ops::Error>(read).await?;
    let needle = query.get("text").to_lowercase();
    queues.retain(|queue| {
        let has = |text: &str| text.to_lowercase().contains(&needle);
        needle.is_empty() || has(queue.name.as_str()) || has(&queue.description)
    });
    let page = Page {
        shell: Shell::of(&visitor, "Queues", "/queues"),
        lines: queues.iter().map(QueueLine::of).collect(),
        text: query.get("text").to_owned(),
    };
    Ok(live(&page, &headers))
}
