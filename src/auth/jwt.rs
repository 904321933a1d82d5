//! Access tokens: JSON web tokens in upstream's shape. This is the only file that names `jsonwebtoken`.
//!
//! Only HS256 exists here. `jsonwebtoken` leaves the cryptography to its user; what it offers is the `rsa` crate
//! (RUSTSEC-2023-0071) or a large C library, so [`Hs256`] does it. That also rules out algorithm confusion, because no
//! other algorithm is there.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error as JwtError, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use sha2::Sha256;
use signature::{Signer, Verifier};

use crate::domain::Timestamp;

/// The longest token, in bytes. Longer ones are neither issued nor read.
pub const MAX_TOKEN_LEN: usize = 16 * 1024;
const SUBJECT: &str = "access_token";
const DEFAULT_ROLE: &str = "contributor";

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| Hs256::boxed(*algorithm, key.as_bytes()).map(|it| it as _),
    verifier_factory: |algorithm, key| {
        Hs256::boxed(*algorithm, key.try_get_as_bytes()?).map(|it| it as _)
    },
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes HS256 the process's cryptography; may be called any number of times.
///
/// Without it the first use of `jsonwebtoken` panics, and that state cannot be repaired later. Every [`SigningKey`]
/// calls it, so nothing in this file can run too early.
pub fn init() {
    // An error only means that it is already installed.
    let _ = PROVIDER.install_default();
}

struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn boxed(algorithm: Algorithm, key: &[u8]) -> Result<Box<Self>, JwtError> {
        if algorithm != Algorithm::HS256 {
            return Err(ErrorKind::InvalidAlgorithm.into());
        }
        let mac = Hmac::new_from_slice(key).map_err(|_| ErrorKind::InvalidKeyFormat)?;
        Ok(Box::new(Self(mac)))
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        // This takes constant time and accepts only the full length.
        let mac = self.0.clone().chain_update(message);
        mac.verify_slice(signature).map_err(|_| signature::Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

/// The secret that signs tokens. It is wiped when it is dropped, and never printed.
#[derive(Clone)]
pub struct SigningKey {
    encoding: EncodingKey,
    decoding: DecodingKey,
}

/// The signing key has no bytes. With an empty key anybody could sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signing key is empty")]
pub struct EmptyKey;

impl SigningKey {
    /// A key of any length from one byte on, because sites bring the key that they have. 32 random bytes are best.
    pub fn from_bytes(key: &[u8]) -> Result<Self, EmptyKey> {
        init();
        if key.is_empty() {
            return Err(EmptyKey);
        }
        Ok(Self {
            encoding: EncodingKey::from_secret(key),
            decoding: DecodingKey::from_secret(key),
        })
    }

    /// A key of its own for a purpose: what is signed with it is no good for any other.
    #[must_use]
    pub fn for_purpose(&self, purpose: &str) -> Self {
        let mac = self.mac(purpose.as_bytes());
        Self { encoding: EncodingKey::from_secret(&mac), decoding: DecodingKey::from_secret(&mac) }
    }

    /// What proves that the holder of this key has seen a text.
    #[must_use]
    pub fn seal_of(&self, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.mac(text.as_bytes()))
    }

    fn mac(&self, message: &[u8]) -> Vec<u8> {
        // A key of any length will do for HMAC, so this does not fail.
        let mac = Hmac::<Sha256>::new_from_slice(self.encoding.as_bytes());
        mac.map(|mac| mac.chain_update(message).finalize().into_bytes().to_vec())
            .unwrap_or_default()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey([redacted])")
    }
}

/// What a token says. Times are whole seconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// The first second in which the token is no longer valid.
    pub exp: i64,
    /// When it was issued.
    pub iat: i64,
    /// Always `access_token`.
    pub sub: String,
    /// Who the client is and what it may do.
    pub permissions: Permissions,
}

/// The `permissions` object of upstream's tokens, as of the time of issue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permissions {
    /// Never empty.
    pub client_id: String,
    /// The role as it is written in the token, known or not. An absent one means `contributor`.
    #[serde(default = "default_role", deserialize_with = "role_or_default")]
    pub role: String,
    /// Queue (or `*`) to the highest priority allowed.
    #[serde(default, deserialize_with = "null_as_default")]
    pub max_priority: BTreeMap<String, i64>,
    /// Restricted queues that the client may use.
    #[serde(default, deserialize_with = "null_as_default")]
    pub allowed_queues: Vec<String>,
    /// Queue (or `*`) to the longest reservation allowed, in seconds.
    #[serde(default, deserialize_with = "null_as_default")]
    pub max_reservation_time: BTreeMap<String, i64>,
    /// The client's address, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Which client of that name it is. Upstream's tokens do not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Incarnation>,
}

/// When a client was created, and in which database, because another client of the same name is not the same client.
/// Servers that share a signing key have databases of their own and cannot compare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incarnation {
    /// The database's name.
    pub instance: String,
    /// Microseconds.
    pub at: i64,
    /// Stands for the secret that it had: another secret has another one. Absent in older tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<u32>,
}

impl Incarnation {
    /// One that takes as much room in a token as any.
    #[must_use]
    pub fn longest() -> Self {
        Self { instance: "x".repeat(36), at: i64::MIN, secret: Some(u32::MAX) }
    }
}

fn default_role() -> String {
    DEFAULT_ROLE.to_owned()
}

fn role_or_default<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_else(default_role))
}

fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Why no token was issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// There is no client id, so [`verify`] would refuse the token.
    #[error("a token needs a client id")]
    NoClientId,
    /// The permissions do not fit into [`MAX_TOKEN_LEN`].
    #[error("the permissions are too long for a token")]
    TooLong,
    /// This was not seen in practice.
    #[error("the token could not be signed: {0}")]
    Signing(#[from] JwtError),
}

/// A token that is valid from `now` on for `lifetime_secs`.
pub fn issue(
    key: &SigningKey,
    permissions: Permissions,
    now: Timestamp,
    lifetime_secs: u32,
) -> Result<String, IssueError> {
    if permissions.client_id.is_empty() {
        return Err(IssueError::NoClientId);
    }
    let iat = now.as_secs();
    let exp = iat.saturating_add(i64::from(lifetime_secs));
    let claims = Claims { exp, iat, sub: SUBJECT.to_owned(), permissions };
    let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key.encoding)?;
    if token.len() > MAX_TOKEN_LEN { Err(IssueError::TooLong) } else { Ok(token) }
}

/// Whether permissions fit into a token.
#[must_use]
pub fn fits(permissions: &Permissions) -> bool {
    const HEAD: usize = r#"{"typ":"JWT","alg":"HS256"}"#.len();
    const CLAIMS: usize = r#"{"exp":,"iat":,"sub":"access_token","permissions":}"#.len() + 2 * 20;
    const SIGNATURE: usize = 32;
    let base64 = |bytes: usize| (4 * bytes).div_ceil(3);
    let size = serde_json::to_string(permissions).map_or(usize::MAX / 8, |text| text.len());
    base64(HEAD) + base64(CLAIMS + size) + base64(SIGNATURE) + 2 <= MAX_TOKEN_LEN
}

/// Why a token is refused. The texts are upstream's, because clients look for the word "expired" in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// `exp` has passed.
    #[error("Token has expired")]
    Expired,
    /// It is not three parts of base64 with JSON in them, or it is too long.
    #[error("Unable to decode token")]
    Undecodable,
    /// It was signed with another key, or changed afterwards.
    #[error("Invalid Token signature")]
    BadSignature,
    /// It has another algorithm, another subject, a claim of the wrong type, or no client id.
    #[error("Invalid Token")]
    Invalid,
    /// `exp`, `iat` or `sub` is absent.
    #[error("Token missing required claim: {0}")]
    MissingClaim(&'static str),
    /// The client has another role or another secret by now. The word "expired" makes clients ask for a new token.
    #[error("Token has expired: its client was changed")]
    Outdated,
    /// `iat` is in the future.
    #[error("Token not yet valid")]
    NotYetValid,
}

impl TokenError {
    /// Whether a new token would help (status 401 rather than 403).
    #[must_use]
    pub const fn is_unauthenticated(self) -> bool {
        matches!(self, Self::Expired | Self::Outdated | Self::NotYetValid)
    }
}

/// Claims as they are read, before any of them is believed.
#[derive(Deserialize)]
struct RawClaims {
    exp: Option<Value>,
    iat: Option<Value>,
    sub: Option<Value>,
    permissions: Option<Value>,
}

/// The claims of a token, if this key signed it and it is valid at `now`, within `leeway_secs`.
pub fn verify(
    key: &SigningKey,
    token: &str,
    now: Timestamp,
    leeway_secs: u32,
) -> Result<Claims, TokenError> {
    if token.len() > MAX_TOKEN_LEN {
        return Err(TokenError::Undecodable);
    }
    require_hs256(token)?;

    // The times are checked below, because `jsonwebtoken` would read the clock itself.
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let raw: RawClaims = jsonwebtoken::decode(token, &key.decoding, &validation)
        .map_err(|error| match error.kind() {
            ErrorKind::InvalidSignature => TokenError::BadSignature,
            ErrorKind::InvalidToken
            | ErrorKind::Base64(_)
            | ErrorKind::Json(_)
            | ErrorKind::Utf8(_) => TokenError::Undecodable,
            _ => TokenError::Invalid,
        })?
        .claims;

    // Missing claims are reported first, in upstream's order.
    let exp = raw.exp.ok_or(TokenError::MissingClaim("exp"))?;
    let iat = raw.iat.ok_or(TokenError::MissingClaim("iat"))?;
    let sub = raw.sub.ok_or(TokenError::MissingClaim("sub"))?;
    let exp = exp.as_i64().ok_or(TokenError::Invalid)?;
    let iat = iat.as_i64().ok_or(TokenError::Invalid)?;

    let (now, leeway) = (now.as_secs(), i64::from(leeway_secs));
    if iat > now.saturating_add(leeway) {
        return Err(TokenError::NotYetValid);
    }
    if exp <= now.saturating_sub(leeway) {
        return Err(TokenError::Expired);
    }
    if sub != SUBJECT {
        return Err(TokenError::Invalid);
    }
    let permissions = raw.permissions.unwrap_or_default();
    let permissions: Permissions =
        serde_json::from_value(permissions).map_err(|_| TokenError::Invalid)?;
    if permissions.client_id.is_empty() {
        return Err(TokenError::Invalid);
    }
    Ok(Claims { exp, iat, sub: SUBJECT.to_owned(), permissions })
}

/// Tells `alg: none` from broken JSON, as upstream does; `jsonwebtoken` answers both with the same error.
fn require_hs256(token: &str) -> Result<(), TokenError> {
    #[derive(Deserialize)]
    struct JustAlg {
        alg: Option<Value>,
    }
    let head = token.split('.').next().unwrap_or_default();
    let head = URL_SAFE_NO_PAD.decode(head).map_err(|_| TokenError::Undecodable)?;
    let head: JustAlg = serde_json::from_slice(&head).map_err(|_| TokenError::Undecodable)?;
    if head.alg.is_some_and(|alg| alg == "HS256") { Ok(()) } else { Err(TokenError::Invalid) }
}

/// The token in an `Authorization` header. Clients of 2026 send `Bearer <token>`, those of 2025 the bare token. `None`
/// for a header that means no token (`Basic ..`, another scheme, an empty header).
///
/// `Bearer` without a token is `Some("")`, which [`verify`] refuses: such a caller is not anonymous.
#[must_use]
pub fn strip_bearer(header: &str) -> Option<&str> {
    let header = header.trim();
    let (scheme, rest) = header.split_once(char::is_whitespace).unwrap_or((header, ""));
    if scheme.eq_ignore_ascii_case("bearer") {
        Some(rest.trim_start())
    } else {
        (rest.is_empty() && !header.is_empty()).then_some(header)
    }
}

#[cfg(test)]
mod tests;
