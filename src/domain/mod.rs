//! What the product talks about, valid by construction: jobs, agents, clients, their names, states and times.
//!
//! Nothing here reads a clock (except [`clock`]), a file or a socket.

pub mod agent;
pub mod alert;
pub mod blob;
pub mod client;
pub mod clock;
pub mod history;
pub mod id;
pub mod job;
pub mod log;
pub mod member;
pub mod name;
pub mod network;
pub mod notice;
pub mod pattern;
pub mod plain;
pub mod queue;
pub mod refresh;
pub mod role;
pub mod secret;
pub mod state;
pub mod tried;
pub mod wait;
pub mod words;

pub use agent::{Agent, AgentPost, Aside, Cause, Provision};
pub use alert::{Alert, Trouble};
pub use blob::{Blob, BlobKind, BlobName};
pub use client::Client;
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use history::{Actor, Change, Event, Subject};
pub use id::JobId;
pub use job::{Attachments, EndedBy, Job, Place, Standing};
pub use log::{Fragment, FragmentRow, Log, LogKind};
pub use name::{AgentName, ClientId, MAX_NAME, NameError, QueueName, Tag};
pub use network::network;
pub use notice::{Form, Message, Notice};
pub use pattern::NamePattern;
pub use queue::Advertised;
pub use refresh::Refresh;
pub use role::{Access, Guarded, Role};
pub use secret::{BadSecretPath, JobSecret, SealedBytes, Secret, SecretPath, seal_place};
pub use state::{JobState, Phase};
pub use tried::{MOST_RETRIES, Tried};
pub use words::counted;
