//! Glue between HTTP and the application: extractors that parse and answer errors, replies, streams.
//!
//! Only this module and those above it name axum.

pub mod agent_cookie;
pub mod answer;
pub mod body;
mod browser;
pub mod caller;
pub mod compression;
pub mod describe;
pub mod edge;
pub mod error;
pub mod etag;
pub mod events;
pub mod json;
pub mod load;
pub mod local;
pub mod path;
pub mod patience;
pub mod pipe;
pub mod query;
pub mod reply;
pub mod shape;
pub mod stream;
mod unread;
pub mod upload;

pub use answer::{Answer, Gzip, ListOf, MapOf, Plain};
pub use body::ApiJson;
pub use caller::Caller;
pub use error::{ApiError, ApiResult};
pub use path::{AgentPath, JobPath, QueuePath, TextPath, TextPaths};
pub use query::ApiQuery;
