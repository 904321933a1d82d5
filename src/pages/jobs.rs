//! `/jobs`

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;

use super::Pages;
use super::filter::Query;
use super::shell::{Shell, Shown, live};
use super::show::Line;
use super::visitor::Visitor;
use crate::domain::{ClientId, QueueName, Tag};
use crate::ops::{JobFilter, LOOKED_AT, Stage};

/// Jobs on a page.
const PAGE: usize = 50;

#[derive(Template)]
#[template(path = "jobs.html")]
struct Page {
    shell: Shell,
    lines: Vec<Line>,
    tabs: Vec<Tab>,
    filter: Fields,
    filtered: bool,
    newest: bool,
    mine: Option<String>,
    first: String,
    more: Option<String>,
    /// The page is short because so many jobs were looked at.
    looked_at: Option<usize>,
}

struct Tab {
    word: &'static str,
    path: String,
    here: bool,
}

/// What is filtered by, as it was written.
#[derive(Clone, Default)]
struct Fields {
    state: String,
    queue: String,
    tag: String,
    by: String,
    text: String,
}

const TABS: [(&str, &str, Stage); 6] = [
    ("", "All", Stage::Any),
    ("waiting", "Waiting", Stage::Waiting),
    ("active", "Running", Stage::Active),
    ("failed", "Failed", Stage::Failed),
    ("complete", "Passed", Stage::Passed),
    ("cancelled", "Cancelled", Stage::Cancelled),
];

impl Fields {
    fn of(query: &Query) -> Self {
        let get = |name| query.get(name).to_owned();
        Self {
            state: get("state"),
            queue: get("queue"),
            tag: get("tag"),
            by: get("by"),
            text: get("text"),
        }
    }

    fn path(&self, before: &str) -> String {
        let fields = [
            ("state", self.state.as_str()),
            ("queue", &self.queue),
            ("tag", &self.tag),
            ("by", &self.by),
            ("text", &self.text),
            ("before", before),
        ];
        Query::path("/jobs", &fields)
    }

    /// The filter, or `None` if nothing can match: a text is too long to be a name.
    fn filter(&self) -> Option<JobFilter> {
        fn name<T: TryFrom<String>>(text: &str) -> Result<Option<T>, T::Error> {
            if text.is_empty() { Ok(None) } else { T::try_from(text.to_owned()).map(Some) }
        }
        let stage = TABS.iter().find(|(word, ..)| *word == self.state).map(|(.., stage)| *stage);
        Some(JobFilter {
            stage: stage.unwrap_or_default(),
            queue: name::<QueueName>(&self.queue).ok()?,
            tag: name::<Tag>(&self.tag).ok()?,
            client: name::<ClientId>(&self.by).ok()?,
            text: self.text.to_lowercase(),
        })
    }
}

/// The page.
pub(super) async fn get(
    State(Pages { app, .. }): State<Pages>,
    visitor: Visitor,
    headers: HeaderMap,
    query: Query,
) -> Shown {
    let (now, fields) = (app.now(), Fields::of(&query));
    let before: Option<u64> = query.get("before").parse().ok();
    let (lines, next) = match fields.filter() {
        None => (Vec::new(), None),
        Some(filter) => {
            let page = app.scan(move |tx| filter.page(tx, before, PAGE)).await?;
            (Line::all(&page.items, now), page.next)
        }
    };
    let tab = |(state, word, _): &(&str, &'static str, Stage)| {
        let there = Fields { state: (*state).to_owned(), ..fields.clone() };
        Tab { word, path: there.path(""), here: fields.state == *state }
    };
    let mine = visitor.client().map(ToString::to_string).filter(|client| *client != fields.by);
    let is_short = next.is_some() && lines.len() < PAGE;
    let page = Page {
        shell: Shell::of(&visitor, "Jobs", "/jobs"),
        lines,
        tabs: TABS.iter().map(tab).collect(),
        filtered: fields.path("") != "/jobs",
        newest: before.is_none(),
        mine: mine.map(|by| Fields { by, ..fields.clone() }.path("")),
        first: fields.path(""),
        more: next.map(|before| fields.path(&before.to_string())),
        looked_at: is_short.then_some(LOOKED_AT),
        filter: fields,
    };
    Ok(live(&page, &headers))
}
