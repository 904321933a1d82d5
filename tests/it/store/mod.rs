mod commit;
pub(crate) mod open;
