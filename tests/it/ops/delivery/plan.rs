//! What happens in one interleaving.

use std::fmt;

use proptest::prelude::*;

use crate::support::disk::{Cut, LUCKY};

pub(super) const QUEUES: [&str; 2] = ["a", "b"];
/// Who asks for jobs: three agents that say who they are, and a program that does not.
pub(super) const CALLERS: [Option<&str>; 4] = [Some("x"), Some("y"), Some("z"), None];

/// So many of the callers, the first ones, are agents with a name.
pub(super) const AGENTS: usize = 3;

pub(super) type Queues = &'static [&'static str];

#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) queue: &'static str,
    pub(super) priority: i64,
    /// It may not wait for ever.
    pub(super) hurry: bool,
    /// How often another agent tries when its provisioning fails.
    pub(super) retries: u32,
}

/// What becomes of an answer with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The caller gets it.
    Told,
    /// It was written, and nobody read it.
    Lost,
    /// The caller was gone before it was written, and the server noticed.
    Gone,
}

/// How far a caller comes with its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It reports a phase.
    NotYet,
    /// It completes the job.
    Complete,
    /// Its provisioning failed, and it completes the job as well.
    Failed,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Submit(Wish),
    Resubmit(usize, Wish),
    Cancel(usize),
    /// The caller does what it would do next: report on its job, end its held request, or ask for a job.
    Turn {
        caller: usize,
        queues: Queues,
        hold: bool,
        fate: Fate,
        end: End,
    },
    /// The server is drained, or hands out jobs again.
    Drain(bool),
    /// An agent is drained, or gets jobs again.
    Aside(usize, bool),
    /// An agent reports how a provisioning ended.
    Provision(usize, bool),
    /// The caller forgets everything.
    Crash(usize),
    /// The server looks for silent agents.
    Watch,
    /// So many seconds pass.
    Pass(u64),
    /// The clock is set, ahead or back by so many seconds.
    Set(i64),
    /// The server is stopped and started.
    Restart,
    /// The power will go, and perhaps again while the server starts.
    Cut(Cut, Option<Cut>),
}

#[derive(Clone)]
pub(super) struct Plan {
    /// The disk is empty at first, and the power goes while the server starts on it.
    pub(super) blank: Option<Cut>,
    pub(super) steps: Vec<Step>,
    /// Which callers finish what they have, at the end; the others are never heard again.
    pub(super) survivors: [bool; CALLERS.len()],
}

/// A line for each step.
impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "blank: {:?}, survivors: {:?}", self.blank, self.survivors)?;
        self.steps.iter().try_for_each(|step| writeln!(f, "  {step:?}"))
    }
}

fn wish() -> impl Strategy<Value = Wish> {
    (prop::sample::select(&QUEUES[..]), -1..2_i64, prop::bool::weighted(0.2), 0..3_u32)
        .prop_map(|(queue, priority, hurry, retries)| Wish { queue, priority, hurry, retries })
}

fn cut(most: u16) -> impl Strategy<Value = Cut> {
    (0..most, 0..=LUCKY, any::<u64>()).prop_map(|(after, luck, seed)| Cut { after, luck, seed })
}

fn turn() -> impl Strategy<Value = Step> {
    let queues = prop::sample::select(vec![&QUEUES[..], &QUEUES[..], &QUEUES[..1], &QUEUES[1..]]);
    let fate =
        prop::sample::select(vec![Fate::Told, Fate::Told, Fate::Told, Fate::Lost, Fate::Gone]);
    let hold = prop::bool::weighted(0.3);
    let end = prop::sample::select(vec![End::NotYet, End::NotYet, End::Complete, End::Failed]);
    (0..CALLERS.len(), queues, hold, fate, end).prop_map(|(caller, queues, hold, fate, end)| {
        Step::Turn { caller, queues, hold, fate, end }
    })
}

fn step() -> impl Strategy<Value = Step> {
    // About the times that leases know: two minutes, two and a half, and half an hour.
    let spans = vec![1, 20, 100, 121, 151, 900, 1801];
    let steps = vec![-90_000, -1801, -121, -30, -5, 121, 1801, 90_000];
    prop_oneof![
        6 => wish().prop_map(Step::Submit),
        14 => turn(),
        3 => Just(Step::Watch),
        3 => prop::sample::select(spans).prop_map(Step::Pass),
        1 => prop::sample::select(steps).prop_map(Step::Set),
        2 => (cut(80), prop::option::of(cut(40))).prop_map(|(cut, again)| Step::Cut(cut, again)),
        1 => (any::<usize>(), wish()).prop_map(|(job, wish)| Step::Resubmit(job, wish)),
        1 => any::<usize>().prop_map(Step::Cancel),
        1 => (0..CALLERS.len()).prop_map(Step::Crash),
        1 => Just(Step::Restart),
        1 => any::<bool>().prop_map(Step::Drain),
        1 => (0..AGENTS, any::<bool>()).prop_map(|(agent, back)| Step::Aside(agent, back)),
        2 => (0..AGENTS, any::<bool>()).prop_map(|(agent, passed)| Step::Provision(agent, passed)),
    ]
}

pub(super) fn plan() -> impl Strategy<Value = Plan> {
    (
        prop::option::weighted(0.05, cut(100)),
        prop::collection::vec(step(), 0..40),
        any::<[bool; CALLERS.len()]>(),
    )
        .prop_map(|(blank, steps, survivors)| Plan { blank, steps, survivors })
}
