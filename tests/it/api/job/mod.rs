mod action;
mod attachments;
mod claim;
mod events;
mod lists;
mod redelivery;
mod search;
mod submit;
