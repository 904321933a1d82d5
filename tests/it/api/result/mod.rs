mod artifact;
mod large;
mod log;
mod post;
mod status;
