//! The names of a result's members that belong to a phase: `test_status`, `test_output`, `test_serial`.

use super::{LogKind, Phase};

/// The member with a phase's exit code.
#[must_use]
pub fn status_of(phase: Phase) -> String {
    format!("{}_status", phase.as_str())
}

/// The member with a phase's log.
#[must_use]
pub fn log_of(phase: Phase, log: LogKind) -> String {
    format!("{}_{}", phase.as_str(), log.as_str())
}

/// The phase whose exit code a member is.
#[must_use]
pub fn phase_of_status(member: &str) -> Option<Phase> {
    member.strip_suffix("_status").and_then(Phase::parse)
}

/// Whether a member is the log of a phase.
#[must_use]
pub fn is_log(member: &str) -> bool {
    member
        .rsplit_once('_')
        .is_some_and(|(phase, log)| Phase::parse(phase).is_some() && LogKind::parse(log).is_some())
}
