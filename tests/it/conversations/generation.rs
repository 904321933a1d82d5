//! The generations of clients, and which of them work together in which mode.

use testflinger_server::config::Mode;

use crate::support::Caller;

/// A generation of command lines and agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Generation {
    /// August 2025.
    First,
    /// August 2026.
    Second,
    /// After August 2026. It differs from the second in where it looks for the state of a job.
    Third,
}

use Generation::{First, Second, Third};

/// A command line and an agent on one server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) mode: Mode,
    pub(super) cli: Generation,
    pub(super) agent: Generation,
}

impl Generation {
    const ALL: [Self; 3] = [First, Second, Third];

    pub(super) const fn cli_script(self) -> &'static str {
        match self {
            First => include_str!("cli-2025.txt"),
            Second | Third => include_str!("cli-2026.txt"),
        }
    }

    pub(super) const fn agent_script(self) -> &'static str {
        match self {
            First => include_str!("agent-2025.txt"),
            Second | Third => include_str!("agent-2026.txt"),
        }
    }

    /// Where it looks for the state of a job.
    pub(super) fn look(self, job: &str) -> String {
        let last = if self == Third { "/status" } else { "" };
        format!("/v1/result/{job}{last}")
    }

    /// A caller that shows its token as this generation does.
    pub(super) fn shows(self, caller: Caller, token: &str) -> Caller {
        let scheme = if self == First { "" } else { "Bearer " };
        caller.header("Authorization", &format!("{scheme}{token}"))
    }
}

/// The pairs that can work: the first generation's agents have no token, and its command line shows one only when it
/// submits.
pub(super) fn pairs() -> impl Iterator<Item = Pair> {
    let all = [Mode::Open, Mode::Contributor, Mode::Locked].into_iter().flat_map(|mode| {
        let pair = move |cli| Generation::ALL.map(|agent| Pair { mode, cli, agent });
        Generation::ALL.into_iter().flat_map(pair)
    });
    all.filter(|pair| match pair.mode {
        Mode::Open => true,
        Mode::Contributor => pair.agent != First,
        Mode::Locked => pair.agent != First && pair.cli != First,
    })
}
