//! JSON text as it goes over the wire: compact, non-ASCII escaped, keys sorted where this server makes the object.

use std::fmt::Write;

use serde::Serialize;

/// The deepest nesting of a body. Python gives up at about a thousand levels, and a job has to be read by an agent.
const DEEPEST: usize = 100;

/// The most digits of a number in a body. Python reads integers of up to 4300 digits.
const MOST_DIGITS: usize = 400;

/// Why the JSON text of a request is not read, although it may be valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Too many lists and objects within each other.
    #[error("The body nests more than {DEEPEST} levels deep")]
    TooDeep,
    /// A number that is too long.
    #[error("A number in the body has more than {MOST_DIGITS} digits")]
    TooManyDigits,
    /// A text that is not Unicode. Such an escape is valid JSON, but no string of this server can hold it, and no file
    /// of an agent.
    #[error("A text in the body has half a surrogate pair")]
    HalfSurrogate,
}

/// The text of a value: compact, ASCII only. Fields of structs are declared in alphabetic order.
#[must_use]
pub fn text(value: &impl Serialize) -> String {
    // Everything that is passed here serialises: string keys and no fallible implementations.
    let plain = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
    compact(&plain)
}

/// A piece of JSON text. Text that is not JSON has tokens too: a scanner does not replace a parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    /// A string with its quotes.
    Text(&'a str),
    /// A bracket, a comma or a colon.
    Mark(&'a str),
    /// A number, or a word such as `true`.
    Word(&'a str),
    /// White space.
    Blank(&'a str),
}

fn tokens(json: &str) -> impl Iterator<Item = Token<'_>> {
    let mut rest = json;
    std::iter::from_fn(move || {
        let bytes = rest.as_bytes();
        let until = |end: fn(u8) -> bool| bytes.iter().position(|&b| end(b)).unwrap_or(bytes.len());
        let (token, length): (fn(_) -> _, _) = match *bytes.first()? {
            b'"' => (Token::Text, quoted(bytes)),
            first if is_mark(first) => (Token::Mark, 1),
            first if is_blank(first) => (Token::Blank, until(|b| !is_blank(b))),
            _ => (Token::Word, until(|b| is_mark(b) || is_blank(b) || b == b'"')),
        };
        // Every token begins and ends beside an ASCII character, so none is cut within a character.
        let (found, after) = rest.split_at(length);
        rest = after;
        Some(token(found))
    })
}

const fn is_mark(byte: u8) -> bool {
    matches!(byte, b'{' | b'}' | b'[' | b']' | b',' | b':')
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The length of the string that `bytes` begins with; an open one reaches to the end.
fn quoted(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(found) =
        bytes.get(at..).and_then(|rest| rest.iter().position(|b| matches!(b, b'"' | b'\\')))
    {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

/// The JSON text of a request, compact. It is not yet known to be JSON.
pub fn readable(json: &str) -> Result<String, Unreadable> {
    let mut depth = 0_usize;
    for token in tokens(json) {
        match token {
            Token::Mark("{" | "[") => depth += 1,
            Token::Mark("}" | "]") => depth = depth.saturating_sub(1),
            Token::Word(word) if word.len() > MOST_DIGITS && digits(word) > MOST_DIGITS => {
                return Err(Unreadable::TooManyDigits);
            }
            Token::Text(text) if has_half_surrogate(text) => {
                return Err(Unreadable::HalfSurrogate);
            }
            _ => {}
        }
        if depth > DEEPEST {
            return Err(Unreadable::TooDeep);
        }
    }
    Ok(compact(json))
}

fn digits(word: &str) -> usize {
    word.bytes().filter(u8::is_ascii_digit).count()
}

/// Whether a string has the escape of one half of a surrogate pair without the other half beside it.
fn has_half_surrogate(text: &str) -> bool {
    let mut escapes = text.match_indices('\\');
    let mut open = None;
    while let Some((at, _)) = escapes.next() {
        let unit = text.get(at + 2..at + 6).filter(|_| text[at..].starts_with("\\u"));
        let unit = unit.and_then(|hex| u16::from_str_radix(hex, 16).ok());
        match (open.take(), unit) {
            (None, Some(0xd800..=0xdbff)) => open = Some(at + 6),
            (Some(expected), Some(0xdc00..=0xdfff)) if expected == at => {}
            (Some(_), _) | (None, Some(0xdc00..=0xdfff)) => return true,
            (None, _) => {}
        }
        if text[at + 1..].starts_with('\\') {
            escapes.next();
        }
    }
    open.is_some()
}

/// Whether a list or an object, given as JSON text, has more items than this.
#[must_use]
pub fn has_more_items(json: &str, most: usize) -> bool {
    let (mut depth, mut commas) = (0_usize, 0);
    for token in tokens(json) {
        match token {
            Token::Mark("{" | "[") => depth += 1,
            Token::Mark("}" | "]") => depth = depth.saturating_sub(1),
            Token::Mark(",") if depth == 1 => commas += 1,
            _ => {}
        }
        if commas >= most {
            return true;
        }
    }
    false
}

/// Valid JSON text without white space between tokens and with non-ASCII escaped as `\uXXXX`. Values stay as they were
/// written: numbers keep all their digits. Python's `NaN` and `Infinity`, which JSON does not have, become a number that
/// no type of ours holds, so that the text is JSON and a member that has to be a number is refused.
#[must_use]
pub fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut after_word = false;
    for token in tokens(json) {
        match token {
            Token::Blank(_) => continue,
            // Not JSON, and must not become so: `1 2` is not 12.
            Token::Word(_) if after_word => out.push(' '),
            _ => {}
        }
        match token {
            Token::Word("NaN" | "Infinity") => out.push_str("1e999"),
            Token::Word("-Infinity") => out.push_str("-1e999"),
            Token::Text(text) if !text.is_ascii() => escape(text, &mut out),
            Token::Text(text) | Token::Mark(text) | Token::Word(text) | Token::Blank(text) => {
                out.push_str(text);
            }
        }
        after_word = matches!(token, Token::Word(_));
    }
    out
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
}

/// Compact JSON text with a blank after each comma and colon, as Python writes it.
#[must_use]
pub fn spaced(compact: &str) -> String {
    let mut out = String::with_capacity(compact.len() + compact.len() / 8);
    for token in tokens(compact) {
        match token {
            Token::Mark(mark @ ("," | ":")) => out.extend([mark, " "]),
            Token::Text(text) | Token::Mark(text) | Token::Word(text) | Token::Blank(text) => {
                out.push_str(text);
            }
        }
    }
    out
}

/// An object of members whose values are JSON text already.
#[must_use]
pub fn object<N: AsRef<str>, V: AsRef<str>>(members: impl IntoIterator<Item = (N, V)>) -> String {
    let members: Vec<(N, V)> = members.into_iter().collect();
    // A large text that grows as it is written takes twice its room. The last byte is for the newline of an answer.
    let size =
        |(name, value): &(N, V)| name.as_ref().len() + value.as_ref().len() + r#","":"#.len();
    let mut out = String::with_capacity(members.iter().map(size).sum::<usize>() + "}\n".len());
    for (name, value) in members {
        out.push(if out.is_empty() { '{' } else { ',' });
        out.push_str(&text(&name.as_ref()));
        out.push(':');
        out.push_str(value.as_ref());
    }
    if out.is_empty() {
        out.push('{');
    }
    out.push('}');
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn white_space_goes_and_values_stay() {
        let json = "{ \"a\" : [ 1.10 , 12345678901234567890123 ],\n\"b\\\" c\" : \"x  y\\\\\" , \"é😀\":null}";
        assert_eq!(
            compact(json),
            r#"{"a":[1.10,12345678901234567890123],"b\" c":"x  y\\","\u00e9\ud83d\ude00":null}"#
        );
    }

    #[test]
    fn what_python_alone_reads_becomes_json_and_what_nobody_reads_does_not() {
        assert_eq!(
            compact(r#"{"a": NaN, "b": [-Infinity, Infinity], "c": "NaN, \\"}"#),
            r#"{"a":1e999,"b":[-1e999,1e999],"c":"NaN, \\"}"#
        );
        for wrong in ["[1 2]", "[tr ue]", "[- 1]", "[\"a\" \"b\"]", "[nan]", "[1e999 NaN]"] {
            assert!(serde_json::from_str::<&serde_json::value::RawValue>(&compact(wrong)).is_err());
        }
    }

    #[test]
    fn blanks_are_added_outside_of_texts_alone() {
        assert_eq!(spaced(r#"{"a,:\"":[1,"b:,"]}"#), r#"{"a,:\"": [1, "b:,"]}"#);
    }

    proptest! {
        #[test]
        fn tokens_leave_nothing_out(text in "[\\[\\]{}\",:0-9a-zNé\\\\ .-]{0,64}") {
            let all: String = tokens(&text)
                .map(|token| match token {
                    Token::Text(t) | Token::Mark(t) | Token::Word(t) | Token::Blank(t) => t,
                })
                .collect();
            prop_assert_eq!(all, text);
        }

        #[test]
        fn a_text_is_readable_exactly_if_it_is_unicode(
            text in r"(\\\\|\\n|a|é|u|\\ud83d|\\uD83D|\\ude00|\\uDE00|\\u0041){0,8}"
        ) {
            let json = format!("\"{text}\"");
            prop_assert_eq!(readable(&json).is_ok(), serde_json::from_str::<String>(&json).is_ok());
        }

        #[test]
        fn compact_text_means_the_same(key in ".*", text in ".*", number in any::<i64>()) {
            let value = serde_json::json!({ key: [text, { "n": number }], "x": null });
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            let compacted = compact(&pretty);
            prop_assert!(compacted.is_ascii());
            prop_assert_eq!(serde_json::from_str::<Value>(&compacted).unwrap(), value);
        }
    }
}
