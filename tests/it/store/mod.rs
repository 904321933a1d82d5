mod commit;
mod journal;
pub(crate) mod open;
mod power;
mod visible;
