//! Every table, with its key order and its value.
//!
//! Keys are bytes made by [`super::key::Key`]: numbers are fixed-width big endian, so that a range reads in order;
//! a name that something follows carries its length. `seq` is the store's one counter: submit order.

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A table of the database.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Table {
            $($(#[$doc])* $name,)*
        }

        impl Table {
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];

            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

tables! {
    /// `text` -> number or text: the schema version, the codec's name, the counter
    Meta = "meta-1",

    /// `id` -> the newest `JobV`, the small mutable record
    Job = "job-1",
    /// `id` -> the submitted JSON object, never rewritten by a state change
    JobBody = "job-body-1",
    /// `seq` -> `id`
    JobBySeq = "job-by-seq-1",
    /// `queue | seq` -> `id`
    JobByQueue = "job-by-queue-1",
    /// `tag | seq` -> `id`
    JobByTag = "job-by-tag-1",
    /// `client | seq` -> `id`: by who submitted them
    JobByClient = "job-by-client-1",
    /// `state | seq` -> `id`
    JobByState = "job-by-state-1",
    /// `queue | reversed priority | seq` -> `id`, flags, excluded agents: what a claim reads
    Waiting = "waiting-1",
    /// `queue | reversed priority | seq` -> `id`: in their queue, but their attachments have not arrived
    AwaitingAttachments = "awaiting-attachments-1",
    /// `when | id` -> nothing: waiting jobs that may wait until then
    QueueUntil = "queue-until-1",
    /// `agent | id` -> nothing: unfinished jobs that an agent has claimed under its name
    Held = "held-1",
    /// `id` -> `id`: under which a try of a job is kept, and the job
    Kept = "kept-1",

    /// `id | member` -> its JSON value, or how many chunks it has
    Result = "result-1",
    /// `id | member | n` -> a chunk of the JSON text of a large value
    ResultChunk = "result-chunk-1",
    /// `id` -> when a result of an unknown job was last posted, microseconds: its age
    ResultSince = "result-since-1",
    /// `id | log | phase | fragment number | copy` -> 8 bytes of time, text
    Fragment = "fragment-1",
    /// `id | log | n` -> text that nobody has read yet
    Drain = "drain-1",
    /// `id | log` -> `LogTailV1`: what the next line needs to know
    LogTail = "log-tail-1",

    /// `id | kind` -> `BlobV1`: an artifact or attachments, whose bytes are a file
    Blob = "blob-1",

    /// `agent` -> `AgentV1`
    Agent = "agent-1",
    /// `seq` -> `agent`
    AgentBySeq = "agent-by-seq-1",
    /// `queue | seq` -> `agent`
    AgentByQueue = "agent-by-queue-1",
    /// `agent` -> `AgentLogV1`, the last lines that the agent logged
    AgentLog = "agent-log-1",
    /// `agent | seq` -> `ProvisionV1`
    ProvisionLog = "provision-log-1",

    /// `queue` -> `QueueV1`, as advertised by agents
    Queue = "queue-1",
    /// `queue` -> a JSON object of image names and provision data
    Image = "image-1",
    /// `queue | block` -> up to 256 wait times, 4 bytes big endian each, seconds
    Wait = "wait-1",
    /// `queue | block` -> up to 256 run times in the same form
    Run = "run-1",

    /// `client` -> `ClientV2`
    Client = "client-1",
    /// `queue` -> nothing: the queue is restricted to its owners, even when it has none
    Restricted = "restricted-1",
    /// `queue | client` -> nothing: the client may use the queue when it is restricted
    Owner = "owner-1",
    /// SHA-256 of a refresh token -> `RefreshV1`
    Refresh = "refresh-1",
    /// `client | SHA-256` -> nothing
    RefreshByClient = "refresh-by-client-1",

    /// `client | path` -> `SecretV1`: the sealed value of a secret
    Secret = "secret-1",
    /// `id | variable` -> `JobSecretV1`: a secret that a job uses, sealed, as its agent got it
    JobSecret = "job-secret-1",

    /// `number` -> `NoticeV1`: what is sent until it is taken
    Notice = "notice-1",
    /// `number` -> `NoticeV1`: what was given up
    DeadNotice = "dead-notice-1",
    /// `kind | subject` -> since when, microseconds: the alerts that have begun and not ended
    Alert = "alert-1",

    /// `subject | seq` -> `HistoryV1`
    History = "history-1",
    /// `kind | since | key` -> nothing: what retention will look at, by the time its age counts from
    Expiry = "expiry-1",
}

impl Table {
    pub(crate) const COUNT: usize = Self::ALL.len();
}

impl Table {
    /// All rows of this table follow from rows of others.
    pub(crate) const fn is_index(self) -> bool {
        matches!(
            self,
            Self::JobBySeq
                | Self::JobByQueue
                | Self::JobByTag
                | Self::JobByClient
                | Self::JobByState
                | Self::Waiting
                | Self::AwaitingAttachments
                | Self::QueueUntil
                | Self::Held
                | Self::Kept
                | Self::AgentBySeq
                | Self::AgentByQueue
                | Self::Owner
                | Self::RefreshByClient
                | Self::Expiry
        )
    }
}
