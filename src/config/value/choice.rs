//! One of a few words, and what says which log lines are written.

use std::str::FromStr;

use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::Written;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// How alerts are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub enum AlertForm {
    /// A JSON object.
    #[default]
    Json,
    /// A sentence.
    Text,
}

/// Who may look at the pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub enum Pages {
    /// Whoever may look without a token in the access mode; others log in.
    #[default]
    Auto,
    /// Whoever has logged in.
    Login,
    /// Everybody, in every mode; nobody can change anything or log in.
    ReadOnly,
    /// Nobody: there are no pages.
    Off,
}

/// What callers without a token may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub enum Mode {
    /// Everything except administration.
    #[default]
    Open,
    /// What a contributor may do; agents need tokens.
    Contributor,
    /// Nothing except ask for a token.
    Locked,
}

/// Which jobs of clients callers without a token may not act on, in the contributor mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub enum GuardedJobs {
    /// Those in restricted queues, and those that name secrets.
    #[default]
    Restricted,
    /// All of them.
    All,
}

macro_rules! words {
    ($type:ident: $($word:literal => $variant:ident),*) => {
        impl FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(format!("{text:?} is not one of {}", [$($word),*].join(", "))),
                }
            }
        }
    };
}

words!(AlertForm: "json" => Json, "text" => Text);
words!(LogFormat: "text" => Text, "json" => Json);
words!(GuardedJobs: "restricted" => Restricted, "all" => All);
words!(Pages: "auto" => Auto, "login" => Login, "read-only" => ReadOnly, "off" => Off);
words!(Mode: "open" => Open, "contributor" => Contributor, "locked" => Locked);

/// Something that is on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Deserialize)]
#[serde(try_from = "Written")]
pub struct Switch(pub bool);

impl FromStr for Switch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.trim().parse().map(Self).map_err(|_| format!("{text:?} is neither true nor false"))
    }
}

/// Which log lines are written: a level, or a filter by module in the syntax of `RUST_LOG`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Deserialize)]
#[serde(try_from = "Written")]
pub struct Filter(pub String);

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // In that syntax a lone word that is not a level names a module. It would be a mistyped level here, and a server
        // that logs nothing.
        let lone = |part: &&str| !part.is_empty() && !part.contains(['=', '[']);
        let mistyped = |part: &&str| part.parse::<LevelFilter>().is_err();
        match text.split(',').map(str::trim).filter(lone).find(mistyped) {
            Some(word) => Err(format!(
                "{word:?} is not a level (error, warn, info, debug, trace or off); for a module, write {word}=debug"
            )),
            None => EnvFilter::try_new(text)
                .map(|_| Self(text.to_owned()))
                .map_err(|error| error.to_string()),
        }
    }
}
