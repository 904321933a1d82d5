//! Conventions of every endpoint.

mod bodies;
mod limits;
mod methods;
mod paths;
mod validation;
