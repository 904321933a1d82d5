//! Conventions of every endpoint.

mod bodies;
mod crowd;
mod limits;
mod methods;
mod paths;
mod validation;
