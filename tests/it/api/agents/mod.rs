mod aside;
mod data;
mod images;
mod provision_logs;
mod quarantine;
mod queues;
mod running;
mod submitter;
