//! Clients and their tokens, the admin socket, requests byte by byte, forged tokens.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::caller::{Answer, Caller};
use super::contract;
use super::server::TestServer;

/// The secret of every client that a test creates without another secret.
pub(crate) const SECRET: &str = "correct horse battery staple";

/// The header of Basic authentication.
pub(crate) fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// The local administrator: a caller who may open the socket in the data directory.
pub(crate) struct Socket(PathBuf);

impl Socket {
    pub(crate) fn of(data_dir: &Path) -> Self {
        Self(data_dir.join("admin.sock"))
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let body = body.map(Value::to_string).unwrap_or_default();
        // HTTP/1.0: the answer comes in one piece and the connection ends.
        let request = format!(
            "{method} {path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = exchange(UnixStream::connect(&self.0).unwrap(), request.as_bytes()).unwrap();
        contract::check(method, path, &answer);
        answer
    }

    #[track_caller]
    pub(crate) fn create(&self, id: &str, body: &Value) {
        let answer = self.send("POST", &format!("/admin/clients/{id}"), Some(body));
        assert_eq!(answer.seen(), (200, "OK".to_owned()));
    }

    #[track_caller]
    pub(crate) fn edit(&self, id: &str, body: &Value) {
        let answer = self.send("PUT", &format!("/admin/clients/{id}"), Some(body));
        assert_eq!(answer.seen(), (200, "OK".to_owned()));
    }

    #[track_caller]
    pub(crate) fn restrict(&self, queue: &str, owner: &str) {
        let path = format!("/v1/restricted-queues/{queue}");
        let answer = self.send("POST", &path, Some(&json!({ "client_id": owner })));
        assert_eq!(answer.seen(), (200, "OK".to_owned()));
    }
}

/// Sends a whole request and reads until the connection ends; `None` when it ends without an answer.
pub(crate) fn exchange(mut stream: impl Read + Write, request: &[u8]) -> Option<Answer> {
    let _ = stream.write_all(request);
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let at = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8(bytes[..at].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let mut headers = ureq::http::HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        let name: ureq::http::HeaderName = name.parse().unwrap();
        headers.append(name, value.parse().unwrap());
    }
    Some(Answer { status, headers, body: bytes[at + 4..].to_vec() })
}

/// Sends exactly these header lines, and besides them only `Host` and the end of the connection.
pub(crate) fn raw(url: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let lines: String =
        headers.iter().flat_map(|(name, value)| [*name, ": ", *value, "\r\n"]).collect();
    let request =
        format!("{target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{lines}\r\n{body}");
    let stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    let answer = exchange(stream, request.as_bytes()).unwrap();
    let (method, path) = target.split_once(' ').unwrap();
    contract::check(method, path, &answer);
    answer
}

impl TestServer {
    /// The local administrator.
    pub(crate) fn local(&self) -> Socket {
        Socket::of(&self.data_dir())
    }

    /// Creates a client of this role and logs it in.
    #[track_caller]
    pub(crate) fn client(&self, id: &str, role: &str) -> Caller {
        self.client_with(id, &json!({ "role": role }))
    }

    /// Creates a client with these rights and logs it in.
    #[track_caller]
    pub(crate) fn client_with(&self, id: &str, rights: &Value) -> Caller {
        let mut body = rights.clone();
        body["client_secret"] = json!(SECRET);
        self.local().create(id, &body);
        self.bearer(&self.token(id))
    }

    /// A new access token of a client.
    #[track_caller]
    pub(crate) fn token(&self, id: &str) -> String {
        let answer = self.log_in(id, SECRET);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.value()["access_token"].as_str().unwrap().to_owned()
    }

    /// Logs in as the clients of 2026 do, with an empty body and its length.
    pub(crate) fn log_in(&self, id: &str, secret: &str) -> Answer {
        self.log_in_from(id, secret, &[])
    }

    /// The same with more headers.
    pub(crate) fn log_in_from(&self, id: &str, secret: &str, more: &[(&str, &str)]) -> Answer {
        let authorization = basic(id, secret);
        let mut headers = vec![("Content-Length", "0"), ("Authorization", authorization.as_str())];
        headers.extend_from_slice(more);
        raw(&self.url(), "POST /v1/oauth2/token", &headers, "")
    }

    /// Somebody who shows this token.
    pub(crate) fn bearer(&self, token: &str) -> Caller {
        self.anonymous().header("Authorization", &format!("Bearer {token}"))
    }

    /// The key that signs tokens.
    pub(crate) fn signing_key(&self) -> Vec<u8> {
        std::fs::read(self.data_dir().join("keys/jwt.key")).unwrap()
    }
}

/// The claims of a token, no matter who signed it.
#[track_caller]
pub(crate) fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// A token with any header and claims, signed with HMAC and SHA-256.
pub(crate) fn forge(header: &Value, claims: &Value, key: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let mac = Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// Whether root runs the tests. A test that needs root says loudly when it is skipped.
pub(crate) fn is_root(what: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("SKIP SKIP SKIP: {what} needs root");
    }
    root
}
