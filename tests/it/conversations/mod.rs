//! Whole conversations of each generation's command line and agent, from requests that were recorded.

mod generation;
mod play;

use std::time::Duration;

use self::generation::pairs;
use self::play::Play;

#[test]
fn a_job_from_its_submission_to_its_artifacts() {
    for pair in pairs() {
        let mut play = Play::of(pair);
        play.agent(&["start"]);
        play.cli(&["submit"]);
        play.agent(&["take"]);
        play.cli(&["see-agent"]);
        play.agent(&["setup"]);
        play.cli(&["watch-setup"]);
        play.agent(&["test"]);
        play.cli(&["watch-test"]);
        play.agent(&["reserve", "cleanup", "clear", "send", "wait"]);
        play.cli(&["see-end", "see-cleanup"]);
        let noted = play.noted();
        assert!(noted.len() == 1 && noted[0].contains("job_start"), "{pair:?} {noted:?}");
    }
}

#[test]
fn a_held_agent_gets_the_job_the_moment_that_it_can_have_it() {
    for pair in pairs() {
        let mut play = Play::holding(pair, Duration::from_secs(20));
        play.agent(&["start"]);
        play.cli(&["submit"]);
        play.agent(&["take"]);
    }
}

#[test]
fn a_job_that_is_cancelled_while_it_runs() {
    for pair in pairs() {
        let mut play = Play::of(pair);
        play.agent(&["start"]);
        play.cli(&["submit"]);
        play.agent(&["take", "setup", "test"]);
        play.cli(&["cancel"]);
        play.agent(&["cancelled", "cleanup", "clear", "send", "wait"]);
        play.cli(&["see-cancelled"]);
    }
}

#[test]
fn a_job_that_ended_while_the_server_was_away_is_never_shown_cancelled() {
    for pair in pairs() {
        let mut play = Play::of(pair);
        play.agent(&["start"]);
        play.cli(&["submit"]);
        play.agent(&["take", "setup", "test"]);
        play.cli(&["submit-next"]);
        // Agents ask for their next job before they send again what they could not send.
        play.agent(&["cleanup", "clear", "next"]);
        play.cli(&["still-test"]);
        play.agent(&["send", "wait"]);
        play.cli(&["see-end"]);
    }
}

#[test]
fn an_agent_that_is_set_offline_finds_its_state_and_why() {
    for pair in pairs() {
        let mut play = Play::of(pair);
        play.agent(&["start"]);
        play.cli(&["set-offline"]);
        play.agent(&["go-offline"]);
        play.server.pass(Duration::from_mins(5));
        play.cli(&["see-offline"]);
    }
}

#[test]
fn a_job_whose_agent_is_restarted_ends() {
    for pair in pairs() {
        let mut play = Play::of(pair);
        play.agent(&["start"]);
        play.cli(&["submit"]);
        play.agent(&["take", "setup", "test", "start"]);
        play.cli(&["see-cancelled"]);
    }
}

#[test]
fn an_agent_that_is_cut_off_sends_what_it_has_when_it_is_back() {
    for pair in pairs() {
        let mut play = Play::of(pair);
        play.agent(&["start"]);
        play.cli(&["submit"]);
        play.agent(&["take", "setup", "test"]);
        play.server.pass(Duration::from_mins(4));
        play.cli(&["still-test"]);
        play.agent(&["cleanup", "clear", "send", "wait"]);
        play.cli(&["see-end"]);
    }
}
