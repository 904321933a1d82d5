//! What targets share: a server without a network, and archives whose heads and sums are right.

use std::cell::RefCell;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Request;
use axum::http::header::{CONTENT_TYPE, HOST, HeaderValue};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use testflinger_server::config::{Env, Raw, Secrets, Settings};
use testflinger_server::domain::{ManualClock, Timestamp};
use testflinger_server::http::edge;
use testflinger_server::store::backup::What;
use testflinger_server::store::{Options, Store};
use testflinger_server::{api, server};
use tokio::runtime::Runtime;

/// Requests to one server, so that what was accepted does not fill the memory.
const REQUESTS: usize = 10_000;

/// A server whose database is in memory.
pub struct Lab {
    runtime: Runtime,
    router: Router,
    store: Arc<Store>,
    left: usize,
    _files: TempDir,
}

impl Lab {
    /// A server that has nothing yet.
    pub fn new() -> Self {
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
    pub fn send(&mut self, method: &str, path: &str, kind: &HeaderValue, body: Body) -> Answer {
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
    pub fn post(&mut self, path: &str, body: &[u8]) -> Answer {
        let kind = HeaderValue::from_static("application/json");
        self.send("POST", path, &kind, Bytes::copy_from_slice(body).into())
    }

    /// Asks for something.
    pub fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, &HeaderValue::from_static("text/plain"), Body::empty())
    }

    /// Submits a job that is valid, and gives its id.
    pub fn job(&mut self) -> String {
        let answer = self.post("/v1/job", json!({ "job_queue": "q" }).to_string().as_bytes());
        answer.json()["job_id"].as_str().unwrap().to_owned()
    }

    /// Its backup.
    pub fn backup(&self) -> Vec<u8> {
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
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// Its body, which must be JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

thread_local! {
    static LAB: RefCell<Option<Lab>> = const { RefCell::new(None) };
}

/// Lends the server of this thread.
pub fn with_lab<T>(run: impl FnOnce(&mut Lab) -> T) -> T {
    LAB.with_borrow_mut(|lab| {
        if lab.as_ref().is_some_and(|lab| lab.left == 0) {
            *lab = None;
        }
        run(lab.get_or_insert_default())
    })
}

/// A directory in memory where there is one, because nothing here is about disks.
pub fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// An archive of these entries as the server writes it, with `SHA256SUMS`.
pub fn archive<'a>(entries: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let (mut out, mut sums) = (Vec::new(), String::new());
    for (name, content) in entries {
        entry(&mut out, name, content);
        for byte in Sha256::digest(content) {
            sums += &format!("{byte:02x}");
        }
        sums += &format!("  {name}\n");
    }
    entry(&mut out, "SHA256SUMS", sums.as_bytes());
    out.resize(out.len() + 1024, 0);
    out
}

fn entry(out: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut head = tar::Header::new_gnu();
    // A name that tar cannot hold stays empty, and is refused.
    let _ = head.set_path(name);
    head.set_entry_type(tar::EntryType::Regular);
    head.set_size(content.len() as u64);
    head.set_mode(0o600);
    head.set_uid(0);
    head.set_gid(0);
    head.set_mtime(0);
    head.set_cksum();
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(content);
    out.resize(out.len().next_multiple_of(512), 0);
}
