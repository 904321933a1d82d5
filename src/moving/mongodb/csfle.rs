//! Values that MongoDB's drivers encrypted before they were stored: client-side field level encryption.
//!
//! The values are under data keys, which lie in a key vault, and those are under a master key that is in no database. Both are
//! `AEAD_AES_256_CBC_HMAC_SHA_512` with 96 bytes of key: 32 for the tag, 32 for the cipher, and 32 that only deterministic encryption
//! uses. Source: MongoDB's specifications, "Client Side Encryption" and "BSON Binary Subtype 6".

use std::collections::HashMap;

use aes::Aes256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bson::RawDocument;
use bson::raw::RawBsonRef;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha512;

use super::Fields;

const KEY: usize = 96;
const HALF: usize = 32;
const IV: usize = 16;
const TAG: usize = 32;
/// What stands before the ciphertext of a value: how it was encrypted, the id of its data key, and its type.
const HEAD: usize = 1 + ID + 1;
const ID: usize = 16;

/// A key of 96 bytes. It is wiped when it is dropped, and never printed.
pub struct Key(Zeroizing<Vec<u8>>);

impl Key {
    /// From base64, as the Python server is given its master key.
    ///
    /// # Errors
    /// What is wrong with it, without repeating it.
    pub fn from_base64(text: &SecretString) -> Result<Self, String> {
        let bytes = STANDARD.decode(text.expose_secret().trim());
        let bytes = Zeroizing::new(bytes.map_err(|_| "it is not base64".to_owned())?);
        Self::new(bytes).map_err(|length| format!("it has {length} bytes instead of {KEY}"))
    }

    fn new(bytes: Zeroizing<Vec<u8>>) -> Result<Self, usize> {
        if bytes.len() == KEY { Ok(Self(bytes)) } else { Err(bytes.len()) }
    }

    /// What was sealed under this key, with `head` beside it; `None` when it is damaged or under another key.
    fn open(&self, head: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (text, tag) = sealed.split_last_chunk::<TAG>()?;
        let (tagging, rest) = self.0.split_at_checked(HALF)?;
        let mut mac = Hmac::<Sha512>::new_from_slice(tagging).ok()?;
        mac.update(head);
        mac.update(text);
        mac.update(&(head.len() as u64 * 8).to_be_bytes());
        mac.verify_truncated_left(tag).ok()?;
        let (iv, text) = text.split_at_checked(IV)?;
        let cipher = cbc::Decryptor::<Aes256>::new_from_slices(rest.get(..HALF)?, iv).ok()?;
        let mut text = Zeroizing::new(text.to_vec());
        let length = cipher.decrypt_padded::<Pkcs7>(&mut text).ok()?.len();
        text.truncate(length);
        Some(text)
    }
}

/// The data keys of a key vault, by their ids.
#[derive(Default)]
pub(super) struct DataKeys(HashMap<[u8; ID], Result<Key, String>>);

impl DataKeys {
    /// Opens a document of the key vault.
    ///
    /// # Errors
    /// Why it is not a data key.
    pub(super) fn add(&mut self, master: &Key, fields: &Fields<'_>) -> Result<(), String> {
        let id = fields.bytes("_id").and_then(|id| id.try_into().ok());
        let id = id.ok_or("its id is not a UUID")?;
        let sealed = fields.bytes("keyMaterial").ok_or("keyMaterial is missing")?;
        let provider = fields.document("masterKey").map(Fields::read).transpose()?;
        let provider = provider.and_then(|master| master.text("provider")).unwrap_or_default();
        let key = if provider.split(':').next() == Some("local") {
            let key = master.open(&[], sealed).and_then(|bytes| Key::new(bytes).ok());
            key.ok_or_else(|| "the master key is not the one of its data key".to_owned())
        } else {
            Err(format!("its data key is kept by {provider:?}"))
        };
        self.0.insert(id, key);
        Ok(())
    }

    /// The text of an encrypted value.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub(super) fn open(&self, value: &[u8]) -> Result<SecretString, String> {
        let damaged = || "its value is damaged".to_owned();
        let (head, sealed) = value.split_at_checked(HEAD).ok_or_else(damaged)?;
        let [1 | 2, id @ .., kind] = head else {
            return Err("its value is not encrypted in a known form".to_owned());
        };
        let key = <[u8; ID]>::try_from(id).ok().and_then(|id| self.0.get(&id));
        let key =
            key.ok_or("its data key is not in the dump: give the key vault's with --key-vault")?;
        let opened = key.as_ref().map_err(Clone::clone)?.open(head, sealed).ok_or_else(damaged)?;
        text(*kind, &opened).ok_or_else(|| "its value is not text".to_owned())
    }
}

/// The text in a value of BSON: a string, or bytes as the Python server writes them.
fn text(kind: u8, value: &[u8]) -> Option<SecretString> {
    let size = i32::try_from(value.len() + 4 + 2 + 1).ok()?;
    let document = [&size.to_le_bytes()[..], &[kind, 0], value, &[0]].concat();
    let document = Zeroizing::new(document);
    let (_, value) = RawDocument::from_bytes(&document).ok()?.iter().next()?.ok()?;
    match value {
        RawBsonRef::String(text) => Some(text.into()),
        RawBsonRef::Binary(binary) => std::str::from_utf8(binary.bytes).ok().map(Into::into),
        _ => None,
    }
}
