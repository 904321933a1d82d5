mod crash;
mod memory;
mod start;
mod stop;
