//! A job enters its queue.

use std::time::Duration;

use super::secret::named_secrets;
use super::{By, Error, Right, hand_over, write_down};
use crate::auth::{Identity, Permissions};
use crate::domain::{
    AgentName, Attachments, ClientId, Job, JobId, QueueName, SecretPath, Subject, Tag, Timestamp,
};
use crate::store::{AgentReads, ClientReads, JobReads, RuleReads, WriteTx};

/// A reservation up to this many seconds needs no rights.
const FREE_RESERVATION: i64 = 21_600;
/// How many agents of a queue are looked at together.
const PAGE: usize = 256;

/// A job that is valid by itself.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The client's own id for it: the job with this id is replaced. Any text; not a UUID is refused late, in the order
    /// in which upstream refuses.
    pub id: Option<String>,
    /// Its queue.
    pub queue: QueueName,
    /// Higher ones go first.
    pub priority: i64,
    /// Its tags, without repetition.
    pub tags: Vec<Tag>,
    /// The agents that must not have it.
    pub exclude_agents: Vec<AgentName>,
    /// It reserves its device.
    pub reserves: bool,
    /// How long it reserves its device, seconds, if it says so.
    pub reserve_seconds: Option<i64>,
    /// How long it may wait in its queue, if not for ever.
    pub queue_timeout: Option<Duration>,
    /// How often it goes to another agent when its provisioning fails; `None` for what its queue says.
    pub retries: Option<u32>,
    /// It names attachments, so it waits for their archive.
    pub attachments: bool,
    /// The secrets that it uses: variable and path, each variable once.
    pub secrets: Vec<(String, SecretPath)>,
    /// The JSON object that the agent gets, without `job_id`.
    pub body: String,
}

/// Puts a job into its queue, or the same job there again: that is a new attempt in a new place, with nothing left of
/// the results before it.
///
/// # Errors
/// [`Error::AllAgentsExcluded`], [`Error::SecretsOfNobody`], [`Error::InaccessibleSecrets`], [`Error::BadJobId`], [`Error::Lacks`], [`Error::NotYours`].
pub fn submit(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    submission: &Submission,
    by: &By,
) -> Result<JobId, Error> {
    check_exclusions(tx, submission)?;
    let secrets = named_secrets(tx, now, &submission.secrets, by)?;
    let id = match &submission.id {
        None => JobId::new(),
        Some(text) => JobId::parse(text).ok_or(Error::BadJobId)?,
    };
    check_permissions(tx, submission, &by.identity)?;
    let old = tx.job(id)?;
    if old.as_ref().is_some_and(|old| !by.may_touch(old)) {
        return Err(Error::NotYours);
    }
    let seq = tx.next_place()?;
    let job = Job {
        priority: submission.priority,
        attachments: if submission.attachments { Attachments::Awaited } else { Attachments::None },
        attempt: old.as_ref().map_or(1, |old| old.attempt.saturating_add(1)),
        queue_until: submission.queue_timeout.map(|span| now.plus(span)),
        client: by.identity.client().cloned(),
        pinned: old.as_ref().is_some_and(|old| old.pinned),
        secrets: !secrets.is_empty(),
        retries: match submission.retries {
            Some(retries) => retries,
            None => tx.retries_of(&submission.queue)?,
        },
        tags: submission.tags.clone(),
        exclude_agents: submission.exclude_agents.clone(),
        ..Job::new(id, seq, submission.queue.clone(), now)
    };
    if submission.id.is_some() {
        // Results may have been posted for an id that no job had.
        tx.forget(id)?;
    }
    if let Some(old) = &old {
        tx.remove_job(old)?;
        hand_over(tx, now, &by.actor(), (old, &job))?;
    }
    let why = if old.is_some() { "submitted again" } else { "submitted" };
    write_down(tx, now, &by.actor(), &Subject::Job(id), job.changes(old.as_ref()), why)?;
    tx.insert_job(&job, &submission.body)?;
    for secret in &secrets {
        tx.put_job_secret(id, secret)?;
    }
    Ok(id)
}

/// How long a key stands for the job that was submitted with it.
const KEY_HOLDS: Duration = Duration::from_hours(24);

/// A job, and whether it was submitted just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Once {
    /// Its id.
    pub id: JobId,
    /// `false` when the key stands for it already.
    pub fresh: bool,
}

/// Puts a job into its queue, unless the same submitter has done so with this key within a day: whoever got no answer can
/// ask again without fear of a second job. The id of the job follows from the key, so nothing else has to be remembered.
///
/// # Errors
/// [`Error::KeyReused`] when the key stands for another submission; [`Error::KeyAndId`]; also what [`submit`] says.
pub fn submit_once(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    submission: &Submission,
    key: &str,
    by: &By,
) -> Result<Once, Error> {
    if submission.id.is_some() {
        return Err(Error::KeyAndId);
    }
    let submitter = by.identity.client().map(ClientId::as_str).unwrap_or_default();
    let mut n = 0;
    loop {
        let id = JobId::of_key(submitter, key, n);
        let Some(known) = tx.job(id)? else {
            let named = Submission { id: Some(id.to_string()), ..submission.clone() };
            return Ok(Once { id: submit(tx, now, &named, by)?, fresh: true });
        };
        if now.since(known.created_at) <= KEY_HOLDS {
            let same = tx.job_body(id)?.as_ref() == Some(&submission.body);
            return if same { Ok(Once { id, fresh: false }) } else { Err(Error::KeyReused) };
        }
        // At least a day lies between one and the next, so there are few.
        n += 1;
    }
}

/// A job that excludes agents needs one of its queue that it does not exclude.
fn check_exclusions(tx: &WriteTx<'_>, submission: &Submission) -> Result<(), Error> {
    if submission.exclude_agents.is_empty() {
        return Ok(());
    }
    let mut after = 0;
    loop {
        let agents = tx.queue_agents_after(&submission.queue, after, PAGE)?;
        let Some(last) = agents.last() else {
            return Err(Error::AllAgentsExcluded);
        };
        after = last.seq;
        if agents.iter().any(|agent| !submission.exclude_agents.contains(&agent.name)) {
            return Ok(());
        }
    }
}

/// What needs rights: a priority, a restricted queue, a long reservation, refused in this order: docs/API.md, "POST /v1/job".
fn check_permissions(
    tx: &WriteTx<'_>,
    submission: &Submission,
    identity: &Identity,
) -> Result<(), Error> {
    let (queue, priority) = (&submission.queue, submission.priority);
    if priority != 0 {
        demand(
            identity,
            |client| priority <= client.priority(queue),
            || Right::Priority(queue.clone(), priority),
        )?;
    }
    if tx.is_restricted(queue)? {
        demand(identity, |client| client.may_use(queue), || Right::Restricted(queue.clone()))?;
    }
    if let Some(seconds) = submission.reserve_seconds.filter(|&seconds| seconds > FREE_RESERVATION)
    {
        demand(
            identity,
            |client| seconds <= client.reservation_time(queue),
            || Right::Reservation(queue.clone(), seconds),
        )?;
    }
    Ok(())
}

/// Refuses whoever has no token, or a token without the right. The local administrator needs none; a client with the role
/// of an admin does, as with the servers before this one.
fn demand(
    identity: &Identity,
    suffices: impl FnOnce(&Permissions) -> bool,
    right: impl FnOnce() -> Right,
) -> Result<(), Error> {
    match identity {
        Identity::LocalAdmin => Ok(()),
        Identity::Anonymous => Err(Error::Lacks { right: right(), token: false }),
        Identity::Client(permissions) if suffices(permissions) => Ok(()),
        Identity::Client(_) => Err(Error::Lacks { right: right(), token: true }),
    }
}
