//! Glue between HTTP and the use cases: the application's state, extractors that parse and answer errors, replies.
//!
//! The only modules that name axum or tokio are this one and those above it.

pub mod agent_cookie;
pub mod app;
pub mod audit;
pub mod body;
pub mod caller;
pub mod compression;
pub mod edge;
pub mod error;
pub mod fields;
pub mod hold;
pub mod json;
pub mod local;
pub mod path;
pub mod pipe;
pub mod query;
pub mod reply;
pub mod stream;
mod unread;
pub mod upload;

pub use app::{App, Auth, Limits};
pub use body::{ApiJson, ResultJson};
pub use caller::Caller;
pub use error::{ApiError, ApiResult};
pub use fields::Fields;
pub use path::{AgentPath, JobPath, QueuePath, TextPath, TextPaths};
pub use query::ApiQuery;
