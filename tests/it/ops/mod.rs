mod agent;
mod clock;
mod delivery;
mod lease;
mod model;
mod priority;
mod retention;
