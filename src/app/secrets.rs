//! Secrets of clients while the server runs: sealed with its key, opened for agents, masked for everybody else.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::SecretString;
use tokio::sync::{Mutex, RwLock};

use super::{App, Error, Result};
use crate::domain::{ClientId, JobId, JobSecret, SecretPath, Timestamp, seal_place};
use crate::ops::{self, By, Claimed, Keep, Resealing};
use crate::secrets::{Keyring, Masker, Sealed, SealingKey};

/// The values of a job's secrets by variable; empty for one that cannot be had.
pub type SecretValues = BTreeMap<String, SecretString>;

/// Where the sealing key is kept, so that another one can take its place.
pub trait KeyFile: Send + Sync {
    /// Makes a new key durable beside the old one, and gives it. One that an interrupted replacement made is given again,
    /// because values may be sealed under it already.
    fn begin(&self) -> std::result::Result<SealingKey, String>;
    /// Forgets the old key: nothing is sealed under it any more.
    fn finish(&self) -> std::result::Result<(), String>;
}

/// The sealing keys of a running server.
pub struct SecretKeys {
    /// Held for reading while something that was just sealed is written: after a new key has come, nothing is written under
    /// the old one.
    ring: RwLock<Arc<Keyring>>,
    /// One replacement at a time.
    replacing: Mutex<()>,
    /// `None` when the site brings the keys: what its older one sealed is then sealed anew under its current one.
    file: Option<Box<dyn KeyFile>>,
    /// Whether values are masked in what is shown of a job.
    mask: bool,
}

impl SecretKeys {
    /// These keys.
    #[must_use]
    pub fn new(ring: Keyring, file: Option<Box<dyn KeyFile>>, mask: bool) -> Self {
        Self { ring: RwLock::new(Arc::new(ring)), replacing: Mutex::new(()), file, mask }
    }
}

/// Masks what is shown of a job: in plain text and within JSON.
pub struct Masks {
    /// For text.
    pub plain: Arc<Masker>,
    /// For JSON text.
    pub json: Arc<Masker>,
    /// The job has not ended, so that its logs may go on: what may be the beginning of a value at their end is not shown
    /// yet.
    pub grows: bool,
}

impl App {
    async fn ring(&self) -> Arc<Keyring> {
        Arc::clone(&*self.secret_keys().ring.read().await)
    }

    /// Writes a secret of a client, and says when it ends.
    pub async fn put_secret(
        &self,
        client: ClientId,
        path: SecretPath,
        value: SecretString,
        keep: Keep,
        by: By,
    ) -> Result<Option<Timestamp>> {
        ops::may_keep_secrets(&by, &client)?;
        let ring = self.secret_keys().ring.read().await;
        let sealed = ring.current().seal(&seal_place(&client, &path), &value);
        let sealed = sealed.map_err(|error| {
            tracing::error!(%error, "a secret cannot be sealed");
            Error::Internal
        })?;
        let place = (client, path);
        self.write(move |tx, now| {
            ops::put_secret(tx, now, (&place.0, &place.1), &sealed, keep, &by)
        })
        .await
    }

    /// The values of the secrets of a job that was just claimed. One that does not open is empty, which is written down.
    pub async fn secret_values(&self, claimed: &Claimed) -> SecretValues {
        if claimed.secrets.is_empty() {
            return SecretValues::new();
        }
        let (id, mut missing) = (claimed.job.id, Vec::new());
        let ring = self.ring().await;
        let mut values = SecretValues::new();
        for secret in &claimed.secrets {
            let again = || self.open_again(&ring, id, secret);
            let value = open(&ring, secret).or_else(again);
            if value.is_none() && secret.sealed.is_some() {
                missing.push(secret.path.clone());
            }
            values.insert(secret.variable.clone(), value.unwrap_or_default());
        }
        if !missing.is_empty() {
            let why = "it was sealed under a key that this server does not have";
            let told = self.write(move |tx, now| ops::tell_missing(tx, now, id, &missing, why));
            // The agent waits for its job, and the log has it already.
            let _ = told.await;
        }
        values
    }

    /// The value of a secret that was sealed anew after it was handed out.
    fn open_again(&self, ring: &Keyring, id: JobId, secret: &JobSecret) -> Option<SecretString> {
        let (_, now) = self.read(|tx| ops::job_secrets(tx, id)).ok()??;
        open(ring, now.iter().find(|again| again.variable == secret.variable)?)
    }

    /// What masks the values of a job's secrets in what is shown of it; `None` for a job that uses none.
    pub async fn masks(&self, id: JobId) -> Result<Option<Masks>> {
        if !self.secret_keys().mask {
            return Ok(None);
        }
        let Some((job, secrets)) = self.read(|tx| ops::job_secrets(tx, id))? else {
            return Ok(None);
        };
        let ring = self.ring().await;
        let values: Vec<SecretString> =
            secrets.iter().filter_map(|secret| open(&ring, secret)).collect();
        let (plain, json) = (Masker::plain(&values), Masker::json(&values));
        let grows = !job.state.is_finished();
        Ok(Some(Masks { plain: Arc::new(plain), json: Arc::new(json), grows }))
    }

    /// Puts a new key in the place of the one that seals secrets, and seals all of them anew. May be interrupted at any point and asked for again.
    pub async fn replace_secrets_key(&self) -> Result<Resealing> {
        let keys = self.secret_keys();
        let _turn = keys.replacing.try_lock().map_err(|_| Error::ReplacingKey)?;
        let failed = |message: String| {
            tracing::error!("the key of secrets cannot be replaced: {message}");
            Error::Internal
        };
        if let Some(file) = &keys.file {
            let key = file.begin().map_err(failed)?;
            let mut ring = keys.ring.write().await;
            let both = ring.keys().fold(Keyring::new(key), |new, old| new.with_older(old.clone()));
            *ring = Arc::new(both);
        }
        let ring = self.ring().await;
        let mut at = Resealing::default();
        while !at.done {
            let (ring, from) = (Arc::clone(&ring), at);
            at = self.write_large(move |tx, _| ops::reseal(tx, &ring, from.clone())).await?;
        }
        // What does not open under any key here did not before; it may open again under a key that somebody restores.
        if let Some(file) = &keys.file {
            file.finish().map_err(failed)?;
            *keys.ring.write().await = Arc::new(Keyring::new(ring.current().clone()));
        }
        tracing::info!(
            resealed = at.resealed,
            unreadable = at.unreadable,
            "the key of secrets was replaced"
        );
        Ok(at)
    }

    /// Says which secrets cannot be opened with the keys that are here: a restore without its key leaves such ones. Nothing
    /// is deleted.
    pub async fn warn_of_unreadable_secrets(&self) {
        /// As many are named.
        const NAMED: usize = 10;
        const PAGE: usize = 256;
        let ring = self.ring().await;
        let found = self.scan(move |tx| {
            let (mut names, mut count, mut after) = (Vec::new(), 0_u64, None);
            loop {
                let page = ops::secrets(tx, None, after.as_ref(), PAGE)?;
                for secret in page.items {
                    let sealed = Sealed::from_bytes(secret.sealed.0);
                    if !sealed.key_id().is_some_and(|id| ring.has(id)) {
                        count += 1;
                        if names.len() < NAMED {
                            names.push(format!("{}:{}", secret.client, secret.path));
                        }
                    }
                }
                after = page.next;
                if after.is_none() {
                    return Ok::<_, ops::Error>((names, count));
                }
            }
        });
        if let Ok((names, count @ 1..)) = found.await {
            tracing::warn!(
                "{count} secrets were sealed under a key that is not here, so that jobs get empty values: {}{}; \
                 restore keys/secrets.key, or write these secrets again",
                names.join(", "),
                if count > NAMED as u64 { " .." } else { "" }
            );
        }
    }
}

fn open(ring: &Keyring, secret: &JobSecret) -> Option<SecretString> {
    let sealed = Sealed::from_bytes(secret.sealed.as_ref()?.0.clone());
    ring.open(&seal_place(&secret.client, &secret.path), &sealed).ok()
}
