//! A server without a network.

use std::cell::RefCell;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Request;
use axum::http::header::{CONTENT_TYPE, HOST, HeaderValue};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use testflinger_server::config::{Env, Raw, Secrets, Settings};
use testflinger_server::domain::{ManualClock, Timestamp};
use testflinger_server::http::edge;
use testflinger_server::store::backup::What;
use testflinger_server::store::{Options, Store};
use testflinger_server::{api, server};
use tokio::runtime::Runtime;

use super::directory;

/// Requests to one server, so that what was accepted does not fill the memory.
const REQUESTS: usize = 10_000;

/// A server whose database is in memory.
pub(crate) struct Lab {
    runtime: Runtime,
    router: Router,
    store: Arc<Store>,
    left: usize,
    _files: TempDir,
}

impl Lab {
    /// A server that has nothing yet.
    pub(crate) fn new() -> Self {
        let files = directory();
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_795_435_200_000_000)));
        let flags = Raw { data_dir: Some(files.path().to_owned()), ..Raw::default() };
        let settings = Settings::load(flags, None, &Env::new()).unwrap();
        let key = || Some("a key of a server that nobody reaches".to_owned().into());
        let secrets = Secrets {
            jwt_signing_key: key(),
            webhook_auth: None,
            secrets_key: key(),
            secrets_old_key: None,
        };
        let failed = |error: &_| panic!("the store failed: {error}");
        let options = Options { cache: 16 << 20, clock: clock.clone(), on_fatal: Box::new(failed) };
        let store = Arc::new(Store::in_memory(&files.path().join("blobs"), options).unwrap());
        let app = server::app(Arc::clone(&store), clock, &settings, secrets).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, router: api::routes(app), store, left: REQUESTS, _files: files }
    }

    /// Sends a request. No answer may have a status of 500 and above.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        kind: &HeaderValue,
        body: Body,
    ) -> Answer {
        self.left = self.left.saturating_sub(1);
        let request = Request::builder().method(method).uri(path).header(HOST, "localhost");
        let request = request.header(CONTENT_TYPE, kind).body(body).unwrap();
        let router = self.router.clone();
        let (status, body) = self.runtime.block_on(async {
            let response = edge::answer(router, request).await;
            let status = response.status().as_u16();
            (status, response.into_body().collect().await.unwrap().to_bytes())
        });
        assert!(status < 500, "{method} {path}: {status} {body:?}");
        Answer { status, body }
    }

    /// Sends JSON, or what claims to be JSON.
    pub(crate) fn post(&mut self, path: &str, body: &[u8]) -> Answer {
        let kind = HeaderValue::from_static("application/json");
        self.send("POST", path, &kind, Bytes::copy_from_slice(body).into())
    }

    /// Asks for something.
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, &HeaderValue::from_static("text/plain"), Body::empty())
    }

    /// Submits a job that is valid, and gives its id.
    pub(crate) fn job(&mut self) -> String {
        let answer = self.post("/v1/job", json!({ "job_queue": "q" }).to_string().as_bytes());
        answer.json()["job_id"].as_str().unwrap().to_owned()
    }

    /// Its backup.
    pub(crate) fn backup(&self) -> Vec<u8> {
        let mut backup = Vec::new();
        let what = What { secrets: true };
        self.store.backup(what, Timestamp::from_micros(0), &mut backup).unwrap();
        backup
    }
}

impl Default for Lab {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.store.close().unwrap();
    }
}

/// An answer.
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: u16,
    /// Its body.
    pub(crate) body: Bytes,
}

impl Answer {
    /// Its body, which must be JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

thread_local! {
    static LAB: RefCell<Option<Lab>> = const { RefCell::new(None) };
}

/// Lends the server of this thread.
pub(crate) fn with_lab<T>(run: impl FnOnce(&mut Lab) -> T) -> T {
    LAB.with_borrow_mut(|lab| {
        if lab.as_ref().is_some_and(|lab| lab.left == 0) {
            *lab = None;
        }
        run(lab.get_or_insert_default())
    })
}
