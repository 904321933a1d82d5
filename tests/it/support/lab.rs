use std::sync::Arc;

use tempfile::TempDir;
use testflinger_server::auth::Identity;
use testflinger_server::domain::{
    Access, AgentName, AgentPost, Blob, Guarded, Job, JobId, JobState, ManualClock, QueueName,
    Timestamp,
};
use testflinger_server::ops::{self, By, Posted, Submission};
use testflinger_server::store::{Ask, JobReads, Options, Store};

use super::START;

/// A store in memory and the use cases on it, without a server.
pub(crate) struct Lab {
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) dir: TempDir,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(START)));
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            cache: 16 << 20,
            clock: clock.clone(),
            on_fatal: Box::new(|error| panic!("{error}")),
        };
        let store = Store::in_memory(dir.path(), options).unwrap();
        Self { store, clock, dir }
    }

    pub(crate) fn submit(&self, job: Submission) -> Result<JobId, ops::Error> {
        self.store.write(move |tx, now| ops::submit(tx, now, &job, &by(None)))
    }

    pub(crate) fn claim(&self, names: &[&str], agent: Option<&str>) -> Option<JobId> {
        let who = by(agent);
        let ask = Ask { queues: queues(names), agent: who.agent.clone(), secrets: false };
        let claimed = self.store.write(move |tx, now| ops::claim(tx, now, &ask, &who)).unwrap();
        claimed.map(|claimed| claimed.job.id)
    }

    pub(crate) fn cancel(&self, id: JobId) -> Result<(), ops::Error> {
        self.store.write(move |tx, now| ops::cancel(tx, now, id, &by(None)))
    }

    pub(crate) fn post_state(&self, id: JobId, state: &str, agent: Option<&str>) {
        let posted = Posted { state: Some(JobState::new(state)), ..Posted::default() };
        self.post(id, posted, agent);
    }

    pub(crate) fn post(&self, id: JobId, posted: Posted, agent: Option<&str>) {
        let who = by(agent);
        self.store.write(move |tx, now| ops::post_result(tx, now, id, &posted, &who)).unwrap();
    }

    pub(crate) fn post_agent(&self, name: &str, post: AgentPost) {
        let (name, who) = (AgentName::try_from(name.to_owned()).unwrap(), by(Some(name)));
        self.store.write(move |tx, now| ops::post_agent(tx, now, &name, &post, &who)).unwrap();
    }

    /// Makes agents known that serve all of these queues.
    pub(crate) fn enrol(&self, names: &[&str], served: &[&str]) {
        for name in names {
            let post = AgentPost { queues: Some(queues(served)), ..AgentPost::default() };
            self.post_agent(name, post);
        }
    }

    pub(crate) fn job(&self, id: JobId) -> Option<Job> {
        self.store.read().unwrap().job(id).unwrap()
    }

    /// A file that is on disk and that no row names.
    pub(crate) fn blob(&self) -> Blob {
        let mut upload = self.store.blobs().upload().unwrap();
        upload.write(b"bytes").unwrap();
        let blob = upload.finish(Timestamp::from_micros(START)).unwrap();
        upload.keep();
        blob
    }
}

/// Somebody who may do everything, and says to be this agent or none.
pub(crate) fn by(agent: Option<&str>) -> By {
    let agent = agent.map(|name| AgentName::try_from(name.to_owned()).unwrap());
    By { identity: Identity::LocalAdmin, agent, access: Access::Open, guarded: Guarded::All }
}

pub(crate) fn queues(names: &[&str]) -> Vec<QueueName> {
    names.iter().map(|name| QueueName::try_from((*name).to_owned()).unwrap()).collect()
}

pub(crate) fn agents(names: &[&str]) -> Vec<AgentName> {
    names.iter().map(|name| AgentName::try_from((*name).to_owned()).unwrap()).collect()
}

/// A job for a queue, with nothing special about it.
pub(crate) fn submission(queue: &str) -> Submission {
    Submission {
        id: None,
        queue: QueueName::try_from(queue.to_owned()).unwrap(),
        priority: 0,
        tags: Vec::new(),
        exclude_agents: Vec::new(),
        reserves: false,
        reserve_seconds: None,
        queue_timeout: None,
        retries: None,
        attachments: false,
        secrets: Vec::new(),
        body: "{}".to_owned(),
    }
}
