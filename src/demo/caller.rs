//! Sends requests to the server as people and agents do.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Error;

/// Longer than a request for a job may be held.
const PATIENCE: Duration = Duration::from_mins(1);

/// A client that sends requests. Clones share its token.
#[derive(Clone)]
pub(super) struct Caller {
    url: String,
    credentials: String,
    token: Arc<Mutex<String>>,
    /// More headers that go with each request.
    headers: Vec<(&'static str, String)>,
    agent: ureq::Agent,
}

impl Caller {
    /// A client of this server. It logs in when it must.
    pub(super) fn new(url: &str, client: &str, secret: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(PATIENCE))
            .build();
        Self {
            url: url.to_owned(),
            credentials: STANDARD.encode(format!("{client}:{secret}")),
            token: Arc::default(),
            headers: Vec::new(),
            agent: config.into(),
        }
    }

    /// The same with the cookie of an agent.
    pub(super) fn as_agent(&self, name: &str) -> Self {
        self.with("Cookie", format!("agent_name={name}"))
    }

    fn with(&self, name: &'static str, value: String) -> Self {
        let mut caller = self.clone();
        caller.headers.push((name, value));
        caller
    }

    /// What is there; null for an answer without a body.
    pub(super) fn get(&self, path: &str) -> Result<Value, Error> {
        self.send("GET", path, "application/json", &[])
    }

    /// Asks for a job; null when there is none within `wait`.
    pub(super) fn claim(&self, path: &str, wait: Duration) -> Result<Value, Error> {
        self.with("Prefer", format!("wait={}", wait.as_secs())).get(path)
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, Error> {
        self.send("POST", path, "application/json", body.to_string().as_bytes())
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
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if !token.is_empty() {
            let (status, value) = self.try_send(&token, method, path, (kind, body))?;
            if status != 401 {
                return answer(path, status, value);
            }
        }
        let basic = format!("Basic {}", self.credentials);
        let place = "/v1/oauth2/token?format=json";
        let (status, tokens) = self.try_send(&basic, "POST", place, ("text/plain", b""))?;
        let tokens = answer(place, status, tokens)?;
        let token = format!("Bearer {}", tokens["access_token"].as_str().unwrap_or_default());
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&token);
        let (status, value) = self.try_send(&token, method, path, (kind, body))?;
        answer(path, status, value)
    }

    fn try_send(
        &self,
        authorization: &str,
        method: &str,
        path: &str,
        (kind, body): (&str, &[u8]),
    ) -> Result<(u16, Value), Error> {
        let failed = |error: ureq::Error| Error::Request(path.to_owned(), error.to_string());
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("Authorization", authorization);
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
        let text = answer.body_mut().read_to_string().unwrap_or_default();
        // Some answers are sentences.
        let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok((answer.status().as_u16(), value))
    }
}

fn answer(path: &str, status: u16, value: Value) -> Result<Value, Error> {
    if status < 300 {
        return Ok(value);
    }
    Err(Error::Request(path.to_owned(), format!("{status} {value}")))
}
