mod agent;
mod clock;
mod delivery;
mod history;
mod lease;
mod model;
mod priority;
mod retention;
