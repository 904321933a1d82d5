mod action;
mod attachments;
mod claim;
mod lists;
mod redelivery;
mod search;
mod submit;
