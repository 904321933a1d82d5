mod refresh;
mod revoke;
mod token;
