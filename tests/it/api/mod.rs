mod agents;
mod conventions;
mod job;
mod queues;
mod requirement_document;
mod result;
