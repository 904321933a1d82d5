//! What a job is besides its body.

/// Whether a job needs an archive of attachments before an agent may have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attachments {
    /// The job names none.
    None,
    /// The job names some and its archive has not arrived: no agent may have the job.
    Awaited,
    /// The archive is there.
    Complete,
}

impl Attachments {
    /// The value of `attachments_status` in the job that an agent gets; absent when the job names none.
    #[must_use]
    pub const fn status(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Awaited => Some("waiting"),
            Self::Complete => Some("complete"),
        }
    }
}

/// Who ended a job; decides what a late result of its agent may still change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// Its agent, by posting a final state.
    Agent,
    /// A person: the job stays cancelled whatever its agent posts.
    Person,
    /// This server, because the agent was lost: its agent may still complete it.
    Server,
}
