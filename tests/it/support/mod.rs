//! A server for tests and somebody who calls it.

mod caller;
mod server;

pub(crate) use caller::{Caller, Part};
pub(crate) use server::TestServer;
