//! A hostile neighbour: what one host can cost a server that it reaches, and what it can do there without the right to.
//!
//! Not part of a plain `cargo test`, because it takes minutes: `cargo test --locked --test hostile -- --nocapture`. It
//! attacks the binary of `TESTFLINGER_BINARY`, or else the one that cargo built. Every attack has a server of its own, on
//! loopback, and is bounded in bytes, connections and time. The table says, for each attack, how long somebody else's
//! `GET /v1` took meanwhile and how much memory the server needed. `TESTFLINGER_ATTACK` picks attacks by their names.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

mod browser;
mod costs;
mod meter;
mod rights;
mod server;
mod table;
mod wire;

use table::{Row, Table};

/// What an attack came to.
pub(crate) struct Outcome {
    /// What happened, in a few words.
    pub(crate) seen: String,
    /// The attacker got less than was wanted.
    pub(crate) held: bool,
}

impl Outcome {
    pub(crate) fn new(held: bool, seen: impl Into<String>) -> Self {
        Self { seen: seen.into(), held }
    }
}

fn is_picked(name: &str) -> bool {
    std::env::var("TESTFLINGER_ATTACK").map_or(true, |picked| name.contains(&picked))
}

#[test]
fn no_attack_takes_the_server_away_from_others() {
    let mut table = Table::new();
    for attack in costs::ATTACKS.iter().filter(|attack| is_picked(attack.name)) {
        table.add(&attack.run());
    }
    table.end();
}

#[test]
fn no_attack_gets_a_right_that_its_caller_has_not() {
    let mut table = Table::new();
    for (name, run) in rights::ATTACKS.iter().chain(browser::ATTACKS) {
        if is_picked(name) {
            table.add(&Row::plain(name, run()));
        }
    }
    table.end();
}
