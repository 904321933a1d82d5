//! A Testflinger server in one binary.
//!
//! Arrows point one way only, and a test enforces it:
//! `cli -> demo -> server -> {api, pages} -> http -> app -> {ops, webhook} -> {store, auth} -> domain`; `config`, `logging` and
//! `metrics` are leaves.
//!
//! | folder | what it knows |
//! |---|---|
//! | [`cli`] | arguments, exit codes |
//! | [`demo`] | a throw-away server with a simulated lab |
//! | [`moving`] | data of other servers, which moves in; the only place that names bson |
//! | [`server`] | listeners, connections, signals, background tasks |
//! | [`pages`] | what people see in a browser |
//! | [`api`] | routes, and what goes over the wire |
//! | [`http`] | extractors, errors, answers; the only place besides the above that names axum |
//! | [`app`] | the running application without HTTP: who is present, claims that wait, logins |
//! | [`ops`] | one use case, one function, one transaction |
//! | [`webhook`] | requests to webhooks, and where those may be |
//! | [`auth`] | passwords, tokens, who may do what |
//! | [`store`] | what is kept; the only place that names redb and bincode |
//! | [`metrics`] | the list of all metrics; the only place that names prometheus_client |
//! | [`domain`] | ids, names, states, times |

pub mod api;
pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
pub mod demo;
pub mod domain;
pub mod http;
pub mod logging;
pub mod metrics;
pub mod moving;
pub mod ops;
pub mod pages;
pub mod secrets;
pub mod server;
pub mod store;
pub mod webhook;
