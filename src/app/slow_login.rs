//! Logins whose check takes longer than their callers wait: a Python server may have stored bcrypt hashes of any cost.

use std::sync::Arc;
use std::thread;

use secrecy::SecretString;
use tokio::sync::oneshot;

use super::login::{LONGEST_TURN, verdict};
use super::{App, Error, Result};
use crate::auth::passwords::{Verdict, check_slow};
use crate::domain::ClientId;
use crate::store;

/// Others come first while such a check runs.
const NICE: i32 = 5;

impl App {
    /// The hash that a client has from now on, if the secret is right. The check goes on when nobody waits for it any more; a
    /// right secret gets a hash that is checked quickly, so that the next login succeeds.
    ///
    /// One such check runs at a time, and it takes none of the permits that other logins need. Its thread is not one of the
    /// runtime's, because the server would wait for that one when it stops.
    pub(super) async fn judge_slowly(
        &self,
        id: ClientId,
        hash: String,
        secret: SecretString,
    ) -> Result<Option<String>> {
        let turn = Arc::clone(&self.0.slow_login).try_acquire_owned();
        let turn = turn.map_err(|_| Error::TooManyLogins)?;
        let (tell, told) = oneshot::channel();
        let (old, tried) = (hash.clone(), secret.clone());
        let check = move || {
            let _ = rustix::process::setpriority_process(None, NICE);
            let _ = tell.send(check_slow(&old, &tried));
        };
        let started = thread::Builder::new().name("slow-login".to_owned()).spawn(check);
        started.map_err(|error| {
            tracing::error!(%error, "no thread can be started");
            Error::Internal
        })?;
        let app = self.clone();
        let judging = tokio::spawn(async move {
            let checked = told.await.map_err(|_| Error::from(store::Error::Panicked))?;
            let is_right = verdict(checked)? != Verdict::Mismatch;
            tracing::info!(client = %id, is_right, "a slow check of a secret has ended");
            let new = if is_right { Some(app.replace_hash(id, hash, secret).await?) } else { None };
            drop(turn);
            Ok(new)
        });
        match tokio::time::timeout(LONGEST_TURN, judging).await {
            Ok(judged) => judged.map_err(|_| Error::from(store::Error::Panicked))?,
            Err(_) => Err(Error::SlowLogin),
        }
    }
}
