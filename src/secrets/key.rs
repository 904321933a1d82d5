//! Sealing: XChaCha20-Poly1305 under a key of the server's own.

use std::fmt;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// The form of what [`SealingKey::seal`] makes: this byte, the key's id, the nonce, the ciphertext with its tag.
const FORM: u8 = 1;
const NONCE: usize = 24;
const HEAD: usize = 1 + KeyId::SIZE + NONCE;

/// Why a sealed secret does not open. Neither says anything about its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It was sealed under a key that is not here.
    #[error("it was sealed under the key {0}, which this server does not have")]
    OtherKey(KeyId),
    /// The bytes were changed, cut, or belong to another client or path.
    #[error("its sealed bytes are damaged")]
    Damaged,
    /// The system gave no random numbers, so that nothing can be sealed.
    #[error("the system gave no random numbers")]
    Random,
}

/// Tells keys apart without saying anything about them: the beginning of the SHA-256 of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; Self::SIZE]);

impl KeyId {
    const SIZE: usize = 6;
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A sealed value: it may be stored, copied and backed up.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// Sealed bytes as they were stored.
    #[must_use]
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The key under which it was sealed; `None` for bytes that are not a sealed value.
    #[must_use]
    pub fn key_id(&self) -> Option<KeyId> {
        let id = self.0.strip_prefix(&[FORM])?.first_chunk()?;
        (self.0.len() >= HEAD).then_some(KeyId(*id))
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// A key that seals secrets. It is wiped when it is dropped, and never printed.
#[derive(Clone)]
pub struct SealingKey {
    id: KeyId,
    cipher: XChaCha20Poly1305,
}

impl SealingKey {
    /// The key that belongs to this text or these bytes; of any length, because sites bring the key that they have. 32
    /// random bytes are best.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        // Domain separation: a site that uses one text for several purposes shall not get one key for all of them.
        let derived =
            Sha256::new_with_prefix(b"testflinger-server secrets 1\0").chain_update(bytes);
        let derived = Zeroizing::new(<[u8; 32]>::from(derived.finalize()));
        let digest: [u8; 32] = Sha256::digest(*derived).into();
        let mut id = [0; KeyId::SIZE];
        id.copy_from_slice(&digest[..KeyId::SIZE]);
        Self { id: KeyId(id), cipher: XChaCha20Poly1305::new((&*derived).into()) }
    }

    /// What tells this key from others.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Seals a value for `place`, which names the client and the path and is needed to open it.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn seal(&self, place: &[u8], value: &SecretString) -> Result<Sealed, Error> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|_| Error::Random)?;
        let payload = Payload { msg: value.expose_secret().as_bytes(), aad: place };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| Error::Damaged)?;
        Ok(Sealed([&[FORM][..], &self.id.0, &nonce, &sealed].concat()))
    }

    fn open(&self, place: &[u8], sealed: &Sealed) -> Result<SecretString, Error> {
        let (head, ciphertext) = sealed.0.split_at_checked(HEAD).ok_or(Error::Damaged)?;
        let nonce = head.last_chunk::<NONCE>().ok_or(Error::Damaged)?;
        let payload = Payload { msg: ciphertext, aad: place };
        let opened = self.cipher.decrypt(&XNonce::from(*nonce), payload);
        let text = String::from_utf8(opened.map_err(|_| Error::Damaged)?);
        text.map(SecretString::from).map_err(|_| Error::Damaged)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.id)
    }
}

/// The key that seals, and those that only open what was sealed before it came.
#[derive(Clone, Debug)]
pub struct Keyring {
    current: SealingKey,
    older: Vec<SealingKey>,
}

impl Keyring {
    /// A ring with one key.
    #[must_use]
    pub const fn new(current: SealingKey) -> Self {
        Self { current, older: Vec::new() }
    }

    /// The ring with one more key that only opens.
    #[must_use]
    pub fn with_older(mut self, key: SealingKey) -> Self {
        if key.id != self.current.id {
            self.older.push(key);
        }
        self
    }

    /// All keys, the one that seals first.
    pub fn keys(&self) -> impl Iterator<Item = &SealingKey> {
        std::iter::once(&self.current).chain(&self.older)
    }

    /// Whether there is a key with this id.
    #[must_use]
    pub fn has(&self, id: KeyId) -> bool {
        self.keys().any(|key| key.id == id)
    }

    /// The key that seals.
    #[must_use]
    pub const fn current(&self) -> &SealingKey {
        &self.current
    }

    /// The value of a secret that was sealed for `place`.
    ///
    /// # Errors
    /// [`Error::OtherKey`], [`Error::Damaged`].
    pub fn open(&self, place: &[u8], sealed: &Sealed) -> Result<SecretString, Error> {
        let id = sealed.key_id().ok_or(Error::Damaged)?;
        let key = self.keys().find(|key| key.id == id).ok_or(Error::OtherKey(id))?;
        key.open(place, sealed)
    }

    /// The same secret sealed under the current key; `None` when it is already.
    ///
    /// # Errors
    /// [`Error`].
    pub fn reseal(&self, place: &[u8], sealed: &Sealed) -> Result<Option<Sealed>, Error> {
        if sealed.key_id() == Some(self.current.id) {
            return Ok(None);
        }
        let value = self.open(place, sealed)?;
        self.current.seal(place, &value).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> SealingKey {
        SealingKey::from_bytes(text.as_bytes())
    }

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    fn opened(ring: &Keyring, place: &[u8], sealed: &Sealed) -> Result<String, Error> {
        ring.open(place, sealed).map(|value| value.expose_secret().to_owned())
    }

    #[test]
    fn a_sealed_value_opens_at_its_place_and_nowhere_else() {
        let ring = Keyring::new(key("k"));
        let sealed = ring.current().seal(b"ci\0wifi/password", &secret("hunter22")).unwrap();
        assert_eq!(opened(&ring, b"ci\0wifi/password", &sealed).unwrap(), "hunter22");
        for place in [&b"ci\0wifi"[..], b"other\0wifi/password", b""] {
            assert_eq!(opened(&ring, place, &sealed), Err(Error::Damaged));
        }
    }

    #[test]
    fn the_same_value_is_sealed_differently_each_time() {
        let key = key("k");
        let seal = || key.seal(b"p", &secret("v")).unwrap();
        assert_ne!(seal().as_bytes(), seal().as_bytes());
    }

    #[test]
    fn another_key_is_named_and_opens_nothing() {
        let sealed = key("old").seal(b"p", &secret("v")).unwrap();
        let ring = Keyring::new(key("new"));
        let error = opened(&ring, b"p", &sealed).unwrap_err();
        assert_eq!(error, Error::OtherKey(key("old").id()));
        assert!(error.to_string().contains(&key("old").id().to_string()));
    }

    #[test]
    fn a_new_key_takes_over_what_an_older_one_sealed() {
        let sealed = key("old").seal(b"p", &secret("v")).unwrap();
        let both = Keyring::new(key("new")).with_older(key("old"));
        assert_eq!(opened(&both, b"p", &sealed).unwrap(), "v");
        let again = both.reseal(b"p", &sealed).unwrap().unwrap();
        assert_eq!(both.reseal(b"p", &again).unwrap(), None);
        assert_eq!(opened(&Keyring::new(key("new")), b"p", &again).unwrap(), "v");
    }

    #[test]
    fn nothing_prints_a_value_or_a_key() {
        let key = key("the-key-itself");
        let sealed = key.seal(b"p", &secret("the-value-itself")).unwrap();
        let shown = format!("{key:?} {sealed:?} {:?}", Keyring::new(key.clone()));
        assert!(!shown.contains("itself"), "{shown}");
        let bytes = sealed.as_bytes();
        assert!(!bytes.windows(8).any(|part| part == b"the-valu"));
    }

    proptest! {
        #[test]
        fn every_value_comes_back(value in ".*", place in proptest::collection::vec(any::<u8>(), 0..40)) {
            let ring = Keyring::new(key("k"));
            let sealed = ring.current().seal(&place, &secret(&value)).unwrap();
            prop_assert_eq!(opened(&ring, &place, &sealed).unwrap(), value);
        }

        #[test]
        fn a_changed_or_cut_byte_is_noticed(at: prop::sample::Index, flip in 1..=255_u8, cut: bool) {
            let ring = Keyring::new(key("k"));
            let mut bytes = ring.current().seal(b"p", &secret("value")).unwrap().as_bytes().to_vec();
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] ^= flip }
            prop_assert!(ring.open(b"p", &Sealed::from_bytes(bytes)).is_err());
        }

        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert!(Keyring::new(key("k")).open(b"p", &Sealed::from_bytes(bytes)).is_err());
        }
    }
}
