//! Secrets of clients, and the copies that jobs use. Values are sealed before they come here; only these two tables hold
//! sealed bytes.

use std::ops::{Bound, ControlFlow};

use serde::{Deserialize, Serialize};

use super::aging::Kind;
use crate::domain::{ClientId, JobId, JobSecret, SealedBytes, Secret, SecretPath, Timestamp};
use crate::store::engine::codec::first_version;
use crate::store::engine::{
    Direction, Error, IndexRow, Key, Rows, Table, WriteTx, codec, leading_name,
};

/// A secret; its client and path are the key. The value is sealed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SecretV1 {
    pub(super) sealed: Vec<u8>,
    pub(super) written_at: i64,
    pub(super) expires_at: Option<i64>,
    pub(super) ephemeral: bool,
}
first_version!(SecretV1, 12);

/// A secret that a job uses; the job and the variable are the key. The value is sealed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct JobSecretV1 {
    pub(super) client: String,
    pub(super) path: String,
    /// `None` before the claim, and when there was none.
    pub(super) sealed: Option<Vec<u8>>,
    /// It was a secret that is read once.
    pub(super) taken: bool,
}
first_version!(JobSecretV1, 13);

fn key(client: &ClientId, path: &SecretPath) -> Key {
    Key::new().name(client.as_str()).text(path.as_str())
}

fn of_job(job: JobId) -> Key {
    Key::new().raw(job.as_bytes())
}

/// The client and the path in a key.
pub(crate) fn parse_key(key: &[u8]) -> Result<(ClientId, SecretPath), Error> {
    let wrong = || Error::Corrupt("the key of a secret names none".to_owned());
    let (client, path) = leading_name(key).ok_or_else(wrong)?;
    let path = std::str::from_utf8(path).map_err(|_| wrong())?;
    Ok((ClientId::trusted(client), SecretPath::trusted(path)))
}

fn secret(key: &[u8], record: SecretV1) -> Result<Secret, Error> {
    let (client, path) = parse_key(key)?;
    Ok(Secret {
        client,
        path,
        sealed: SealedBytes(record.sealed),
        written_at: Timestamp::from_micros(record.written_at),
        expires_at: record.expires_at.map(Timestamp::from_micros),
        ephemeral: record.ephemeral,
    })
}

impl Secret {
    fn index_rows(&self) -> Vec<IndexRow> {
        let key = key(&self.client, &self.path);
        let row = |end| (Table::Expiry, Kind::Secret.key(end, key.as_slice()), Vec::new());
        self.expires_at.map(row).into_iter().collect()
    }
}

/// The index rows of a stored secret.
pub(crate) fn index_of(key: &[u8], value: &[u8]) -> Result<Vec<IndexRow>, Error> {
    Ok(secret(key, codec::decode(value)?)?.index_rows())
}

/// Reads a stored secret of a job as what it must be.
pub(crate) fn check_job_secret(value: &[u8]) -> Result<(), Error> {
    codec::decode::<JobSecretV1>(value).map(|_| ())
}

/// Reading secrets.
pub trait SecretReads {
    /// The secret of a client at this path, be it live or not.
    fn secret(&self, client: &ClientId, path: &SecretPath) -> Result<Option<Secret>, Error>;
    /// The next `limit` secrets after this one, by client and path; only those of `client` if one is named.
    fn secrets_after(
        &self,
        client: Option<&ClientId>,
        after: Option<&(ClientId, SecretPath)>,
        limit: usize,
    ) -> Result<Vec<Secret>, Error>;
    /// The secrets that a job uses, by variable.
    fn job_secrets(&self, job: JobId) -> Result<Vec<JobSecret>, Error>;
    /// The next `limit` copies of secrets that jobs have, after the one with this key.
    fn all_job_secrets_after(
        &self,
        after: Option<&(JobId, String)>,
        limit: usize,
    ) -> Result<Vec<(JobId, JobSecret)>, Error>;
}

impl<R: Rows> SecretReads for R {
    fn secret(&self, client: &ClientId, path: &SecretPath) -> Result<Option<Secret>, Error> {
        let key = key(client, path);
        let record = self.record(Table::Secret, &key)?;
        record.map(|record| secret(key.as_slice(), record)).transpose()
    }

    fn secrets_after(
        &self,
        client: Option<&ClientId>,
        after: Option<&(ClientId, SecretPath)>,
        limit: usize,
    ) -> Result<Vec<Secret>, Error> {
        let prefix = client.map_or_else(Key::new, |client| Key::new().name(client.as_str()));
        let (after, end) = (after.map(|(client, path)| key(client, path)), prefix.after_prefix());
        let from = match &after {
            Some(key) => Bound::Excluded(key.as_slice()),
            None => Bound::Included(prefix.as_slice()),
        };
        let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut found = Vec::new();
        self.scan(Table::Secret, (from, to), Direction::Forward, &mut |key, value| {
            if found.len() == limit {
                return Ok(ControlFlow::Break(()));
            }
            found.push(secret(key, codec::decode(value)?)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    fn job_secrets(&self, job: JobId) -> Result<Vec<JobSecret>, Error> {
        let mut found = Vec::new();
        self.scan_prefix(Table::JobSecret, &of_job(job), None, &mut |key, value| {
            found.push(job_secret(key, value)?.1);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    fn all_job_secrets_after(
        &self,
        after: Option<&(JobId, String)>,
        limit: usize,
    ) -> Result<Vec<(JobId, JobSecret)>, Error> {
        let after = after.map(|(job, variable)| of_job(*job).text(variable));
        let from = after.as_ref().map_or(Bound::Unbounded, |key| Bound::Excluded(key.as_slice()));
        let range = (from, Bound::Unbounded);
        let mut found = Vec::new();
        self.scan(Table::JobSecret, range, Direction::Forward, &mut |key, value| {
            if found.len() == limit {
                return Ok(ControlFlow::Break(()));
            }
            found.push(job_secret(key, value)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }
}

fn job_secret(key: &[u8], value: &[u8]) -> Result<(JobId, JobSecret), Error> {
    let wrong = || Error::Corrupt("the key of a job's secret names none".to_owned());
    let (id, variable) = key.split_first_chunk().ok_or_else(wrong)?;
    let record: JobSecretV1 = codec::decode(value)?;
    let secret = JobSecret {
        variable: String::from_utf8_lossy(variable).into_owned(),
        client: ClientId::trusted(record.client),
        path: SecretPath::trusted(record.path),
        sealed: record.sealed.map(SealedBytes),
        taken: record.taken,
    };
    Ok((JobId::from_bytes(*id), secret))
}

impl WriteTx<'_> {
    /// Writes a secret, whatever was at its path before.
    pub fn put_secret(&mut self, new: &Secret) -> Result<(), Error> {
        let old = self.secret(&new.client, &new.path)?;
        let before = old.as_ref().map(Secret::index_rows).unwrap_or_default();
        self.replace_rows(&before, &new.index_rows())?;
        let record = SecretV1 {
            sealed: new.sealed.0.clone(),
            written_at: new.written_at.as_micros(),
            expires_at: new.expires_at.map(Timestamp::as_micros),
            ephemeral: new.ephemeral,
        };
        self.put_record(Table::Secret, &key(&new.client, &new.path), &record)
    }

    /// Removes a secret. Jobs keep the copies that they got.
    pub fn remove_secret(&mut self, secret: &Secret) -> Result<(), Error> {
        self.replace_rows(&secret.index_rows(), &[])?;
        self.remove(Table::Secret, &key(&secret.client, &secret.path))?;
        Ok(())
    }

    /// Gives a job a secret, or replaces what it has for that variable.
    pub fn put_job_secret(&mut self, job: JobId, secret: &JobSecret) -> Result<(), Error> {
        let record = JobSecretV1 {
            client: secret.client.to_string(),
            path: secret.path.to_string(),
            sealed: secret.sealed.as_ref().map(|sealed| sealed.0.clone()),
            taken: secret.taken,
        };
        self.put_record(Table::JobSecret, &of_job(job).text(&secret.variable), &record)
    }

    /// Takes all secrets from a job.
    pub fn remove_job_secrets(&mut self, job: JobId) -> Result<(), Error> {
        self.remove_prefix(Table::JobSecret, &of_job(job))
    }
}
