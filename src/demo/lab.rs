//! Who is in the simulated lab, and what it looks like when somebody first opens it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use super::Error;
use super::simulator::{Board, Caller, Dice, LateClock, Plate, random, reservation};

/// Agents that work.
fn plates() -> [Plate; 8] {
    [
        Plate::new("rpi5-01", &["rpi5", "arm64"], "Rack 1, shelf A", "maas2"),
        Plate::new("rpi5-02", &["rpi5", "arm64"], "Rack 1, shelf A", "maas2"),
        Plate::new("rpi5-03", &["rpi5", "arm64"], "Rack 1, shelf B", "maas2"),
        Plate::new("nuc13-01", &["nuc13", "amd64"], "Rack 3, shelf C", "maas2"),
        Plate::new("nuc13-02", &["nuc13", "amd64"], "Rack 3, shelf C", "maas2"),
        Plate::new("xeon-01", &["xeon", "amd64"], "Row 2, U14", "oem_autoinstall"),
        Plate::new("xeon-02", &["xeon", "amd64"], "Row 2, U18", "oem_autoinstall"),
        Plate::new("orin-01", &["orin", "arm64"], "Rack 1, shelf D", "nvidia"),
    ]
}

/// It claims a job and is never heard again.
fn lost() -> Plate {
    Plate::new("rpi5-04", &["rpi5-cm", "arm64"], "Rack 1, shelf B", "maas2")
}

/// Its last provisionings all failed.
fn quarantined() -> Plate {
    Plate::new("nuc13-03", &["nuc13"], "Rack 3, shelf D", "maas2")
}

/// Somebody has taken it out of service.
fn offline() -> Plate {
    Plate::new("orin-02", &["orin"], "Rack 1, shelf D", "nvidia")
}

/// It serves a restricted queue.
fn restricted() -> Plate {
    Plate::new("xeon-keys-01", &["secureboot"], "Row 2, U22", "oem_autoinstall")
}

/// Somebody debugs on it.
fn reserved() -> Plate {
    Plate::new("orin-03", &["orin-dev"], "Desk 4", "nvidia")
}

const QUEUES: &[&str] = &["rpi5", "nuc13", "xeon", "orin", "rpi5", "arm64"];

/// The queue that only [`FIRMWARE`] may use.
pub(super) const RESTRICTED_QUEUE: &str = "secureboot";
/// The client that owns the restricted queue.
pub(super) const FIRMWARE: &str = "firmware-team";
/// Clients that submit jobs.
pub(super) const SUBMITTERS: [&str; 3] = ["kernel-ci", "cert-nightly", FIRMWARE];

/// How much time passes between two things that an agent does while the past is made. An agent that is silent for longer
/// would be suspected.
const STEP: Duration = Duration::from_mins(2);
/// How long the lost agent has been silent.
const SILENCE: Duration = Duration::from_mins(20);

/// Those who act in the lab.
pub(super) struct Lab {
    /// The agents' own client.
    pub(super) agents: Caller,
    /// Clients that submit jobs.
    pub(super) people: Vec<Caller>,
    pub(super) clock: Arc<LateClock>,
}

impl Lab {
    /// Makes the agents known.
    pub(super) fn enrol(&self) -> Result<(), Error> {
        let others = [lost(), quarantined(), offline(), restricted(), reserved()];
        plates().into_iter().chain(others).try_for_each(|plate| self.board(plate, 0).appear())
    }

    /// Lets the lab work until its clock is right, and leaves it with something for everybody to look at.
    pub(super) fn make_past(&self) -> Result<Vec<Board>, Error> {
        let mut boards: Vec<Board> =
            plates().into_iter().zip(1..).map(|(plate, seed)| self.board(plate, seed)).collect();
        boards.append(&mut self.special_boards()?);
        let mut dice = Dice::new(7);
        self.work_until(SILENCE, &mut boards, &mut dice)?;
        self.lose_agent()?;
        self.work_until(Duration::ZERO, &mut boards, &mut dice)?;
        self.leave_backlog()?;
        Ok(boards)
    }

    /// Lets these agents work until the clock is no more than this late.
    fn work_until(
        &self,
        late: Duration,
        boards: &mut [Board],
        dice: &mut Dice,
    ) -> Result<(), Error> {
        while self.clock.late() > late {
            // Less than the agents can do, so that some of them are idle now and then.
            if dice.roll(5) < 2 {
                self.submit_random(dice)?;
            }
            for board in &mut *boards {
                if board.is_busy() { board.go_on()? } else { board.claim(Duration::ZERO)? }
            }
            self.clock.catch_up(STEP);
        }
        Ok(())
    }

    /// An agent claims a job and is never heard again.
    fn lose_agent(&self) -> Result<(), Error> {
        self.person(1)?.post("/v1/job", &random("rpi5-cm", &mut Dice::new(6)))?;
        let mut lost = self.board(lost(), 9);
        lost.claim(Duration::ZERO)?;
        (0..6).try_for_each(|_| lost.go_on())
    }

    /// The agents with a story. Those that go on working are given back.
    fn special_boards(&self) -> Result<Vec<Board>, Error> {
        let someone = self.person(0)?;
        let quarantined = self.board(quarantined(), 0);
        for _ in 0..3 {
            let job = someone.post("/v1/job", &random("nuc13-spare", &mut Dice::new(3)))?;
            quarantined.fail_to_provision(job["job_id"].as_str().unwrap_or_default())?;
            let path = format!("/v1/job/{}/action", job["job_id"].as_str().unwrap_or_default());
            someone.post(&path, &json!({ "action": "cancel" }))?;
        }
        quarantined.go_offline("quarantined: 3 provisionings in a row failed")?;
        self.board(offline(), 0)
            .go_offline("SD card worn out, a new one is ordered (ticket LAB-311)")?;
        self.person(2)?.post("/v1/job", &random(RESTRICTED_QUEUE, &mut Dice::new(11)))?;
        self.person(1)?.post("/v1/job", &reservation("orin-dev"))?;
        Ok(vec![self.board(restricted(), 21), self.board(reserved(), 24)])
    }

    /// What waits when somebody first looks: more jobs than agents, a queue without agents, a job without its
    /// attachments.
    fn leave_backlog(&self) -> Result<(), Error> {
        let mut dice = Dice::new(5);
        let someone = self.person(1)?;
        for queue in ["rpi5", "rpi5", "rpi5", "rpi5", "xeon", "xeon", "orin", "riscv", "riscv"] {
            someone.post("/v1/job", &random(queue, &mut dice))?;
        }
        let mut job = random("xeon", &mut dice);
        job["test_data"]["attachments"] = json!([{ "agent": "firmware.bin" }]);
        someone.post("/v1/job", &job).map(|_| ())
    }

    /// Goes on submitting jobs until it is told to stop.
    pub(super) fn keep_submitting(&self, pause: Duration, stop: &AtomicBool) {
        let mut dice = Dice::new(13);
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(pause);
            // The server may be stopping.
            let _ = self.submit_random(&mut dice);
        }
    }

    fn submit_random(&self, dice: &mut Dice) -> Result<(), Error> {
        let queue = dice.pick(QUEUES, "rpi5");
        let who = usize::try_from(dice.roll(2)).unwrap_or_default();
        self.person(who)?.post("/v1/job", &random(queue, dice)).map(|_| ())
    }

    fn person(&self, number: usize) -> Result<&Caller, Error> {
        self.people.get(number).ok_or(Error::Nobody)
    }

    fn board(&self, plate: Plate, seed: u64) -> Board {
        Board::new(plate, &self.agents, Arc::clone(&self.clock), seed)
    }
}
