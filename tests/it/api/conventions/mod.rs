//! Conventions of every endpoint.

mod bodies;
mod methods;
mod paths;
mod validation;
