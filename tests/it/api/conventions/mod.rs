//! What holds for every endpoint.

mod bodies;
mod methods;
mod paths;
mod validation;
