//! JSON text as it goes over the wire: compact, non-ASCII escaped, keys sorted where this server makes the object.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

/// The text of a value: compact, ASCII only. Fields of structs are declared in alphabetic order.
#[must_use]
pub fn text(value: &impl Serialize) -> String {
    // Everything that is passed here serialises: string keys and no fallible implementations.
    let plain = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
    compact(&plain)
}

/// Valid JSON text without white space between tokens and with non-ASCII escaped as `\uXXXX`. Values stay as they were
/// written: numbers keep all their digits.
#[must_use]
pub fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in json.chars() {
        if in_string {
            if c.is_ascii() {
                out.push(c);
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            (in_string, escaped) = (escaped || c != '"', !escaped && c == '\\');
        } else if !matches!(c, ' ' | '\t' | '\n' | '\r') {
            out.push(c);
            in_string = c == '"';
        }
    }
    out
}

/// Compact JSON text with a blank after each comma and colon, as Python writes it.
#[must_use]
pub fn spaced(compact: &str) -> String {
    let mut out = String::with_capacity(compact.len() + compact.len() / 8);
    let (mut in_string, mut escaped) = (false, false);
    for c in compact.chars() {
        out.push(c);
        if in_string {
            (in_string, escaped) = (escaped || c != '"', !escaped && c == '\\');
        } else if matches!(c, ',' | ':') {
            out.push(' ');
        } else {
            in_string = c == '"';
        }
    }
    out
}

/// An object of members whose values are JSON text already.
#[must_use]
pub fn object(members: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(members.iter().map(|(k, v)| k.len() + v.len() + 4).sum());
    for (name, value) in members {
        out.push(if out.is_empty() { '{' } else { ',' });
        out.push_str(&text(name));
        out.push(':');
        out.push_str(value);
    }
    if out.is_empty() {
        out.push('{');
    }
    out.push('}');
    out
}

/// The members of an object that this server stored, as JSON text each.
#[must_use]
pub fn members(object: &str) -> BTreeMap<String, String> {
    let parsed: BTreeMap<String, Box<serde_json::value::RawValue>> =
        serde_json::from_str(object).unwrap_or_default();
    parsed.into_iter().map(|(name, value)| (name, value.get().to_owned())).collect()
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

    proptest! {
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
