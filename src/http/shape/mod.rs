//! What goes over the wire, described once.
//!
//! A [`Shape`] is the list of an object's members: the name of each, its [`Kind`], whether it has to be there, and a
//! sentence about it. Two things come from the list: the check of a request ([`Shape::check`]), and a JSON Schema
//! ([`Shape::schema`]) for the description of the API.
//!
//! ```
//! use testflinger_server::http::shape::kind::{INTEGER, NAME, TEXT, list};
//! use testflinger_server::http::shape::{Others, Shape, may, must};
//!
//! static JOB: Shape = Shape {
//!     name: "Job",
//!     doc: "A job to be put into a queue.",
//!     others: Others::Kept,
//!     members: &[
//!         must("job_queue", NAME, "The queue that the job waits in.").like("rack-7"),
//!         may("job_priority", INTEGER, "Jobs of a higher priority go first.").like("100"),
//!         may("tags", list(&TEXT).up_to(10), "Words to search the job by."),
//!     ],
//! };
//! assert_eq!(JOB.schema()["properties"]["job_priority"]["type"], "integer");
//! ```

mod check;
mod coerce;
pub mod kind;
mod members;
mod schema;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde_json::{Map, Value, json};

pub use self::kind::Kind;
pub use self::members::Members;
use super::error::{ApiError, ApiResult, Place};

/// What an object on the wire looks like.
#[derive(Debug)]
pub struct Shape {
    /// The name of the object, one word.
    pub name: &'static str,
    /// What the object stands for.
    pub doc: &'static str,
    /// The members that are known.
    pub members: &'static [Member],
    /// What becomes of all other members.
    pub others: Others,
}

impl Shape {
    /// Whether a member is listed.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.kind_of(name).is_some()
    }

    /// The kind of a member that is listed.
    fn kind_of(&self, name: &str) -> Option<&Kind> {
        self.members.iter().find(|member| member.name == name).map(|member| &member.kind)
    }
}

/// What becomes of the members that a shape does not list.
#[derive(Clone, Copy, Debug)]
pub enum Others {
    /// They stay as they were sent.
    Kept,
    /// Each of them is an error.
    Refused,
    /// The object is a map: every member is of this kind, whatever its name.
    Each(Kind),
    /// The same, but checked by a function, which gets the name and the JSON text of a member. Its error is about the
    /// object as a whole.
    EachBy(Kind, fn(&str, &str) -> Result<(), String>),
}

/// A member of an object.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    name: &'static str,
    kind: Kind,
    need: Need,
    doc: &'static str,
    example: Option<&'static str>,
}

/// Whether a member has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Must,
    May,
    /// Null stands for absent, and is left out.
    MayBeNull,
}

/// A member that has to be there.
#[must_use]
pub const fn must(name: &'static str, kind: Kind, doc: &'static str) -> Member {
    Member { name, kind, need: Need::Must, doc, example: None }
}

/// A member that may be absent, but not null.
#[must_use]
pub const fn may(name: &'static str, kind: Kind, doc: &'static str) -> Member {
    Member { name, kind, need: Need::May, doc, example: None }
}

/// A member that may be absent; null says the same, and is left out.
#[must_use]
pub const fn may_be_null(name: &'static str, kind: Kind, doc: &'static str) -> Member {
    Member { name, kind, need: Need::MayBeNull, doc, example: None }
}

impl Member {
    /// The same member with an example of its value: plain text for a text, JSON for everything else.
    #[must_use]
    pub const fn like(mut self, example: &'static str) -> Self {
        self.example = Some(example);
        self
    }
}

/// How large a body may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// 64 KiB: a few words.
    Small,
    /// 1 MiB: some text.
    Medium,
    /// As large as the setting `max_json_size` says.
    Usual,
    /// As large as the setting `max_result_size` says: a result holds whole logs.
    Result,
}

/// Something that a request says, in its body or in its query.
pub trait Input: Sized {
    /// What it looks like.
    const SHAPE: &'static Shape;

    /// How large it may be as a body.
    const SIZE: Size = Size::Usual;

    /// Reads it from members that [`Self::SHAPE`] has checked.
    fn read(members: Members<'_>) -> ApiResult<Self>;

    /// What is said before the members are checked.
    fn first(_sent: &Members<'_>) -> ApiResult<()> {
        Ok(())
    }

    /// The answer when members are wrong.
    #[must_use]
    fn refused(place: Place, errors: &Map<String, Value>) -> ApiError {
        ApiError::validation(place, errors)
    }
}

/// Something that an answer says.
pub trait Output {
    /// What it looks like.
    const KIND: Kind;

    /// Its content type, or each of those that it may have.
    const MEDIA: &'static [&'static str] = &["application/json"];
}

/// The beginning of a text that an error repeats.
#[must_use]
pub fn excerpt(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(100) {
        Some((end, _)) => format!("{}...", &text[..end]).into(),
        None => text.into(),
    }
}

/// Reads what a part of a request says.
pub(super) fn read<T: Input>(place: Place, sent: Result<Members<'_>, String>) -> ApiResult<T> {
    let members = sent.map_err(|message| {
        let mut errors = Map::new();
        errors.insert("_schema".to_owned(), json!([message]));
        T::refused(place, &errors)
    })?;
    T::first(&members)?;
    let members = T::SHAPE.check(members).map_err(|errors| T::refused(place, &errors))?;
    T::read(members)
}
