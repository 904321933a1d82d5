//! Numbers with their nouns.

/// A number with the words for one thing or for several: `1 agent was`, `2 agents were`.
#[must_use]
pub fn counted(number: u64, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}
