mod audit;
mod cli;
mod crash;
mod login;
mod memory;
mod socket;
mod start;
mod stop;
