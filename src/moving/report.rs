//! What was taken, and what was not.

use std::collections::BTreeMap;

use serde::Serialize;

/// Lines beyond these are only counted.
const NAMED: usize = 10_000;
/// The longest id in a line, characters: anything may stand where an id should.
const LONGEST_ID: usize = 200;

/// What became of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is here now.
    Taken,
    /// It is here now, but not as it was.
    Changed,
    /// It was here before and has changed since, so it stays as it is here.
    Kept,
    /// It was not asked for, or means nothing here.
    Skipped,
    /// It should be here and is not.
    LeftOut,
}

impl Outcome {
    /// The words for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Changed => "changed",
            Self::Kept => "kept",
            Self::Skipped => "skipped",
            Self::LeftOut => "left out",
        }
    }
}

/// How much of a collection became what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Things that are here now, the changed ones among them.
    pub taken: u64,
    /// Those that are not as they were.
    pub changed: u64,
    /// Those that stay as they are here.
    pub kept: u64,
    /// Those that were not asked for.
    pub skipped: u64,
    /// Those that should be here.
    pub left_out: u64,
}

/// What became of one thing, or of many for the same reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Where it was.
    pub collection: String,
    /// Its id; empty in a line about many.
    pub id: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Why.
    pub reason: String,
}

/// What was taken, and what was not.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// By the collection where it was.
    pub collections: BTreeMap<String, Counts>,
    /// Everything that is not as it was or not here at all; what was kept or skipped, by its reason.
    pub lines: Vec<Line>,
    /// Further lines.
    pub more_lines: u64,
    #[serde(skip)]
    many: BTreeMap<(String, Outcome, String), u64>,
}

impl Report {
    /// Notes what became of one thing.
    pub(super) fn note(&mut self, collection: &str, id: &str, outcome: Outcome, reason: &str) {
        let counts = self.collections.entry(collection.to_owned()).or_default();
        match outcome {
            Outcome::Taken => counts.taken += 1,
            Outcome::Changed => {
                counts.taken += 1;
                counts.changed += 1;
            }
            Outcome::Kept => counts.kept += 1,
            Outcome::Skipped => counts.skipped += 1,
            Outcome::LeftOut => counts.left_out += 1,
        }
        match outcome {
            Outcome::Taken => {}
            Outcome::Kept | Outcome::Skipped => {
                let key = (collection.to_owned(), outcome, reason.to_owned());
                *self.many.entry(key).or_default() += 1;
            }
            Outcome::Changed | Outcome::LeftOut if self.lines.len() < NAMED => {
                self.lines.push(Line {
                    collection: collection.to_owned(),
                    id: id.chars().take(LONGEST_ID).collect(),
                    outcome,
                    reason: reason.to_owned(),
                });
            }
            Outcome::Changed | Outcome::LeftOut => self.more_lines += 1,
        }
    }

    /// Something that was taken is not here any more, because a newer one has its place.
    pub(super) fn replaced(&mut self, collection: &str, id: &str, reason: &str) {
        let counts = self.collections.entry(collection.to_owned()).or_default();
        counts.taken = counts.taken.saturating_sub(1);
        self.note(collection, id, Outcome::LeftOut, reason);
    }

    /// Adds a line for each reason that many have.
    pub(super) fn finish(&mut self) {
        for ((collection, outcome, reason), count) in std::mem::take(&mut self.many) {
            let reason = format!("{count}: {reason}");
            self.lines.push(Line { collection, id: String::new(), outcome, reason });
        }
    }

    /// How many things should be here and are not.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.collections.values().map(|counts| counts.left_out).sum()
    }
}
