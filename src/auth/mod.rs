//! Who is calling: client secrets, access tokens, refresh tokens, and the brake on guessing.
//!
//! Nothing here reads the time, and nothing here knows of HTTP or of the store.

pub mod jwt;
pub mod passwords;
pub mod refresh;
pub mod throttle;
