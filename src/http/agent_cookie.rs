//! The cookie by which an agent says who it is.
//!
//! It is set when an agent posts data about itself, and believed whoever set it: agents that were started against
//! another server bring that one's. Names with odd characters are written as Python writes them (quoted, bytes in
//! octal), because those cookies too are in agents' hands.

use std::fmt::Write;

use axum::http::HeaderMap;
use axum::http::header::{COOKIE, HeaderValue};

use crate::domain::AgentName;

const NAME: &str = "agent_name";

/// The agent that the request's cookie names.
#[must_use]
pub fn agent(headers: &HeaderMap) -> Option<AgentName> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| std::str::from_utf8(value.as_bytes()).ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(name, _)| *name == NAME)
        .and_then(|(_, value)| AgentName::try_from(unquote(value)).ok())
        .filter(|name| !name.as_str().is_empty())
}

/// The header that sets it.
#[must_use]
pub fn set(agent: &AgentName) -> Option<HeaderValue> {
    let value = quote(agent.as_str());
    HeaderValue::from_str(&format!("{NAME}={value}; HttpOnly; Path=/; SameSite=Strict")).ok()
}

fn quote(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/@".contains(&byte);
    if text.bytes().all(plain) {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            b' '..=b'~' if !b",;".contains(&byte) => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "\\{byte:03o}");
            }
        }
    }
    out.push('"');
    out
}

fn unquote(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let octal =
            after.get(..3).filter(|digits| digits.iter().all(|d| (b'0'..=b'7').contains(d)));
        if let Some(&[a, b, c]) = octal {
            bytes.push(((a & 3) << 6) | ((b & 7) << 3) | (c & 7));
            rest = &after[3..];
        } else if let Some((&next, after)) = after.split_first() {
            bytes.push(next);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_plain_name_stands_as_it_is() {
        let agent = AgentName::try_from("rack1-board_7".to_owned()).unwrap();
        assert_eq!(
            set(&agent).unwrap(),
            "agent_name=rack1-board_7; HttpOnly; Path=/; SameSite=Strict"
        );
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in ".{1,40}") {
            let name = AgentName::try_from(name).unwrap();
            let header = set(&name).unwrap();
            let cookie = header.to_str().unwrap().split_once("; HttpOnly").unwrap().0.to_owned();
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, HeaderValue::from_str(&format!("a=b; {cookie}")).unwrap());
            prop_assert_eq!(agent(&headers), Some(name));
        }

        #[test]
        fn any_cookie_is_answered(bytes in proptest::collection::vec(32u8..=255, 0..64)) {
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_bytes(&[b"agent_name=", &bytes[..]].concat()) {
                headers.insert(COOKIE, value);
            }
            let _ = agent(&headers);
        }
    }
}
