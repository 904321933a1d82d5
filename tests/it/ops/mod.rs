mod agent;
mod lease;
mod model;
mod priority;
mod retention;
