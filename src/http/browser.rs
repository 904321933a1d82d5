//! What browsers are told about answers, and which of their requests are refused.
//!
//! A page of any site can make the browser of somebody who reaches this server send requests here, and a name that its
//! owner points at this server's address lets the page read the answers, too. Clients, agents and curl send none of the
//! headers that are looked at here and are never refused: docs/decisions/0009.

use std::fmt;
use std::net::IpAddr;

use axum::http::header::{
    ACCEPT_LANGUAGE, CONTENT_SECURITY_POLICY, HOST, HeaderName, HeaderValue, ORIGIN,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;

use super::error::ApiError;
use super::shape::excerpt;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What a browser may do with an answer: show it as what it says it is, alone, and nothing else.
const POLICIES: [(HeaderName, HeaderValue); 5] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (RESOURCE_POLICY, HeaderValue::from_static("same-origin")),
];

/// Adds the policies to an answer, as far as it does not say others itself.
pub(super) fn restrict(response: &mut Response) {
    for (name, value) in POLICIES {
        response.headers_mut().entry(name).or_insert(value);
    }
}

/// Why a browser's request is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Foreign {
    /// It would change something, and does not come from a page of this server.
    Site,
    /// It asks for this server under a name that may be a stranger's.
    Name(String),
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Site => f.write_str(
                "A browser may do this only from a page of this server, or with a token",
            ),
            Self::Name(name) => write!(
                f,
                "A browser may not call this server {name:?}, unless the setting allowed_hosts lists that name"
            ),
        }
    }
}

impl From<Foreign> for ApiError {
    fn from(foreign: Foreign) -> Self {
        Self::new(StatusCode::FORBIDDEN, foreign.to_string())
    }
}

/// Refuses what a page of a stranger may have made a browser send. `names` are this server's names, in lower case;
/// `changes` says whether the request changes something.
///
/// # Errors
/// [`Foreign`] says why.
pub(super) fn check(
    method: &Method,
    headers: &HeaderMap,
    names: &[String],
    changes: bool,
) -> Result<(), Foreign> {
    let said = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let (host, site, origin) = (said(HOST).unwrap_or_default(), said(SEC_FETCH_SITE), said(ORIGIN));
    if site.is_none() && origin.is_none() {
        // Over plain HTTP a browser does not say for which page it gets something, but which language it wants. Node.js
        // takes any.
        let is_browser = said(ACCEPT_LANGUAGE).is_some_and(|language| language != "*");
        let is_image = method == Method::GET && is_browser;
        return if changes && is_image { Err(Foreign::Site) } else { Ok(()) };
    }
    // Somebody typed the address, so no page sees the answer.
    let is_typed = site == Some("none");
    if !is_ours(host, names) && (changes || !is_typed) {
        return Err(Foreign::Name(excerpt(host).into_owned()));
    }
    let from_here = match (site, origin.and_then(|origin| origin.split_once("://"))) {
        (Some(site), _) => is_typed || site == "same-origin",
        (None, origin) => origin.is_some_and(|(_, origin)| origin.eq_ignore_ascii_case(host)),
    };
    if changes && !from_here { Err(Foreign::Site) } else { Ok(()) }
}

/// Whether nobody but this network's administrators decides which address a name stands for. That holds for addresses, for
/// names without a dot, which are looked up in the local network only, and for the names that are listed.
fn is_ours(host: &str, names: &[String]) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name.parse::<IpAddr>().is_ok()
        || (!name.is_empty() && !name.contains('.'))
        || name.ends_with(".localhost")
        || names.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(
        method: &Method,
        headers: &[(HeaderName, &str)],
        changes: bool,
    ) -> Result<(), Foreign> {
        let headers = headers.iter().map(|(name, value)| ((*name).clone(), value.parse().unwrap()));
        check(method, &headers.collect(), &["lab.example".to_owned()], changes)
    }

    #[test]
    fn names_that_strangers_cannot_own_are_ours() {
        let names = ["lab.example".to_owned()];
        for ours in [
            "10.0.0.7",
            "10.0.0.7:8000",
            "[::1]:8000",
            "localhost:8000",
            "tf.localhost",
            "rack7",
            "LAB.example:80",
            "lab.example.",
        ] {
            assert!(is_ours(ours, &names), "{ours}");
        }
        for foreign in
            ["", ":8000", "evil.example", "lab.example.evil.example", "10.0.0.7.evil.example"]
        {
            assert!(!is_ours(foreign, &names), "{foreign}");
        }
    }

    #[test]
    fn a_program_is_never_refused() {
        assert_eq!(checked(&Method::POST, &[(HOST, "any.example")], true), Ok(()));
        assert_eq!(checked(&Method::GET, &[], true), Ok(()));
        // As Node.js does.
        let language = [(HOST, "any.example"), (ACCEPT_LANGUAGE, "*")];
        assert_eq!(checked(&Method::POST, &language, true), Ok(()));
        assert_eq!(checked(&Method::GET, &language, true), Ok(()));
    }

    #[test]
    fn what_changes_something_comes_from_a_page_of_this_server() {
        let host = || (HOST, "lab.example:8000");
        let from = |header: &HeaderName, value| {
            checked(&Method::POST, &[host(), (header.clone(), value)], true)
        };
        for (header, value) in [
            (SEC_FETCH_SITE, "same-origin"),
            (SEC_FETCH_SITE, "none"),
            (ORIGIN, "http://lab.example:8000"),
        ] {
            assert_eq!(from(&header, value), Ok(()), "{header}: {value}");
        }
        for (header, value) in [
            (SEC_FETCH_SITE, "cross-site"),
            (SEC_FETCH_SITE, "same-site"),
            (ORIGIN, "http://lab.example"),
            (ORIGIN, "http://evil.example"),
            (ORIGIN, "null"),
        ] {
            assert_eq!(from(&header, value), Err(Foreign::Site), "{header}: {value}");
        }
        // An image on a page of another site, over plain HTTP.
        let image = [host(), (ACCEPT_LANGUAGE, "en")];
        assert_eq!(checked(&Method::GET, &image, true), Err(Foreign::Site));
        assert_eq!(checked(&Method::GET, &image, false), Ok(()));
    }

    #[test]
    fn a_page_sees_nothing_under_a_name_of_its_own() {
        let host = || (HOST, "evil.example:8000");
        let foreign = || Err(Foreign::Name("evil.example:8000".to_owned()));
        for sign in [(SEC_FETCH_SITE, "same-origin"), (ORIGIN, "http://evil.example:8000")] {
            assert_eq!(checked(&Method::GET, &[host(), sign.clone()], false), foreign());
            assert_eq!(checked(&Method::POST, &[host(), sign.clone()], true), foreign());
        }
        let typed = [host(), (SEC_FETCH_SITE, "none")];
        assert_eq!(checked(&Method::GET, &typed, false), Ok(()));
        assert_eq!(checked(&Method::GET, &typed, true), foreign());
    }
}
