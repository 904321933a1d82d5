//! A job's definition as YAML, in pieces that the stylesheet colours.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A piece of YAML text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// What it is; empty for blanks and line breaks.
    pub(super) class: &'static str,
    pub(super) text: String,
}

/// JSON with its members in the order in which they were written.
enum Node {
    /// A number, or a word such as `true`.
    Word(String),
    Text(String),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

/// The YAML of a JSON text; nothing for what is not JSON.
pub(super) fn tokens(json: &str) -> Vec<Token> {
    let mut writer = Writer::default();
    match serde_json::from_str(json) {
        Ok(node) => writer.node(&node, 0),
        Err(_) => return Vec::new(),
    }
    writer.0
}

#[derive(Default)]
struct Writer(Vec<Token>);

impl Writer {
    fn push(&mut self, class: &'static str, text: impl Into<String>) {
        self.0.push(Token { class, text: text.into() });
    }

    fn indent(&mut self, depth: usize) {
        if depth > 0 {
            self.push("", "  ".repeat(depth));
        }
    }

    /// The lines of a node that begins on a line of its own.
    fn node(&mut self, node: &Node, depth: usize) {
        match node {
            Node::Map(members) if !members.is_empty() => {
                for (at, (name, value)) in members.iter().enumerate() {
                    // The first one of a list's item stands behind its dash.
                    if at > 0 || !self.after_dash() {
                        self.indent(depth);
                    }
                    self.push("y-key", key(name));
                    self.push("y-mark", ":");
                    self.value(value, depth);
                }
            }
            Node::List(items) if !items.is_empty() => {
                for (at, item) in items.iter().enumerate() {
                    if at > 0 || !self.after_dash() {
                        self.indent(depth);
                    }
                    self.push("y-mark", "- ");
                    match item {
                        Node::Map(_) | Node::List(_) => self.node(item, depth + 1),
                        scalar => self.scalar(scalar, depth),
                    }
                }
            }
            other => self.scalar(other, depth),
        }
    }

    /// What follows a name.
    fn value(&mut self, value: &Node, depth: usize) {
        match value {
            Node::Map(members) if !members.is_empty() => {
                self.push("", "\n");
                self.node(value, depth + 1);
            }
            Node::List(items) if !items.is_empty() => {
                self.push("", "\n");
                self.node(value, depth + 1);
            }
            scalar => {
                self.push("", " ");
                self.scalar(scalar, depth);
            }
        }
    }

    fn scalar(&mut self, node: &Node, depth: usize) {
        match node {
            Node::Word(word) => self.push("y-number", word.clone()),
            Node::Map(_) => self.push("y-mark", "{}"),
            Node::List(_) => self.push("y-mark", "[]"),
            Node::Text(text) if is_block(text) => return self.block(text, depth),
            Node::Text(text) => self.push("y-text", plain_or_quoted(text)),
        }
        self.push("", "\n");
    }

    fn block(&mut self, text: &str, depth: usize) {
        let (mark, text) = match text.strip_suffix('\n') {
            Some(text) => ("|", text),
            None => ("|-", text),
        };
        self.push("y-mark", mark);
        self.push("", "\n");
        for line in text.split('\n') {
            if !line.is_empty() {
                self.indent(depth + 1);
                self.push("y-text", line);
            }
            self.push("", "\n");
        }
    }

    fn after_dash(&self) -> bool {
        self.0.last().is_some_and(|token| token.text == "- ")
    }
}

/// Whether a text can stand as a block of lines that reads back as the same text.
fn is_block(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    body.contains('\n')
        && !body.ends_with('\n')
        && !body.starts_with([' ', '\n'])
        && text.chars().all(|c| c == '\n' || !is_odd(c))
}

/// Characters that YAML has no plain form for.
fn is_odd(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

fn key(name: &str) -> String {
    plain_or_quoted(name)
}

fn plain_or_quoted(text: &str) -> String {
    let first = text.chars().next();
    let is_plain = first.is_some_and(|c| c.is_alphanumeric() || matches!(c, '/' | '_' | '.'))
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.chars().any(is_odd)
        && !is_word(text);
    if is_plain { text.to_owned() } else { quoted(text) }
}

/// JSON's strings are YAML's double-quoted ones.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Whether YAML reads a plain text as something else than a text.
fn is_word(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    matches!(lower.as_str(), "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n")
        || text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Word("null".to_owned()))
    }

    fn visit_bool<E>(self, it: bool) -> Result<Node, E> {
        Ok(Node::Word(it.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Word(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Word(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node, E> {
        Ok(Node::Word(serde_json::Value::from(number).to_string()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Node::Map(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yaml(json: &str) -> String {
        tokens(json).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn members_stay_in_order_and_commands_become_a_block() {
        let json = r#"{"job_queue":"q","test_data":{"test_cmds":"set -e\nmake\n","list":[1,{"a":"b","c":[]}]},"rate":1.5}"#;
        let text = "job_queue: q\ntest_data:\n  test_cmds: |\n    set -e\n    make\n  list:\n    - 1\n    - a: b\n      c: []\nrate: 1.5\n";
        assert_eq!(yaml(json), text);
    }

    #[test]
    fn texts_that_yaml_reads_otherwise_are_quoted() {
        for (text, shown) in [
            ("yes", "\"yes\""),
            ("12", "\"12\""),
            ("a: b", "\"a: b\""),
            ("- a", "\"- a\""),
            ("", "\"\""),
            ("\u{1b}[31m", r#""\u001b[31m""#),
            ("http://h/x", "http://h/x"),
        ] {
            let json = format!("{{\"k\":{}}}", serde_json::Value::from(text));
            assert_eq!(yaml(&json), format!("k: {shown}\n"));
        }
    }
}
