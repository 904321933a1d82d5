//! Clients keep secrets here, and jobs use them.

use std::time::Duration;

use super::{By, Error, Page, write_down};
use crate::auth::Identity;
use crate::domain::{
    Actor, Change, ClientId, Job, JobId, JobSecret, SealedBytes, Secret, SecretPath, Subject,
    Timestamp, seal_place,
};
use crate::secrets::{Keyring, Sealed};
use crate::store::{ClientReads, JobReads, SecretReads, WriteTx};

/// How many secrets a client may keep.
pub const MOST_SECRETS: usize = 1000;
/// Rows that are sealed anew in one transaction.
const TOGETHER: usize = 64;

/// How long a secret is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// For this time.
    For(Duration),
    /// Until the first claim of a job that uses it.
    Once,
    /// Until it is deleted.
    Always,
}

/// Whether somebody may write and delete the secrets of this client: only the client itself and the local administrator.
///
/// # Errors
/// [`Error::OtherClient`].
pub fn may_keep_secrets(by: &By, client: &ClientId) -> Result<(), Error> {
    match &by.identity {
        Identity::LocalAdmin => Ok(()),
        identity if identity.client() == Some(client) => Ok(()),
        _ => Err(Error::OtherClient(client.clone())),
    }
}

/// Writes a secret, whatever was at its path before, and says when it ends.
///
/// # Errors
/// [`Error::OtherClient`], [`Error::NoClient`], [`Error::TooManySecrets`].
pub fn put_secret(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    (client, path): (&ClientId, &SecretPath),
    sealed: &Sealed,
    keep: Keep,
    by: &By,
) -> Result<Option<Timestamp>, Error> {
    may_keep_secrets(by, client)?;
    tx.client(client)?.ok_or(Error::NoClient)?;
    let is_new = tx.secret(client, path)?.is_none();
    if is_new && tx.secrets_after(Some(client), None, MOST_SECRETS)?.len() == MOST_SECRETS {
        return Err(Error::TooManySecrets);
    }
    let expires_at = match keep {
        Keep::For(span) => Some(now.plus(span)),
        Keep::Once | Keep::Always => None,
    };
    tx.put_secret(&Secret {
        client: client.clone(),
        path: path.clone(),
        sealed: SealedBytes(sealed.as_bytes().to_vec()),
        written_at: now,
        expires_at,
        ephemeral: keep == Keep::Once,
    })?;
    Ok(expires_at)
}

/// Deletes a secret, if it is there. Jobs that were claimed keep what they got.
///
/// # Errors
/// [`Error::OtherClient`].
pub fn delete_secret(
    tx: &mut WriteTx<'_>,
    client: &ClientId,
    path: &SecretPath,
    by: &By,
) -> Result<(), Error> {
    may_keep_secrets(by, client)?;
    if let Some(secret) = tx.secret(client, path)? {
        tx.remove_secret(&secret)?;
    }
    Ok(())
}

/// The secrets of a client or of all, by client and path.
pub fn secrets(
    tx: &impl SecretReads,
    client: Option<&ClientId>,
    after: Option<&(ClientId, SecretPath)>,
    limit: usize,
) -> Result<Page<Secret, (ClientId, SecretPath)>, Error> {
    let secrets = tx.secrets_after(client, after, limit)?;
    Ok(Page::of(secrets, limit, |last| (last.client.clone(), last.path.clone())))
}

/// A job that uses secrets, and those as they were when it was claimed; `None` for every other job.
pub fn job_secrets(
    tx: &(impl JobReads + SecretReads),
    id: JobId,
) -> Result<Option<(Job, Vec<JobSecret>)>, Error> {
    let Some(job) = tx.job(id)?.filter(|job| job.secrets) else {
        return Ok(None);
    };
    let secrets = tx.job_secrets(id)?;
    Ok(Some((job, secrets)))
}

/// The secrets that a job names, for a submitter who has them all.
///
/// # Errors
/// [`Error::SecretsOfNobody`], [`Error::InaccessibleSecrets`] with all that are missing, by path.
pub(super) fn named_secrets(
    tx: &WriteTx<'_>,
    now: Timestamp,
    named: &[(String, SecretPath)],
    by: &By,
) -> Result<Vec<JobSecret>, Error> {
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let client = by.identity.client().ok_or(Error::SecretsOfNobody)?;
    let (mut secrets, mut missing) = (Vec::new(), Vec::new());
    for (variable, path) in named {
        if !tx.secret(client, path)?.is_some_and(|secret| secret.is_live(now)) {
            missing.push(path.clone());
        }
        secrets.push(JobSecret {
            variable: variable.clone(),
            client: client.clone(),
            path: path.clone(),
            sealed: None,
            taken: false,
        });
    }
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() { Ok(secrets) } else { Err(Error::InaccessibleSecrets(missing)) }
}

/// Gives a job that is claimed now its secrets. One that is read once moves to the job; one that went missing after the
/// job was submitted is empty for the agent, and is written down.
pub(super) fn hand_out_secrets(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    job: &Job,
) -> Result<Vec<JobSecret>, Error> {
    let mut secrets = tx.job_secrets(job.id)?;
    let mut missing = Vec::new();
    // A later try gets what the first one got: another value would leave this one unmasked in what is kept of that try.
    let stays = |own: &JobSecret| own.taken || (own.sealed.is_some() && !job.tried.is_empty());
    for own in secrets.iter_mut().filter(|own| !stays(own)) {
        let found = tx.secret(&own.client, &own.path)?.filter(|secret| secret.is_live(now));
        own.taken = found.as_ref().is_some_and(|secret| secret.ephemeral);
        own.sealed = found.as_ref().map(|secret| secret.sealed.clone());
        tx.put_job_secret(job.id, own)?;
        match found {
            Some(secret) if secret.ephemeral => tx.remove_secret(&secret)?,
            Some(_) => {}
            None => missing.push(own.path.clone()),
        }
    }
    if !missing.is_empty() {
        tell_missing(tx, now, job.id, &missing, "it was deleted or ended while the job waited")?;
    }
    Ok(secrets)
}

/// Writes down that an agent got an empty value for some secrets: in the job's history, in its result, and in the log.
///
/// The members of the result stay readable for whoever asks why a test had no password.
pub fn tell_missing(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    id: JobId,
    missing: &[SecretPath],
    why: &str,
) -> Result<(), Error> {
    let names: Vec<&str> = missing.iter().map(SecretPath::as_str).collect();
    tracing::warn!(job = %id, secrets = names.join(", "), "secrets of a job are missing: {why}");
    tx.put_result(id, "missing_secrets", &serde_json::json!(names).to_string())?;
    for path in missing {
        let name = "secret".to_owned();
        let change = Change::Member { name, from: Some(path.to_string()), to: None };
        write_down(tx, now, &Actor::Server, &Subject::Job(id), vec![change], why)?;
    }
    Ok(())
}

/// Where sealing everything anew stands.
#[derive(Clone, Debug, Default)]
pub struct Resealing {
    secrets: Option<(ClientId, SecretPath)>,
    copies: Option<(JobId, String)>,
    secrets_done: bool,
    /// Everything was looked at.
    pub done: bool,
    /// How many values were sealed anew.
    pub resealed: u64,
    /// How many values do not open.
    pub unreadable: u64,
}

/// Seals some more values under the ring's current key. What does not open stays as it is.
///
/// First all secrets, then all copies that jobs have: a copy that is made meanwhile is one of a secret that was not sealed
/// anew yet, and so comes before its turn.
pub fn reseal(tx: &mut WriteTx<'_>, ring: &Keyring, mut at: Resealing) -> Result<Resealing, Error> {
    if !at.secrets_done {
        let page = tx.secrets_after(None, at.secrets.as_ref(), TOGETHER)?;
        at.secrets_done = page.len() < TOGETHER;
        for mut secret in page {
            at.secrets = Some((secret.client.clone(), secret.path.clone()));
            let place = seal_place(&secret.client, &secret.path);
            if at.anew(ring, &place, &mut secret.sealed) {
                tx.put_secret(&secret)?;
            }
        }
        return Ok(at);
    }
    let page = tx.all_job_secrets_after(at.copies.as_ref(), TOGETHER)?;
    at.done = page.len() < TOGETHER;
    for (job, mut copy) in page {
        at.copies = Some((job, copy.variable.clone()));
        let place = seal_place(&copy.client, &copy.path);
        if let Some(sealed) = &mut copy.sealed
            && at.anew(ring, &place, sealed)
        {
            tx.put_job_secret(job, &copy)?;
        }
    }
    Ok(at)
}

impl Resealing {
    /// Seals one value anew; says whether it changed.
    fn anew(&mut self, ring: &Keyring, place: &[u8], sealed: &mut SealedBytes) -> bool {
        match ring.reseal(place, &Sealed::from_bytes(sealed.0.clone())) {
            Ok(None) => false,
            Ok(Some(new)) => {
                sealed.0 = new.as_bytes().to_vec();
                self.resealed += 1;
                true
            }
            Err(_) => {
                self.unreadable += 1;
                false
            }
        }
    }
}
