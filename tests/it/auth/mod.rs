mod attacks;
mod door;
mod submit;
mod throttle;
