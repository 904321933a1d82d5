//! Sends requests to the server as people and agents do.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Book;
use crate::demo::Error;

/// Longer than a request for a job may be held.
const PATIENCE: Duration = Duration::from_mins(1);
const JSON: &str = "application/json";

/// Sends requests to a server. Clones share its connections and its token.
#[derive(Clone)]
pub struct Caller {
    url: String,
    account: Option<Arc<Account>>,
    /// More headers that go with each request.
    headers: Vec<(&'static str, String)>,
    agent: ureq::Agent,
    book: Arc<dyn Book>,
}

/// The client as which a caller logs in when it must.
struct Account {
    credentials: String,
    token: Mutex<String>,
}

impl Caller {
    /// Somebody without a token, whose requests `book` is told of.
    #[must_use]
    pub fn new(url: &str, book: Arc<dyn Book>) -> Self {
        Self { url: url.to_owned(), account: None, headers: Vec::new(), agent: connection(), book }
    }

    /// The same for a client.
    pub(in crate::demo) fn of_client(url: &str, client: &str, secret: &str) -> Self {
        let credentials = STANDARD.encode(format!("{client}:{secret}"));
        let account = Account { credentials, token: Mutex::default() };
        Self { account: Some(Arc::new(account)), ..Self::new(url, Arc::new(())) }
    }

    /// The same on other connections, because a program has its own.
    pub(super) fn on_a_connection_of_its_own(&self) -> Self {
        Self { agent: connection(), ..self.clone() }
    }

    /// The same on other connections and with the cookie of an agent.
    pub(super) fn as_agent(&self, name: &str) -> Self {
        self.on_a_connection_of_its_own().with("Cookie", format!("agent_name={name}"))
    }

    fn with(&self, name: &'static str, value: String) -> Self {
        let mut caller = self.clone();
        caller.headers.push((name, value));
        caller
    }

    /// Who is told what happens.
    pub(super) fn book(&self) -> &dyn Book {
        &*self.book
    }

    /// What is there; null for an answer without a body.
    pub(super) fn get(&self, path: &str) -> Result<Value, Error> {
        self.send("GET", path, JSON, &[])
    }

    /// Asks for a job; null when there is none within `wait`.
    pub(super) fn claim(&self, path: &str, wait: Duration) -> Result<Value, Error> {
        self.with("Prefer", format!("wait={}", wait.as_secs())).get(path)
    }

    pub(in crate::demo) fn post(&self, path: &str, body: &Value) -> Result<Value, Error> {
        self.send("POST", path, JSON, body.to_string().as_bytes())
    }

    /// Posts what is not JSON.
    pub(super) fn post_text(&self, path: &str, text: &str) -> Result<(), Error> {
        self.send("POST", path, "text/plain", text.as_bytes()).map(|_| ())
    }

    /// Uploads a file.
    pub(super) fn upload(&self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        const HEAD: &[u8] =
            b"--part\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"\r\n\r\n";
        let body = [HEAD, bytes, b"\r\n--part--\r\n"].concat();
        self.send("POST", path, "multipart/form-data; boundary=part", &body).map(|_| ())
    }

    /// Sends a request, and sends it again with a new token if the old one has ended.
    fn send(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Result<Value, Error> {
        let Some(account) = &self.account else {
            let (status, value) = self.try_send(None, method, path, (kind, body))?;
            return answer(path, status, value);
        };
        let token = account.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if !token.is_empty() {
            let (status, value) = self.try_send(Some(&token), method, path, (kind, body))?;
            if status != 401 {
                return answer(path, status, value);
            }
        }
        let basic = format!("Basic {}", account.credentials);
        let place = "/v1/oauth2/token?format=json";
        let (status, tokens) = self.try_send(Some(&basic), "POST", place, ("text/plain", b""))?;
        let tokens = answer(place, status, tokens)?;
        let token = format!("Bearer {}", tokens["access_token"].as_str().unwrap_or_default());
        account.token.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&token);
        let (status, value) = self.try_send(Some(&token), method, path, (kind, body))?;
        answer(path, status, value)
    }

    fn try_send(
        &self,
        authorization: Option<&str>,
        method: &str,
        path: &str,
        (kind, body): (&str, &[u8]),
    ) -> Result<(u16, Value), Error> {
        let begun = Instant::now();
        let failed = |error: ureq::Error| Error::Request(path.to_owned(), error.to_string());
        let mut request =
            ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        if let Some(authorization) = authorization {
            request = request.header("Authorization", authorization);
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let answer = if method == "GET" {
            self.agent.run(request.body(()).map_err(|error| failed(error.into()))?)
        } else {
            let request = request.header("Content-Type", kind).body(body);
            self.agent.run(request.map_err(|error| failed(error.into()))?)
        };
        let mut answer = answer.map_err(failed)?;
        let bytes = answer.body_mut().read_to_vec().map_err(failed)?;
        self.book.answered(&kind_of(method, path), begun.elapsed());
        // Some answers are sentences or files.
        let value = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Ok((answer.status().as_u16(), value))
    }
}

fn connection() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .timeout_global(Some(PATIENCE))
        .build();
    config.into()
}

/// A method and a path without what differs from one lab to the next.
fn kind_of(method: &str, path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let mut kind = method.to_owned() + " ";
    let mut before = "";
    for word in path.split('/').skip(1) {
        let named = matches!(before, "data" | "provision_logs" | "result")
            || (before == "queues" && kind.ends_with("/v1/queues"));
        kind += "/";
        kind += if named { "<..>" } else { word };
        before = word;
    }
    kind
}

fn answer(path: &str, status: u16, value: Value) -> Result<Value, Error> {
    if status < 300 {
        return Ok(value);
    }
    Err(Error::Refused(path.to_owned(), status, value.to_string()))
}
