//! Refresh tokens and other random secrets.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};

/// `N` bytes from the operating system's generator.
///
/// # Errors
/// The operating system has none to give. Never answer that with fewer or weaker bytes.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// A client secret for `--generate`: 40 characters `0-9a-f`, 160 random bits.
///
/// It is hexadecimal, because base64 may begin with `-`, which command lines read as an option.
pub fn generate_secret() -> Result<SecretString, getrandom::Error> {
    let bytes = Zeroizing::new(random_bytes::<20>()?);
    // The capacity is exact, because a string that grows or shrinks leaves copies behind.
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes.iter() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(SecretString::from(text))
}

/// A refresh token in its text form: 48 characters of URL-safe base64 (288 random bits).
///
/// The text goes to the client once; only its [`digest`](Self::digest) is stored. A plain SHA-256
/// is enough, because nobody can guess 288 bits.
#[derive(Debug)]
pub struct RefreshToken(SecretString);

impl RefreshToken {
    /// A new token.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let bytes = Zeroizing::new(random_bytes::<36>()?);
        Ok(Self(SecretString::from(URL_SAFE_NO_PAD.encode(*bytes))))
    }

    /// The text for the client.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The key under which the token is stored.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Self::digest_of(self.expose())
    }

    /// The key under which the text that a client sent would be stored, whatever the text is.
    #[must_use]
    pub fn digest_of(text: &str) -> [u8; 32] {
        Sha256::digest(text.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn tokens_are_48_url_safe_characters_and_differ() {
        let tokens: HashSet<String> =
            (0..1000).map(|_| RefreshToken::generate().unwrap().expose().to_owned()).collect();
        assert_eq!(tokens.len(), 1000);
        for token in tokens {
            assert_eq!(token.len(), 48);
            assert!(
                token.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_'),
                "{token}"
            );
        }
    }

    #[test]
    fn digest_is_sha256_of_the_text() {
        let token = RefreshToken::generate().unwrap();
        assert_eq!(token.digest(), RefreshToken::digest_of(token.expose()));
        let hex = RefreshToken::digest_of("abc")
            .iter()
            .fold(String::new(), |s, b| s + &format!("{b:02x}"));
        assert_eq!(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn any_text_has_a_digest() {
        let texts = ["", "\0", "abc", "abc ", "ABC", "\u{1f511}", &"x".repeat(10_000)];
        let digests: HashSet<_> = texts.iter().map(|text| RefreshToken::digest_of(text)).collect();
        assert_eq!(digests.len(), texts.len());
    }

    #[test]
    fn debug_output_hides_the_token() {
        let token = RefreshToken::generate().unwrap();
        assert!(!format!("{token:?}").contains(token.expose()));
    }

    #[test]
    fn generated_secrets_are_printable_long_and_safe_on_a_command_line() {
        let secrets: HashSet<String> =
            (0..1000).map(|_| generate_secret().unwrap().expose_secret().to_owned()).collect();
        assert_eq!(secrets.len(), 1000);
        for secret in secrets {
            assert_eq!(secret.len(), 40);
            assert!(secret.bytes().all(|c| c.is_ascii_hexdigit()), "{secret}");
        }
    }

    #[test]
    fn random_bytes_are_not_constant() {
        assert_ne!(random_bytes::<32>().unwrap(), random_bytes::<32>().unwrap());
        assert_eq!(random_bytes::<0>().unwrap(), [0; 0]);
    }
}
