//! Steps into a store, many in one transaction.

use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use super::{Error, Outcome, Report};
use crate::store::{self, Store, WriteTx, backup};

/// Bytes that are written together.
const TOGETHER: usize = 4 << 20;
/// Steps that are written together.
const STEPS: usize = 2_000;

/// What became of a thing, and why.
pub(super) type Became = (Outcome, String);

/// It is here now.
pub(super) const fn taken() -> Became {
    (Outcome::Taken, String::new())
}

/// It stays as it is here.
pub(super) fn kept(why: &str) -> Became {
    (Outcome::Kept, why.to_owned())
}

/// Writes one thing. It may run twice, so it changes nothing of its own.
type Write = dyn Fn(&mut WriteTx<'_>) -> Result<Became, store::Error> + Send + Sync;

/// What was lost in what was read of a document.
#[derive(Default)]
pub(super) struct Losses {
    /// Bytes that are not UTF-8 were replaced.
    pub(super) text: Cell<bool>,
    /// A moment outside the calendar was taken as none.
    pub(super) moment: Cell<bool>,
}

impl Losses {
    /// What is to be said about them.
    pub(super) fn remark(&self) -> &'static str {
        match (self.text.get(), self.moment.get()) {
            (false, false) => "",
            (true, false) => "bytes that are not UTF-8 were replaced",
            (false, true) => "a moment outside the calendar was left out",
            (true, true) => {
                "bytes that are not UTF-8 were replaced, and a moment outside the calendar was left out"
            }
        }
    }
}

struct Step {
    collection: Cow<'static, str>,
    id: String,
    /// What was lost on the way.
    remark: &'static str,
    write: Box<Write>,
}

/// Collects steps and writes them.
pub(super) struct Loader<'a> {
    pub(super) store: &'a Store,
    pub(super) report: Report,
    /// Of what is being read.
    pub(super) losses: Rc<Losses>,
    steps: Vec<Step>,
    size: usize,
}

impl<'a> Loader<'a> {
    pub(super) fn new(store: &'a Store) -> Self {
        Self { store, report: Report::default(), losses: Rc::default(), steps: Vec::new(), size: 0 }
    }

    /// Something that is not written.
    pub(super) fn note(&mut self, collection: &str, id: &str, outcome: Outcome, why: &str) {
        self.report.note(collection, id, outcome, why);
    }

    /// A step that holds about `size` bytes.
    pub(super) fn step(
        &mut self,
        (collection, id): (impl Into<Cow<'static, str>>, String),
        size: usize,
        write: impl Fn(&mut WriteTx<'_>) -> Result<Became, store::Error> + Send + Sync + 'static,
    ) -> Result<(), Error> {
        let (collection, remark) = (collection.into(), self.losses.remark());
        self.steps.push(Step { collection, id, remark, write: Box::new(write) });
        self.size += size;
        if self.size > TOGETHER || self.steps.len() >= STEPS { self.flush() } else { Ok(()) }
    }

    /// Writes what was collected.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        backup::check_interrupted()?;
        self.size = 0;
        let steps: Arc<[Step]> = std::mem::take(&mut self.steps).into();
        let run = Arc::clone(&steps);
        let became: Vec<Became> = self.store.write(move |tx, _| {
            run.iter().map(|step| (step.write)(tx)).collect::<Result<_, store::Error>>()
        })?;
        for (step, (outcome, why)) in steps.iter().zip(became) {
            let (outcome, why) = match outcome {
                Outcome::Taken if !step.remark.is_empty() => {
                    (Outcome::Changed, step.remark.to_owned())
                }
                Outcome::Changed if !step.remark.is_empty() => {
                    (outcome, format!("{why}; {}", step.remark))
                }
                _ => (outcome, why),
            };
            self.report.note(&step.collection, &step.id, outcome, &why);
        }
        Ok(())
    }
}
