//! A simulated agent with its device: it claims a job, logs, provisions, fails or succeeds, and reports as agents do.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::clock::LateClock;
use super::jobs::{Dice, Step, steps};
use super::{ARTIFACT, Caller, Told};
use crate::demo::Error;
use crate::domain::{Clock, Timestamp};

/// What an agent says about itself.
#[derive(Clone)]
pub(in crate::demo) struct Plate {
    pub(in crate::demo) name: String,
    pub(in crate::demo) queues: Vec<String>,
    pub(in crate::demo) location: String,
    pub(in crate::demo) provision_type: &'static str,
    /// Whether its program is of 2026 and not of August 2025.
    of_today: bool,
    /// How large its artifacts are at least, bytes.
    artifact: usize,
}

impl Plate {
    /// A board of today.
    pub(in crate::demo) fn new(
        name: &str,
        queues: &[&str],
        location: &str,
        provision_type: &'static str,
    ) -> Self {
        let queues = queues.iter().map(|queue| (*queue).to_owned()).collect();
        let (name, location) = (name.to_owned(), location.to_owned());
        Self { name, queues, location, provision_type, of_today: true, artifact: 0 }
    }

    /// One of many, of each generation in turn.
    pub(super) fn numbered(number: usize, queue: usize) -> Self {
        let plate =
            Self::new(&format!("agent-{number}"), &[&format!("queue-{queue}")], "Hall 1", "maas2");
        Self { of_today: number.is_multiple_of(2), artifact: ARTIFACT, ..plate }
    }
}

/// An agent.
pub(in crate::demo) struct Board {
    plate: Plate,
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
    /// Exit codes that an agent of 2025 reports at the end.
    codes: Map<String, Value>,
}

impl Board {
    /// An agent that has not yet said anything.
    pub(in crate::demo) fn new(
        plate: Plate,
        caller: &Caller,
        clock: Arc<LateClock>,
        seed: u64,
    ) -> Self {
        let caller = caller.as_agent(&plate.name);
        Self { plate, caller, clock, dice: Dice::new(seed), run: None }
    }

    /// Says what it is and that it waits.
    pub(in crate::demo) fn appear(&self) -> Result<(), Error> {
        let Plate { queues, location, provision_type, .. } = &self.plate;
        self.report(&json!({
            "state": "waiting", "queues": queues, "location": location,
            "provision_type": provision_type, "job_id": "", "comment": "",
            "log": ["the agent has started"],
        }))?;
        self.advertise()
    }

    fn advertise(&self) -> Result<(), Error> {
        let described: Value =
            self.plate.queues.iter().map(|queue| (queue.clone(), json!(describe(queue)))).collect();
        self.caller.post("/v1/agents/queues", &described).map(|_| ())
    }

    /// Looks, before it asks for a job, whether the server is there and what is said of itself.
    pub(in crate::demo) fn look_around(&self) -> Result<(), Error> {
        let data = format!("/v1/agents/data/{}", self.plate.name);
        if self.plate.of_today {
            self.caller.get("/v1")?;
        } else {
            self.caller.get(&data)?;
            self.advertise()?;
        }
        self.caller.get(&data).map(|_| ())
    }

    /// Is taken out of service.
    pub(in crate::demo) fn go_offline(&self, why: &str) -> Result<(), Error> {
        self.report(&json!({ "state": "offline", "comment": why, "job_id": "" }))
    }

    /// Says that provisionings of its device fail.
    pub(in crate::demo) fn fail_to_provision(&self, job: &str) -> Result<(), Error> {
        self.provisioned(job, 46, "no answer from the power switch")
    }

    /// Whether it runs a job.
    pub(in crate::demo) const fn is_busy(&self) -> bool {
        self.run.is_some()
    }

    /// Tells the book that a request failed.
    pub(super) fn refused(&self, error: &Error) {
        self.caller.book().refused(error);
    }

    /// Asks for a job; the server may hold the request as long as `wait`.
    pub(in crate::demo) fn claim(&mut self, wait: Duration) -> Result<(), Error> {
        let queues: Vec<String> =
            self.plate.queues.iter().map(|queue| format!("queue={queue}")).collect();
        let job = self.caller.claim(&format!("/v1/job?{}", queues.join("&")), wait)?;
        if let Some(id) = job["job_id"].as_str() {
            self.caller.book().note(Told::Claimed { agent: &self.plate.name, job: id });
            self.run = Some(Run {
                job: id.to_owned(),
                steps: steps(&job, &self.plate.name, &mut self.dice).into(),
                printed: None,
                rests_until: None,
                fragment: 0,
                output: String::new(),
                codes: Map::new(),
            });
            // From now on the server knows that the job has arrived.
            self.report(&json!({ "job_id": id }))?;
        }
        Ok(())
    }

    /// Does the next small thing of its job: begins a phase, prints a piece, ends a phase or the job. What was refused is
    /// done again the next time.
    pub(in crate::demo) fn go_on(&mut self) -> Result<(), Error> {
        let Some(mut run) = self.run.take() else { return Ok(()) };
        let result = format!("/v1/result/{}", run.job);
        let ended = self.step(&mut run, &result);
        if !matches!(ended, Ok(true)) {
            self.run = Some(run);
        }
        ended.map(|_| ())
    }

    /// Says whether that was the last thing.
    fn step(&self, run: &mut Run, result: &str) -> Result<bool, Error> {
        let state = self.caller.get(result)?["job_state"].as_str().unwrap_or_default().to_owned();
        let over = matches!(state.as_str(), "cancelled" | "complete");
        let Some(step) = run.steps.front().filter(|_| !over) else {
            return self.end(run, result).map(|()| true);
        };
        let (phase, now) = (step.phase, self.clock.now());
        match run.printed {
            None => {
                self.report(&json!({ "state": phase, "job_id": run.job }))?;
                self.caller.post(result, &json!({ "job_state": phase }))?;
                run.printed = Some(0);
                run.rests_until = None;
            }
            Some(printed) if printed < step.pieces.len() => {
                let (text, rest) = (step.pieces[printed].clone(), step.rest);
                self.print(run, result, phase, &text)?;
                run.printed = Some(printed + 1);
                run.rests_until = Some(now.plus(rest));
            }
            Some(_) if run.rests_until.is_some_and(|until| now < until) => {}
            Some(_) => {
                let code = step.exit_code;
                if self.plate.of_today {
                    self.caller.post(result, &json!({ "status": { phase: code } }))?;
                } else {
                    run.codes.insert(format!("{phase}_status"), json!(code));
                }
                if phase == "provision" {
                    let detail = if code == 0 { "" } else { "no route to host" };
                    self.provisioned(&run.job, code, detail)?;
                }
                run.steps.pop_front();
                run.printed = None;
            }
        }
        Ok(false)
    }

    /// Sends a piece of the log, in the words of each generation.
    fn print(&self, run: &mut Run, result: &str, phase: &str, text: &str) -> Result<(), Error> {
        if self.plate.of_today {
            let fragment = json!({
                "fragment_number": run.fragment, "phase": phase,
                "timestamp": self.clock.now().to_string(), "log_data": text,
            });
            self.caller.post(&format!("{result}/log/output"), &fragment)?;
            self.caller.book().note(Told::Logged { job: &run.job, fragment: run.fragment });
        } else {
            self.caller.post_text(&format!("{result}/output"), text)?;
        }
        run.output.push_str(text);
        run.fragment += 1;
        Ok(())
    }

    fn end(&self, run: &Run, result: &str) -> Result<(), Error> {
        let (agent, job) = (self.plate.name.as_str(), run.job.as_str());
        if run.fragment > 4 {
            let times = self.plate.artifact.div_ceil(run.output.len().max(1)).max(1);
            let file = run.output.repeat(times);
            self.caller.upload(&format!("{result}/artifact"), file.as_bytes())?;
            self.caller.book().note(Told::Uploaded { job, file: file.as_bytes() });
        }
        let mut last = run.codes.clone();
        last.insert("job_state".to_owned(), json!("complete"));
        let device = json!({ "device_ip": "10.20.1.57", "agent_name": agent });
        last.insert("device_info".to_owned(), device);
        self.caller.book().note(Told::Leaves { agent, job });
        self.caller.post(result, &Value::Object(last))?;
        self.caller.book().note(Told::Ended { job });
        let line = format!("job {job} has ended");
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

fn describe(queue: &str) -> &'static str {
    match queue {
        "rpi5" => "Raspberry Pi 5 boards",
        "nuc13" => "NUC 13 Pro, on the power switch of rack 3",
        "xeon" => "Xeon servers with two 100G ports",
        "orin" => "Jetson AGX Orin",
        "secureboot" => "Boards with production keys: for the firmware team only",
        _ => "",
    }
}
