mod artifact;
mod large;
mod post;
