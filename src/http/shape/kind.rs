//! The kinds of values.

use serde_json::Value;

use super::Shape;
use crate::domain::MAX_NAME;

/// What a value looks like. A null is wrong for each of them but [`Kind::OrNull`] and [`Kind::Any`].
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A text.
    Text(Text),
    /// A whole number of 64 bits. A text that holds one, and a number with a fraction, become one.
    Integer {
        /// The smallest that is taken.
        least: i64,
    },
    /// True or false. Words such as "yes" and the numbers 0 and 1 become one.
    Boolean,
    /// A time in whole seconds, which may be written as `1h30m`; it becomes a number.
    Seconds {
        /// The shortest that is taken.
        least: i64,
    },
    /// A list of values of one kind.
    List {
        /// The kind of each.
        of: &'static Kind,
        /// How many there may be.
        most: usize,
    },
    /// An object whose members have any name and values of one kind.
    Map {
        /// What the names look like.
        names: Text,
        /// The kind of each value.
        values: &'static Kind,
        /// How many there may be.
        most: usize,
    },
    /// An object with known members.
    Object(&'static Shape),
    /// An object that nobody looks into.
    Mapping,
    /// A value of this kind, or null.
    OrNull(&'static Kind),
    /// Any JSON.
    Any,
    /// A value that looks like the first and is checked by the second, which gets its JSON text and says what is wrong.
    By(&'static Kind, fn(&str) -> Result<(), Value>),
}

/// What a text looks like.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    pub(super) least_characters: usize,
    pub(super) most_bytes: usize,
    pub(super) rule: Rule,
}

/// The characters of a text.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    Any,
    OneOf(&'static [&'static str]),
    By { fits: fn(&str) -> bool, error: &'static str, keyword: &'static str, value: &'static str },
}

const ANY: Text = Text { least_characters: 0, most_bytes: usize::MAX, rule: Rule::Any };

/// Any text.
pub const TEXT: Kind = Kind::Text(ANY);
/// The name of a queue, an agent or the like.
pub const NAME: Kind = text(0, MAX_NAME);
/// A whole number.
pub const INTEGER: Kind = Kind::Integer { least: i64::MIN };
/// True or false.
pub const BOOLEAN: Kind = Kind::Boolean;
/// An object that nobody looks into.
pub const MAPPING: Kind = Kind::Mapping;

/// A text of at least so many characters and at most so many bytes.
#[must_use]
pub const fn text(least_characters: usize, most_bytes: usize) -> Kind {
    Kind::Text(Text { least_characters, most_bytes, ..ANY })
}

/// One of these words.
#[must_use]
pub const fn one_of(words: &'static [&'static str]) -> Kind {
    Kind::Text(Text { rule: Rule::OneOf(words), ..ANY })
}

/// A text that a function accepts; `error` is what is said of any other. A schema shows it as `keyword`, which is
/// `format` or `pattern`, with this value.
#[must_use]
pub const fn text_by(
    fits: fn(&str) -> bool,
    error: &'static str,
    (keyword, value): (&'static str, &'static str),
) -> Kind {
    Kind::Text(Text { rule: Rule::By { fits, error, keyword, value }, ..ANY })
}

/// A whole number, and not a smaller one than this.
#[must_use]
pub const fn at_least(least: i64) -> Kind {
    Kind::Integer { least }
}

/// A list of values of one kind.
#[must_use]
pub const fn list(of: &'static Kind) -> Kind {
    Kind::List { of, most: usize::MAX }
}

/// An object of values of one kind.
#[must_use]
pub const fn map(values: &'static Kind) -> Kind {
    Kind::Map { names: ANY, values, most: usize::MAX }
}

/// An object of values of one kind whose members have these names.
#[must_use]
pub const fn map_of(names: &'static [&'static str], values: &'static Kind) -> Kind {
    Kind::Map { names: Text { rule: Rule::OneOf(names), ..ANY }, values, most: usize::MAX }
}

impl Kind {
    /// The same list or map with at most so many items.
    #[must_use]
    pub const fn up_to(self, most: usize) -> Self {
        match self {
            Self::List { of, .. } => Self::List { of, most },
            Self::Map { names, values, .. } => Self::Map { names, values, most },
            other => other,
        }
    }

    /// The same map with names that look like this text.
    #[must_use]
    pub const fn named(self, like: Self) -> Self {
        match (self, like) {
            (Self::Map { values, most, .. }, Self::Text(names)) => {
                Self::Map { names, values, most }
            }
            (other, _) => other,
        }
    }
}

impl Text {
    /// Whether any text will do.
    pub(super) const fn is_any(&self) -> bool {
        matches!(self, Self { least_characters: 0, most_bytes: usize::MAX, rule: Rule::Any })
    }

    /// Says what is wrong with a text.
    pub(super) fn check(&self, text: &str) -> Result<(), String> {
        if text.chars().take(self.least_characters).count() < self.least_characters {
            return Err(format!("Shorter than minimum length {}.", self.least_characters));
        }
        if text.len() > self.most_bytes {
            return Err(format!("Longer than maximum length {}.", self.most_bytes));
        }
        match self.rule {
            Rule::OneOf(words) if !words.contains(&text) => {
                Err(format!("Must be one of: {}.", words.join(", ")))
            }
            Rule::By { fits, error, .. } if !fits(text) => Err(error.to_owned()),
            Rule::Any | Rule::OneOf(_) | Rule::By { .. } => Ok(()),
        }
    }
}
