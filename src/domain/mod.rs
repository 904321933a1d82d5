//! What the product talks about, valid by construction: ids, names, states, times.
//!
//! Nothing here reads a clock (except [`clock`]), a file or a socket.

pub mod clock;
pub mod id;
pub mod job;
pub mod member;
pub mod name;
pub mod role;
pub mod state;
pub mod wait;

pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use id::JobId;
pub use job::{Attachments, EndedBy};
pub use name::{AgentName, ClientId, NameError, QueueName, Tag};
pub use role::{Access, Role};
pub use state::{JobState, LogKind, Phase};
