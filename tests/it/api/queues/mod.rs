mod agents;
mod jobs;
mod wait_times;
