//! Values of secrets that lie across the fragments of a log.
//!
//! A reader asks for a log from some fragment on, again and again. So a value may begin before what is asked for, and may
//! end after what is there: neither half of it may be shown.

use super::{App, Masks, Result};
use crate::domain::{FragmentRow, Log, Phase};
use crate::ops::{self, PhaseLog};

impl App {
    /// Leaves out the fragments at the end of a log that grows in which a value may begin: they are shown when the next
    /// fragment is there, or the job has ended.
    pub fn hold_back(&self, log: Log, masks: &Masks, phases: &mut [PhaseLog]) -> Result<()> {
        if !masks.grows {
            return Ok(());
        }
        // Only at the end of the whole log: a reader has one cursor for all phases, and would never come back to an
        // earlier one.
        let number = |part: &PhaseLog| part.fragments.last().map(|row| row.number);
        let Some(PhaseLog { phase, fragments }) = phases.iter_mut().max_by_key(|part| number(part))
        else {
            return Ok(());
        };
        loop {
            let tail = self.tail(log, *phase, fragments, masks.plain.reach())?;
            let mut open = masks.plain.open_end(tail.as_bytes());
            if open == 0 {
                return Ok(());
            }
            while open > 0
                && let Some(row) = fragments.pop()
            {
                open = open.saturating_sub(row.size);
            }
        }
    }

    /// The end of the text that stands before the fragment `from`, as long as a value may be.
    pub fn text_before(&self, log: Log, phase: Phase, from: i64, masks: &Masks) -> Result<Vec<u8>> {
        if from <= 0 {
            return Ok(Vec::new());
        }
        let all = self.read(|tx| ops::log(tx, log, &[phase], i64::MIN, None))?;
        let mut rows = all.into_iter().next().map(|part| part.fragments).unwrap_or_default();
        rows.retain(|row| row.number < from);
        Ok(self.tail(log, phase, &rows, masks.plain.reach())?.into_bytes())
    }

    /// The text of the last fragments, at least `reach` bytes if there are so many.
    fn tail(&self, log: Log, phase: Phase, rows: &[FragmentRow], reach: usize) -> Result<String> {
        let (mut begin, mut size) = (rows.len(), 0);
        while begin > 0 && size < reach {
            begin -= 1;
            size += rows[begin].size;
        }
        self.read(|tx| ops::fragment_texts(tx, log, phase, &rows[begin..]))
    }
}
