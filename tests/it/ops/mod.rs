mod agent;
mod model;
mod priority;
mod retention;
