mod commit;
pub(crate) mod journal;
pub(crate) mod open;
mod power;
mod start;
mod visible;
