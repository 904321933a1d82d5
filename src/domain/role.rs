//! Roles and access modes.

use serde::{Deserialize, Serialize};

/// What a client may do; the policy says what that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// No rights of its own (a role of the older server).
    User,
    /// An agent: takes jobs and reports.
    Agent,
    /// Somebody who submits jobs.
    Contributor,
    /// Somebody who also manages clients and restricted queues.
    Manager,
    /// Everything.
    Admin,
}

impl Role {
    /// All roles, the most powerful first: the order in which errors list them.
    pub const ALL: [Self; 5] =
        [Self::Admin, Self::Manager, Self::Contributor, Self::Agent, Self::User];

    /// The words of all roles, in the same order.
    pub const WORDS: [&str; 5] = {
        let mut words = [""; 5];
        let mut at = 0;
        while at < words.len() {
            words[at] = Self::ALL[at].as_str();
            at += 1;
        }
        words
    };

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Agent => "agent",
            Self::Contributor => "contributor",
            Self::Manager => "manager",
            Self::Admin => "admin",
        }
    }

    /// The role with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which jobs of clients are guarded from callers without a token, where those may do what a contributor may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guarded {
    /// Those in restricted queues, and those that name secrets.
    #[default]
    Restricted,
    /// All of them.
    All,
}

/// What callers without a token may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Everything except administration, including what agents do.
    #[default]
    Open,
    /// What a contributor may do; agents need tokens.
    Contributor,
    /// Nothing except ask for a token.
    Locked,
}

impl Access {
    /// All modes.
    pub const ALL: [Self; 3] = [Self::Open, Self::Contributor, Self::Locked];

    /// The word in the settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Contributor => "contributor",
            Self::Locked => "locked",
        }
    }
}
