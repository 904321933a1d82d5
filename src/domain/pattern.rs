//! Patterns of agents' names.

use super::AgentName;

/// A name in which `*` stands for any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern(String);

impl NamePattern {
    /// The pattern that a text of a name's length is.
    #[must_use]
    pub fn of(name: &AgentName) -> Self {
        Self(name.as_str().to_owned())
    }

    /// The pattern as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A pattern read back from the store, where only valid ones are written.
    pub(crate) const fn trusted(text: String) -> Self {
        Self(text)
    }

    /// Whether an agent has such a name.
    #[must_use]
    pub fn matches(&self, agent: &AgentName) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else {
            return self.0 == agent.as_str();
        };
        let Some(mut name) = agent.as_str().strip_prefix(first) else {
            return false;
        };
        let mut parts: Vec<&str> = rest.split('*').collect();
        let last = parts.pop().unwrap_or_default();
        // The earliest place of each part leaves the most for those behind it.
        for part in parts {
            match name.find(part) {
                Some(at) => name = &name[at + part.len()..],
                None => return false,
            }
        }
        name.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        let name = |text: &str| AgentName::try_from(text.to_owned()).unwrap();
        NamePattern::of(&name(pattern)).matches(&name(text))
    }

    #[test]
    fn a_star_stands_for_any_text_and_everything_else_for_itself() {
        for (pattern, name) in [
            ("rack1", "rack1"),
            ("*", ""),
            ("*", "rack1"),
            ("rack1-*", "rack1-"),
            ("rack1-*", "rack1-board7"),
            ("*-board*-x", "rack1-board7-x-x"),
            ("a*a", "aa"),
            ("r*c*1", "rack-c-1"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("", "rack1"),
            ("rack1", "rack10"),
            ("rack1-*", "rack10-board"),
            ("a*a", "a"),
            ("*b*", "rack"),
            ("rack?", "rack1"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
