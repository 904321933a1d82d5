//! Logins whose check takes longer than their callers wait: a Python server may have stored bcrypt hashes of any cost.

use std::sync::Arc;

use secrecy::SecretString;
use tokio::sync::oneshot;

use super::login::{LONGEST_TURN, verdict};
use super::{App, Error, Result, apart};
use crate::auth::passwords::{Verdict, check_slow};
use crate::domain::ClientId;
use crate::store;

impl App {
    /// The hash that a client has from now on, if the secret is right. The check goes on when nobody waits for it any more; a
    /// right secret gets a hash that is checked quickly, so that the next login succeeds.
    ///
    /// One such check runs at a time, and it takes none of the permits that other logins need.
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
        apart("slow-login", move || {
            let _ = tell.send(check_slow(&old, &tried));
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
