mod agent;
mod delivery;
mod lease;
mod model;
mod priority;
mod retention;
