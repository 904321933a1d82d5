mod attacks;
mod door;
mod rights;
mod submit;
mod throttle;
