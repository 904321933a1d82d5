//! A simulated agent with its device: it claims a job, logs, provisions, fails or succeeds, and reports as agents do.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::Error;
use super::caller::Caller;
use super::clock::LateClock;
use super::jobs::{Dice, Step, steps};
use crate::domain::{Clock, Timestamp};

/// What an agent says about itself.
#[derive(Clone, Copy)]
pub(super) struct Plate {
    pub(super) name: &'static str,
    pub(super) queues: &'static [&'static str],
    pub(super) location: &'static str,
    pub(super) provision_type: &'static str,
}

/// An agent.
pub(super) struct Board {
    pub(super) plate: Plate,
    caller: Caller,
    clock: Arc<LateClock>,
    dice: Dice,
    run: Option<Run>,
}

/// A job under way.
struct Run {
    job: String,
    steps: VecDeque<Step>,
    /// How many pieces of the first step are printed; `None` before its phase has begun.
    printed: Option<usize>,
    /// Until when the device is used.
    rests_until: Option<Timestamp>,
    /// The number of the next fragment.
    fragment: i64,
    output: String,
}

impl Board {
    /// An agent that has not yet said anything.
    pub(super) fn new(plate: Plate, caller: &Caller, clock: Arc<LateClock>, seed: u64) -> Self {
        let caller = caller.as_agent(plate.name);
        Self { plate, caller, clock, dice: Dice::new(seed), run: None }
    }

    /// Says what it is and that it waits.
    pub(super) fn appear(&self) -> Result<(), Error> {
        let Plate { queues, location, provision_type, .. } = self.plate;
        self.report(&json!({
            "state": "waiting", "queues": queues, "location": location,
            "provision_type": provision_type, "job_id": "", "comment": "",
            "log": ["the agent has started"],
        }))?;
        let described: Value =
            queues.iter().map(|queue| ((*queue).to_owned(), json!(describe(queue)))).collect();
        self.caller.post("/v1/agents/queues", &described).map(|_| ())
    }

    /// Is taken out of service.
    pub(super) fn go_offline(&self, why: &str) -> Result<(), Error> {
        self.report(&json!({ "state": "offline", "comment": why, "job_id": "" }))
    }

    /// Says that provisionings of its device fail.
    pub(super) fn fail_to_provision(&self, job: &str) -> Result<(), Error> {
        self.provisioned(job, 46, "no answer from the power switch")
    }

    /// Whether it runs a job.
    pub(super) const fn is_busy(&self) -> bool {
        self.run.is_some()
    }

    /// Asks for a job; the server may hold the request as long as `wait`.
    pub(super) fn claim(&mut self, wait: Duration) -> Result<(), Error> {
        let queues: Vec<String> =
            self.plate.queues.iter().map(|queue| format!("queue={queue}")).collect();
        let job = self.caller.claim(&format!("/v1/job?{}", queues.join("&")), wait)?;
        if let Some(id) = job["job_id"].as_str() {
            let steps = steps(&job, self.plate.name, &mut self.dice).into();
            let job = id.to_owned();
            let output = String::new();
            self.run =
                Some(Run { job, steps, printed: None, rests_until: None, fragment: 0, output });
        }
        Ok(())
    }

    /// Does the next small thing of its job: begins a phase, prints a piece, ends a phase or the job.
    pub(super) fn go_on(&mut self) -> Result<(), Error> {
        let Some(mut run) = self.run.take() else { return Ok(()) };
        let result = format!("/v1/result/{}", run.job);
        let state = self.caller.get(&result)?["job_state"].as_str().unwrap_or_default().to_owned();
        if matches!(state.as_str(), "cancelled" | "complete") {
            return self.end(&run);
        }
        let Some(step) = run.steps.front() else { return self.end(&run) };
        let (phase, now) = (step.phase, self.clock.now());
        match run.printed {
            None => {
                self.report(&json!({ "state": phase, "job_id": run.job }))?;
                self.caller.post(&result, &json!({ "job_state": phase }))?;
                run.printed = Some(0);
                run.rests_until = None;
            }
            Some(printed) if printed < step.pieces.len() => {
                let text = &step.pieces[printed];
                let fragment = json!({
                    "fragment_number": run.fragment, "phase": phase,
                    "timestamp": now.to_string(), "log_data": text,
                });
                self.caller.post(&format!("{result}/log/output"), &fragment)?;
                run.output.push_str(text);
                run.fragment += 1;
                run.printed = Some(printed + 1);
                run.rests_until = Some(now.plus(step.rest));
            }
            Some(_) if run.rests_until.is_some_and(|until| now < until) => {}
            Some(_) => {
                let code = step.exit_code;
                self.caller.post(&result, &json!({ format!("{phase}_status"): code }))?;
                if phase == "provision" {
                    self.provisioned(
                        &run.job,
                        code,
                        if code == 0 { "" } else { "no route to host" },
                    )?;
                }
                run.steps.pop_front();
                run.printed = None;
            }
        }
        self.run = Some(run);
        Ok(())
    }

    fn end(&self, run: &Run) -> Result<(), Error> {
        let result = format!("/v1/result/{}", run.job);
        if run.fragment > 4 {
            self.caller.upload(&format!("{result}/artifact"), run.output.as_bytes())?;
        }
        let device = json!({ "device_ip": "10.20.1.57", "agent_name": self.plate.name });
        self.caller.post(&result, &json!({ "job_state": "complete", "device_info": device }))?;
        let line = format!("job {} has ended", run.job);
        self.report(&json!({ "state": "waiting", "job_id": "", "log": [line] }))
    }

    fn report(&self, about: &Value) -> Result<(), Error> {
        self.caller.post(&format!("/v1/agents/data/{}", self.plate.name), about).map(|_| ())
    }

    fn provisioned(&self, job: &str, exit_code: i64, detail: &str) -> Result<(), Error> {
        let about = json!({ "job_id": job, "exit_code": exit_code, "detail": detail });
        self.caller
            .post(&format!("/v1/agents/provision_logs/{}", self.plate.name), &about)
            .map(|_| ())
    }
}

fn describe(queue: &str) -> String {
    match queue {
        "rpi5" => "Raspberry Pi 5 boards",
        "nuc13" => "NUC 13 Pro, on the power switch of rack 3",
        "xeon" => "Xeon servers with two 100G ports",
        "orin" => "Jetson AGX Orin",
        "secureboot" => "Boards with production keys: for the firmware team only",
        _ => "",
    }
    .to_owned()
}
