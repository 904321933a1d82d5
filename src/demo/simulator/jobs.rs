//! The jobs of the simulated lab, and how they go.

use std::time::Duration;

use serde_json::{Value, json};

/// Numbers that look random and are the same in every lab.
#[derive(Clone)]
pub(in crate::demo) struct Dice(u64);

impl Dice {
    pub(in crate::demo) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `sides`.
    pub(in crate::demo) fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides.max(1)
    }

    /// One of some things.
    pub(in crate::demo) fn pick<T: Copy>(&mut self, things: &[T], otherwise: T) -> T {
        let at = usize::try_from(self.roll(things.len() as u64)).unwrap_or_default();
        things.get(at).copied().unwrap_or(otherwise)
    }
}

/// A suite: what it is called, its tags, and its commands.
type Suite = (&'static str, &'static [&'static str], &'static str);

const SMOKE: Suite = (
    "smoke",
    &["smoke", "nightly"],
    "uname -a\nsystemctl is-system-running --wait\ncat /proc/meminfo | head -3",
);

const SUITES: &[Suite] = &[
    SMOKE,
    (
        "kernel-regression",
        &["kernel", "sru"],
        "git clone --depth 1 $SUITE_URL suite\ncd suite && make run KERNEL=$(uname -r)",
    ),
    (
        "suspend-resume",
        &["power", "nightly"],
        "for n in $(seq 1 30); do\n  sudo rtcwake -m mem -s 20\ndone\njournalctl -b -p err",
    ),
    ("network-throughput", &["network"], "iperf3 -c 10.20.0.2 -t 60\niperf3 -c 10.20.0.2 -t 60 -R"),
    (
        "storage-fio",
        &["storage", "nightly"],
        "sudo fio --name=rw --rw=randrw --bs=4k --size=1G --runtime=60",
    ),
];

/// A job of a random suite for this queue.
pub(in crate::demo) fn random(queue: &str, dice: &mut Dice) -> Value {
    let (name, tags, commands) = dice.pick(SUITES, SMOKE);
    let image = dice.pick(&["noble", "jammy", "questing"], "noble");
    json!({
        "job_queue": queue,
        "name": name,
        "tags": tags,
        "global_timeout": 3600,
        "output_timeout": 900,
        "provision_data": { "distro": image, "kernel": "generic" },
        "test_data": { "test_cmds": format!("set -ex\n{commands}\n") },
    })
}

/// A job that keeps its device for a person.
pub(in crate::demo) fn reservation(queue: &str) -> Value {
    json!({
        "job_queue": queue,
        "name": "debug-session",
        "tags": ["manual"],
        "provision_data": { "distro": "noble" },
        "reserve_data": { "ssh_keys": ["gh:demo"], "timeout": 21600 },
    })
}

/// What an agent does in a phase.
pub(super) struct Step {
    /// The phase.
    pub(super) phase: &'static str,
    /// What is printed, piece by piece.
    pub(super) pieces: Vec<String>,
    /// How it ends.
    pub(super) exit_code: i64,
    /// How long somebody uses the device afterwards, until which nothing is printed.
    pub(super) rest: Duration,
}

/// How a job goes. Of a hundred jobs some fail when they are provisioned, and more in their test.
pub(super) fn steps(job: &Value, agent: &str, dice: &mut Dice) -> Vec<Step> {
    let distro = job["provision_data"]["distro"].as_str().unwrap_or("noble");
    let mut steps = vec![step(
        "setup",
        vec![format!("Agent {agent} prepares the device\nReading the definition of the job\n")],
        0,
    )];
    let broken = dice.roll(100) < 8;
    steps.push(step("provision", provision(distro, broken), i64::from(broken)));
    if !broken && job["test_data"].is_object() {
        let failed = dice.roll(100) < 18;
        steps.push(step("test", test(job, failed, dice), i64::from(failed)));
    }
    if !broken && job["reserve_data"].is_object() {
        let text =
            "*** DEVICE RESERVED ***\nssh ubuntu@10.20.1.57\nThe reservation ends in 6 hours\n";
        let mut reserve = step("reserve", vec![text.to_owned()], 0);
        reserve.rest =
            Duration::from_secs(job["reserve_data"]["timeout"].as_u64().unwrap_or_default());
        steps.push(reserve);
    }
    steps.push(step("cleanup", vec!["Powering the device off\n".to_owned()], 0));
    steps
}

const fn step(phase: &'static str, pieces: Vec<String>, exit_code: i64) -> Step {
    Step { phase, pieces, exit_code, rest: Duration::ZERO }
}

fn provision(distro: &str, broken: bool) -> Vec<String> {
    let mut pieces = vec![
        format!("Fetching the image of {distro}\nsha256 ok, 1.9 GiB\n"),
        "Booting the device into its installer\n[    0.000000] Booting Linux on physical CPU 0x0\n[    0.000000] Machine model: demo board rev 1.2\n".to_owned(),
        "Writing the image\n 25 %  612 MiB\n 50 %  1.2 GiB\n 75 %  1.8 GiB\n100 %  2.4 GiB\n".to_owned(),
    ];
    pieces.push(if broken {
        "The device did not answer within 600 s\nERROR: provisioning failed: no route to host\n"
            .to_owned()
    } else {
        "Waiting for ssh\nThe device is up after 41 s\n".to_owned()
    });
    pieces
}

fn test(job: &Value, failed: bool, dice: &mut Dice) -> Vec<String> {
    let commands = job["test_data"]["test_cmds"].as_str().unwrap_or_default();
    let traced = commands.lines().skip(1).fold(String::new(), |out, line| {
        out + "+ "
            + line
            + "
"
    });
    let mut pieces = vec![traced];
    for part in 1..=4 {
        let cases = 1..=6 + dice.roll(6);
        let lines = cases.map(|case| {
            let millis = 20 + dice.roll(900);
            format!("ok {part}.{case}  case_{part:02}_{case:02}  {millis} ms\n")
        });
        pieces.push(lines.collect());
    }
    pieces.push(if failed {
        "not ok 5.1  case_05_01  timed out after 120 s\n# 1 of 38 failed\n".to_owned()
    } else {
        "# all passed\n".to_owned()
    });
    pieces
}
