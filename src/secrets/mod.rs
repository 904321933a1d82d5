//! Secrets of clients, without input or output: sealed under a key, opened again, and masked in texts.
//!
//! A sealed secret is bound to the client and the path that it belongs to, so that bytes that were moved to another row do
//! not open. Nothing in here prints a value: not in `Debug`, not in an error.

mod key;
mod mask;

pub use key::{Error, KeyId, Keyring, Sealed, SealingKey};
pub use mask::{MASK, Masked, MaskedJson, Masker, SHORTEST_MASKED};

/// The longest value of a secret, bytes.
pub const LONGEST_VALUE: usize = 64 * 1024;
