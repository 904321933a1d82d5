//! Queries on the wire.

use serde::Deserialize;

use super::{NAMES, distinct};
use crate::domain::{JobState, QueueName, Tag};
use crate::http::ApiResult;
use crate::http::shape::kind::{NAME, TEXT, list, one_of};
use crate::http::shape::{Input, Members, Others, Shape, may};
use crate::ops::{Match, Search};

/// The most tags, and the most states, of one search: each costs a look into an index.
const SEARCHED: usize = 100;

static SEARCH: Shape = Shape {
    name: "Search",
    doc: "Which jobs are looked for; without anything, all.",
    others: Others::Kept,
    members: &[
        may("tags", list(&NAME).up_to(SEARCHED), "Jobs that have one of these tags.")
            .like(r#"["smoke"]"#),
        may("match", one_of(&["any", "all"]), "`all`: jobs that have all of the tags.").like("all"),
        may(
            "state",
            list(&one_of(&[
                "setup",
                "provision",
                "firmware_update",
                "test",
                "allocate",
                "allocated",
                "reserve",
                "cleanup",
                "cancelled",
                "completed",
                "active",
                "waiting",
                "running",
                "complete",
            ]))
            .up_to(SEARCHED),
            "Jobs in one of these states; `active` stands for all jobs that have not ended.",
        )
        .like(r#"["active"]"#),
    ],
};

impl Input for Search {
    const SHAPE: &'static Shape = &SEARCH;

    fn read(members: Members<'_>) -> ApiResult<Self> {
        #[derive(Deserialize)]
        struct Known {
            #[serde(default)]
            tags: Vec<Tag>,
            r#match: Option<String>,
            #[serde(default)]
            state: Vec<String>,
        }
        let known: Known = members.to()?;
        let mut states = distinct(known.state);
        // Agents say "complete", and their servers used to say "completed": whoever asks for one means both.
        let ends = [JobState::COMPLETE, JobState::COMPLETED];
        if states.iter().any(|state| ends.contains(&state.as_str())) {
            states.extend(ends.map(str::to_owned));
        }
        Ok(Self {
            tags: distinct(known.tags),
            matching: if known.r#match.as_deref() == Some("all") { Match::All } else { Match::Any },
            active: states.iter().any(|state| state == "active"),
            states: distinct(states),
        })
    }
}

static NAMED_QUEUES: Shape = Shape {
    name: "NamedQueues",
    doc: "Queues by name.",
    others: Others::Kept,
    members: &[
        may("queue", list(&NAME).up_to(NAMES), "A queue; may be repeated.").like(r#"["myqueue"]"#)
    ],
};

/// The queues that a query names, without repetition.
#[derive(Deserialize)]
pub(in crate::api) struct NamedQueues {
    #[serde(default, rename = "queue")]
    pub(in crate::api) queues: Vec<QueueName>,
}

impl Input for NamedQueues {
    const SHAPE: &'static Shape = &NAMED_QUEUES;

    fn read(members: Members<'_>) -> ApiResult<Self> {
        let named: Self = members.to()?;
        Ok(Self { queues: distinct(named.queues) })
    }
}

static CONTENTS: Shape = Shape {
    name: "BackupContents",
    doc: "What a backup has in it.",
    others: Others::Kept,
    members: &[
        may("secrets", TEXT, "`no` leaves out everything that support must not see.").like("no")
    ],
};

/// What a backup shall have in it.
#[derive(Deserialize)]
pub(in crate::api) struct Contents {
    secrets: Option<String>,
}

impl Contents {
    /// Whether secrets belong to it.
    pub(in crate::api) fn secrets(&self) -> bool {
        self.secrets.as_deref() != Some("no")
    }
}

impl Input for Contents {
    const SHAPE: &'static Shape = &CONTENTS;

    fn read(members: Members<'_>) -> ApiResult<Self> {
        members.to()
    }
}
