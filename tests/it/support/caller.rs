use serde_json::Value;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::{BOUNDARY, PATIENCE, contract, part_head};

/// Sends requests to one server, each with the same headers.
#[derive(Clone)]
pub(crate) struct Caller {
    url: String,
    headers: Vec<(String, String)>,
    agent: ureq::Agent,
    has_contract: bool,
}

/// A part of a multipart body: name and bytes.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a>(pub &'a str, pub &'a [u8]);

impl Caller {
    pub(crate) fn new(url: String) -> Self {
        Self::with(url, TlsConfig::default())
    }

    /// Trusts this certificate and no other.
    pub(crate) fn trusting(url: String, pem: &str) -> Self {
        let certificate = Certificate::from_pem(pem.as_bytes()).unwrap();
        let roots = RootCerts::new_with_certs(&[certificate]);
        Self::with(url, TlsConfig::builder().root_certs(roots).build())
    }

    fn with(url: String, tls: TlsConfig) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .allow_non_standard_methods(true)
            .timeout_global(Some(PATIENCE))
            .tls_config(tls)
            .build();
        Self { url, headers: Vec::new(), agent: config.into(), has_contract: true }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same caller without a header.
    pub(crate) fn without(&self, name: &str) -> Self {
        let mut caller = self.clone();
        caller.headers.retain(|(header, _)| header != name);
        caller
    }

    /// A caller whose answers are not compared with the description of the API.
    pub(crate) fn without_contract(mut self) -> Self {
        self.has_contract = false;
        self
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, b"")
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, b"")
    }

    pub(crate) fn post(&self, path: &str, json: &Value) -> Answer {
        self.json("POST", path, &json.to_string())
    }

    pub(crate) fn put(&self, path: &str, json: &Value) -> Answer {
        self.json("PUT", path, &json.to_string())
    }

    /// Sends text as JSON, whether it is valid or not.
    pub(crate) fn json(&self, method: &str, path: &str, text: &str) -> Answer {
        self.clone().header("Content-Type", "application/json").send(method, path, text.as_bytes())
    }

    pub(crate) fn upload(&self, path: &str, parts: &[Part<'_>]) -> Answer {
        let mut body = Vec::new();
        for Part(name, bytes) in parts {
            body.extend_from_slice(part_head(name).as_bytes());
            body.extend_from_slice(bytes);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        self.clone().header("Content-Type", &kind).send("POST", path, &body)
    }

    /// Sends any request; an empty body is left out.
    #[track_caller]
    pub(crate) fn send(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let mut request =
            ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = if body.is_empty() {
            self.agent.run(request.body(()).unwrap())
        } else {
            self.agent.run(request.body(body).unwrap())
        };
        let (parts, mut body) = response.unwrap().into_parts();
        let body = body.with_config().limit(256 << 20).read_to_vec().unwrap();
        let answer = Answer { status: parts.status.as_u16(), headers: parts.headers, body };
        if self.has_contract {
            contract::check(method, path, &answer);
        }
        answer
    }

    /// Submits a job and gives its id.
    pub(crate) fn submit(&self, job: &Value) -> String {
        let answer = self.post("/v1/job", job);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.value()["job_id"].as_str().unwrap().to_owned()
    }

    /// Asks for a job of one queue and gives its id.
    #[track_caller]
    pub(crate) fn claim(&self, queue: &str) -> Option<String> {
        let answer = self.get(&format!("/v1/job?queue={queue}"));
        match answer.status {
            204 => None,
            200 => Some(answer.value()["job_id"].as_str().unwrap().to_owned()),
            other => panic!("{other}: {}", answer.text()),
        }
    }

    /// The state of a job.
    #[track_caller]
    pub(crate) fn state(&self, job: &str) -> String {
        let answer = self.get(&format!("/v1/result/{job}"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.value()["job_state"].as_str().unwrap().to_owned()
    }
}

/// The answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Status and body, as tests compare them.
    #[track_caller]
    pub(crate) fn seen(&self) -> (u16, String) {
        (self.status, self.text().to_owned())
    }

    /// The message of a JSON error.
    #[track_caller]
    pub(crate) fn message(&self) -> String {
        let value = self.value();
        assert!(value["detail"].is_object(), "{value}");
        value["message"].as_str().unwrap().to_owned()
    }
}
