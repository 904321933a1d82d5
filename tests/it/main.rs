//! Tests the product from outside: the real server on port 0 and, where it matters, the real program.
//!
//! `api` mirrors the URL space, `pages` looks at pages, `conversations` plays what each generation of clients says, `binary` starts the program,
//! `ops` and `store` use the library, `structure` reads the sources, `documents` the documents.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

mod api;
mod auth;
pub(crate) mod backup;
mod binary;
mod conversations;
mod documents;
mod fuzz;
mod moving;
mod ops;
mod pages;
mod store;
mod structure;
mod support;
