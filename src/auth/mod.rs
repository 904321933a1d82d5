//! Who a caller is and what the caller may do: passwords, tokens, the policy.

pub mod identity;
pub mod jwt;
pub mod passwords;
pub mod policy;
pub mod refresh;
pub mod throttle;

pub use identity::{Identity, Permissions};
pub use policy::{Action, Denied, MayAdminister, MayManage};
