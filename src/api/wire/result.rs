//! Results on the wire: posted flat or with a `status` object, always answered flat.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::member::status_of;
use crate::domain::{JobState, Phase};
use crate::http::ApiResult;
use crate::http::shape::kind::{INTEGER, MAPPING, TEXT, at_least, map_of};
use crate::http::shape::{Input, Kind, Member, Members, Others, Output, Shape, Size, may};
use crate::ops::Posted;

/// The members of a result: three of each phase, and a few more.
macro_rules! result {
    ($($phase:literal)*; $($member:expr),*) => {
        &[
            $(
                may(concat!($phase, "_status"), INTEGER, concat!("The exit code of ", $phase, ".")),
                may(concat!($phase, "_output"), TEXT, concat!("What ", $phase, " printed.")),
                may(concat!($phase, "_serial"), TEXT, concat!("The serial line during ", $phase, ".")),
            )*
            $($member),*
        ]
    };
}

const STATE: Member =
    may("job_state", TEXT, "The state of the job: a phase, or how it ended.").like("test");

static RESULT: Shape = Shape {
    name: "Result",
    doc: "What came out of a job. A post replaces the members that it has; what is not listed is kept and shown.",
    others: Others::Kept,
    members: result![
        "setup" "provision" "firmware_update" "test" "allocate" "reserve" "cleanup";
        STATE,
        may("agent_id", TEXT, "The agent that has or had the job."),
        may("device_info", MAPPING, "What the agent says about its device."),
        may("status", map_of(&Phase::WORDS, &INTEGER), "All exit codes by phase; only in posts.")
            .like(r#"{"test":0}"#)
    ],
};

impl Input for Posted {
    const SHAPE: &'static Shape = &RESULT;
    const SIZE: Size = Size::Result;

    fn read(mut members: Members<'_>) -> ApiResult<Self> {
        #[derive(Deserialize)]
        struct Known {
            job_state: Option<String>,
            status: Option<BTreeMap<String, i64>>,
        }
        let Known { job_state, status } = members.to()?;
        members.remove("job_state");
        members.remove("status");
        let mut members = members.into_texts();
        for (phase, code) in status.iter().flatten() {
            let phase = Phase::parse(phase);
            members.extend(phase.map(|phase| (status_of(phase), code.to_string())));
        }
        Ok(Self {
            members,
            // Today's agents send all exit codes each time.
            replaced: status.map_or_else(Vec::new, |_| Phase::ALL.map(status_of).to_vec()),
            state: job_state.map(|word| JobState::new(&word)),
        })
    }
}

static OF_TRY: Shape = Shape {
    name: "OfTry",
    doc: "Which try of a job is meant.",
    others: Others::Kept,
    members: &[may(
        "try",
        at_least(1),
        "A try that failed in provisioning, from 1; without it the last try.",
    )
    .like("1")],
};

/// Which try of a job is meant; without a number the last one.
#[derive(Deserialize)]
pub(in crate::api) struct OfTry {
    r#try: Option<i64>,
}

impl OfTry {
    /// The number of an earlier try.
    pub(in crate::api) fn number(&self) -> Option<u32> {
        self.r#try.map(Self::counted)
    }

    /// A number that no count reaches stands for a try that was never made.
    pub(in crate::api) fn counted(number: i64) -> u32 {
        u32::try_from(number).unwrap_or(u32::MAX)
    }
}

impl Input for OfTry {
    const SHAPE: &'static Shape = &OF_TRY;

    fn read(members: Members<'_>) -> ApiResult<Self> {
        members.to()
    }
}

/// A result as it is shown.
pub(in crate::api) enum Shown {}

impl Output for Shown {
    const KIND: Kind = Kind::Object(&RESULT);
}

static STATUS: Shape = Shape {
    name: "Status",
    doc: "How far a job is: its state, and the exit codes of the phases that have one.",
    others: Others::Refused,
    members: &[
        STATE,
        may("setup_status", INTEGER, EXIT_CODE),
        may("provision_status", INTEGER, EXIT_CODE),
        may("firmware_update_status", INTEGER, EXIT_CODE),
        may("test_status", INTEGER, EXIT_CODE),
        may("allocate_status", INTEGER, EXIT_CODE),
        may("reserve_status", INTEGER, EXIT_CODE),
        may("cleanup_status", INTEGER, EXIT_CODE),
    ],
};

const EXIT_CODE: &str = "The exit code of this phase.";

/// The status of a job.
pub(in crate::api) enum Status {}

impl Output for Status {
    const KIND: Kind = Kind::Object(&STATUS);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::LogKind;
    use crate::domain::member::log_of;

    #[test]
    fn every_phase_has_its_members() {
        for phase in Phase::ALL {
            for name in LogKind::ALL.map(|log| log_of(phase, log)).iter().chain([&status_of(phase)])
            {
                assert!(RESULT.has(name), "{name}");
            }
            assert!(STATUS.has(&status_of(phase)));
        }
    }
}
