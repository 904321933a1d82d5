mod create;
mod delete;
mod edit;
mod show;
