//! Conventions of every endpoint.

mod bodies;
mod browsers;
mod crowd;
mod limits;
mod methods;
mod paths;
mod validation;
