//! Notices: what somebody elsewhere is told and has not taken yet.

use serde::{Deserialize, Serialize};

use super::{Timestamp, plain};

/// Something that is sent until it is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Its number: those for the same place go in the order of their numbers.
    pub number: u64,
    /// What is sent, and where to.
    pub message: Message,
    /// Since when it waits.
    #[serde(with = "plain::exact")]
    pub at: Timestamp,
    /// How often it was sent in vain.
    pub tries: u32,
    /// When it is sent next; for one that was given up, when that happened.
    #[serde(with = "plain::exact")]
    pub next_at: Timestamp,
    /// Why it was not taken the last time; empty before the first.
    pub error: String,
}

/// What is sent, and where to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// How.
    pub form: Form,
    /// Where to.
    pub url: String,
    /// The body.
    pub body: String,
}

/// How a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// An event of a job, as `PUT` of JSON to a place that an agent named.
    Event,
    /// An alert, as `POST` of JSON to the place that the site has set.
    Json,
    /// An alert, as `POST` of plain text.
    Text,
}

impl Message {
    /// The scheme, host and port of its place: what goes there goes in order.
    #[must_use]
    pub fn origin(&self) -> &str {
        let begin = self.url.find("://").map_or(0, |at| at + 3);
        let end = self.url[begin..].find(['/', '?', '#']).map_or(self.url.len(), |at| begin + at);
        &self.url[..end]
    }

    /// How many bytes it takes.
    #[must_use]
    pub fn size(&self) -> u64 {
        (self.url.len() + self.body.len()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_to_the_same_host_and_port_go_in_order() {
        let origin = |url: &str| {
            let url = url.to_owned();
            Message { form: Form::Event, url, body: String::new() }.origin().to_owned()
        };
        assert_eq!(origin("http://hook:80/a?b#c"), "http://hook:80");
        assert_eq!(origin("https://hook?a/b"), "https://hook");
        assert_eq!(origin("http://hook"), "http://hook");
        assert_eq!(origin("hook"), "hook");
    }
}
