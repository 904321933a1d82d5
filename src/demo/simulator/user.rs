//! Somebody who submits jobs and watches them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::jobs::{Dice, random};
use super::{Caller, Told};
use crate::demo::Error;

/// A person of a large lab.
pub(super) struct User {
    caller: Caller,
    queues: usize,
    dice: Dice,
    watched: Option<Watched>,
}

/// The job that is watched.
struct Watched {
    job: String,
    /// The number of the next fragment of its log.
    fragment: i64,
}

impl User {
    /// Somebody who submits to all of the queues.
    pub(super) fn new(caller: &Caller, queues: usize, seed: u64) -> Self {
        let (caller, dice) = (caller.on_a_connection_of_its_own(), Dice::new(seed ^ 0x5EED));
        Self { caller, queues, dice, watched: None }
    }

    /// Submits and watches until it is told to stop, or until `closing` and the end of the last job.
    pub(super) fn live(mut self, pace: Duration, closing: &AtomicBool, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            if self.watched.is_none() && closing.load(Ordering::Relaxed) {
                return;
            }
            if let Err(error) = self.go_on() {
                self.caller.book().refused(&error);
            }
            std::thread::sleep(pace);
        }
    }

    fn go_on(&mut self) -> Result<(), Error> {
        match self.watched.take() {
            None => self.submit(),
            Some(mut watched) => {
                let ended = watched.look(&self.caller);
                if !matches!(ended, Ok(true)) {
                    self.watched = Some(watched);
                }
                ended.map(|_| ())
            }
        }
    }

    /// Submits a job as the stock client does, which looks first whether anybody serves the queue.
    fn submit(&mut self) -> Result<(), Error> {
        let queue = format!("queue-{}", self.dice.roll(self.queues as u64));
        match self.caller.get(&format!("/v1/queues/{queue}/agents")) {
            // Nobody has advertised it yet.
            Err(Error::Refused(_, 404, _)) => return Ok(()),
            looked => looked?,
        };
        let answer = self.caller.post("/v1/job", &random(&queue, &mut self.dice))?;
        let job = answer["job_id"].as_str().unwrap_or_default().to_owned();
        self.caller.book().note(Told::Submitted { job: &job });
        self.watched = Some(Watched { job, fragment: 0 });
        Ok(())
    }
}

impl Watched {
    /// Looks how the job is going; says whether it has ended.
    fn look(&mut self, caller: &Caller) -> Result<bool, Error> {
        let result = format!("/v1/result/{}", self.job);
        let state = caller.get(&result)?["job_state"].as_str().unwrap_or_default().to_owned();
        let path = format!("{result}/log/output?start_fragment={}", self.fragment);
        let log = caller.get(&path)?;
        let phases = log["output"].as_object().into_iter().flat_map(serde_json::Map::values);
        let last = phases.filter_map(|phase| phase["last_fragment_number"].as_i64()).max();
        self.fragment = last.map_or(self.fragment, |last| self.fragment.max(last + 1));
        let ended = matches!(state.as_str(), "complete" | "completed" | "cancelled");
        if ended {
            // An artifact is there when the agent came as far as that.
            if state == "complete" {
                caller.get(&format!("{result}/artifact"))?;
            }
            caller.book().note(Told::Seen { job: &self.job });
        }
        Ok(ended)
    }
}
