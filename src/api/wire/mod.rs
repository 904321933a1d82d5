//! What goes over the wire: each request and each answer as a [`Shape`](crate::http::shape::Shape), and the conversions
//! from and to the domain.

pub(super) mod agent;
pub(super) mod backup;
pub(super) mod change;
pub(super) mod check;
pub(super) mod client;
pub(super) mod drain;
pub(super) mod event;
pub(super) mod gc;
pub(super) mod history;
pub(super) mod job;
pub(super) mod log;
pub(super) mod notice;
pub(super) mod queue;
pub(super) mod result;
pub(super) mod search;
pub(super) mod secret;
pub(super) mod server;
pub(super) mod status;
pub(super) mod stream;
pub(super) mod token;

use std::collections::BTreeSet;

use crate::domain::{JobId, Timestamp};
use crate::http::shape::Kind;
use crate::http::shape::kind::text_by;

/// The most names in a list: tags of a job, queues of an agent or a claim, and the like.
const NAMES: usize = 1000;

/// The id of a job.
const ID: Kind =
    text_by(|id| JobId::from_path(id).is_some(), "Not a valid UUID.", ("format", "uuid"));

/// A moment.
const TIME: Kind =
    text_by(|text| timestamp(text).is_some(), "Not a valid datetime.", ("format", "date-time"));

/// `2026-01-01T00:00:00+00:00`, with `Z`, with fractions, or without a zone, which then is UTC. A plus sign stands for
/// a blank in a query, and clients send it as it is, so a blank is also read as a plus sign.
fn timestamp(text: &str) -> Option<Timestamp> {
    let moment = text
        .parse::<jiff::Timestamp>()
        .or_else(|_| text.replace(' ', "+").parse::<jiff::Timestamp>())
        .or_else(|_| jiff::tz::Offset::UTC.to_timestamp(text.parse::<jiff::civil::DateTime>()?))
        .ok()?;
    Some(Timestamp::from_micros(moment.as_microsecond()))
}

/// Names without repetition, in the order of their first appearance.
fn distinct<T: Ord + Clone>(mut names: Vec<T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::domain::{AgentPost, Fragment};
    use crate::http::shape::{Input, Members, Shape};
    use crate::ops::{Posted, Search, Submission};
    use crate::store::backup::Note;

    /// Everything that requests say.
    const INPUTS: [&Shape; 25] = [
        Submission::SHAPE,
        job::Action::SHAPE,
        event::Events::SHAPE,
        Search::SHAPE,
        search::NamedQueues::SHAPE,
        search::Contents::SHAPE,
        Note::SHAPE,
        Posted::SHAPE,
        result::OfTry::SHAPE,
        Fragment::SHAPE,
        log::Wanted::SHAPE,
        AgentPost::SHAPE,
        agent::Provisioned::SHAPE,
        agent::Why::SHAPE,
        queue::Descriptions::SHAPE,
        queue::Images::SHAPE,
        queue::Owner::SHAPE,
        queue::Retries::SHAPE,
        token::Form::SHAPE,
        token::Digest::SHAPE,
        client::NewClient::SHAPE,
        client::Change::SHAPE,
        secret::Written::SHAPE,
        secret::Wanted::SHAPE,
        stream::From::SHAPE,
    ];

    #[test]
    fn every_example_passes_the_check_of_its_member() {
        for shape in INPUTS {
            let examples = shape.example().to_string();
            let Err(errors) = shape.check(Members::parse(&examples).unwrap()) else { continue };
            let missing = |error: &Value| error[0] == "Missing data for required field.";
            assert!(errors.values().all(missing), "{}: {errors:?}", shape.name);
        }
    }

    #[test]
    fn every_list_in_a_request_has_an_end() {
        fn lists(schema: &Value, found: &mut Vec<Value>) {
            match schema {
                Value::Object(keywords) => {
                    if keywords.get("type").is_some_and(|kind| kind == "array") {
                        found.push(schema.clone());
                    }
                    keywords.values().for_each(|value| lists(value, found));
                }
                Value::Array(items) => items.iter().for_each(|value| lists(value, found)),
                _ => {}
            }
        }
        for shape in INPUTS {
            let mut found = Vec::new();
            lists(&shape.schema(), &mut found);
            assert!(found.iter().all(|list| list["maxItems"].is_u64()), "{}", shape.name);
        }
    }

    #[test]
    fn moments_may_lack_a_zone_or_have_lost_their_plus() {
        let expected = timestamp("2026-01-01T00:00:00Z").unwrap();
        for text in [
            "2026-01-01T00:00:00+00:00",
            "2026-01-01T00:00:00 00:00",
            "2026-01-01 00:00:00",
            "2026-01-01T00:00:00.000",
            "2026-01-01T02:00:00+02:00",
        ] {
            assert_eq!(timestamp(text), Some(expected), "{text}");
        }
        assert_eq!(timestamp("soon"), None);
    }

    #[test]
    fn names_are_kept_once_in_their_order() {
        assert_eq!(distinct(vec![2, 1, 2, 3, 1]), [2, 1, 3]);
    }
}
