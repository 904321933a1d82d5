//! Jobs are looked for by tag and state, a page at a time.

use super::super::Error;
use super::Page;
use crate::domain::{Job, JobState, Tag};
use crate::store::JobReads;

/// How the tags of a search count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Match {
    /// A job needs one of them.
    #[default]
    Any,
    /// A job needs all of them.
    All,
}

/// A search.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// The tags; none for any job.
    pub tags: Vec<Tag>,
    /// How they count.
    pub matching: Match,
    /// The states; none for any state.
    pub states: Vec<String>,
    /// All states of jobs that have not ended, whatever `states` says.
    pub active: bool,
}

impl Search {
    /// The next matching jobs after `after` among at most `limit` that the index yields, and the cursor for what follows
    /// (`None` at the end). A page may be empty and yet not the last.
    pub fn page(
        &self,
        tx: &impl JobReads,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Page<Job, u64>, Error> {
        let after = after.unwrap_or(0);
        let rows = if !self.tags.is_empty() {
            let tags = match self.matching {
                Match::Any => &self.tags[..],
                // Whatever has all of them has the first.
                Match::All => &self.tags[..1],
            };
            tx.tag_jobs_after(tags, after, limit)?
        } else if self.active || !self.states.is_empty() {
            // `active` overrides: as upstream, named states beside it do not widen it.
            let states = if self.active { &[][..] } else { &self.states[..] };
            tx.state_jobs_after(states, self.active, after, limit)?
        } else {
            tx.jobs_after(after, limit)?
        };
        let Page { items: rows, next } = Page::of(rows, limit, |last| last.seq);
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            found.extend(tx.job(row.id)?.filter(|job| self.matches(job)));
        }
        Ok(Page { items: found, next })
    }

    fn matches(&self, job: &Job) -> bool {
        let tags = match self.matching {
            Match::Any => true,
            Match::All => self.tags.iter().all(|tag| job.tags.contains(tag)),
        };
        let word = job.state.as_str();
        let state = if self.active {
            !JobState::is_finished_word(word)
        } else {
            self.states.is_empty() || self.states.iter().any(|state| state == word)
        };
        tags && state
    }
}
