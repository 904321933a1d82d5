//! `secrets.<client>`: values that the other server encrypted. Its master key, which is in no dump, opens them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bson::RawDocument;
use secrecy::ExposeSecret;

use super::super::load::{kept, taken};
use super::super::{Error, Outcome};
use super::csfle::{DataKeys, Key};
use super::source::{Found, Source};
use super::{Document, Fields, Move, Stop};
use crate::domain::{ClientId, SealedBytes, Secret, SecretPath, seal_place};
use crate::secrets::{LONGEST_VALUE, SealingKey};
use crate::store::{ClientReads, ReadTx, SecretReads};

/// How the names of the collections begin.
pub(super) const PREFIX: &str = "secrets.";
/// The collection of data keys. It lies in a database of its own.
const KEY_VAULT: &str = "__keyVault";
const SECRETS: &str = "secrets";
const PAGE: usize = 500;

/// What opens the old server's secrets and seals them anew.
pub struct Unlock {
    /// Its master key.
    pub master_key: Key,
    /// The dump of its key vault, if that is another one.
    pub key_vault: Option<PathBuf>,
    /// Gives the key that seals secrets in the data directory that is built.
    pub seal: Box<Seal>,
}

/// Gives the key of a data directory, or says why there is none.
pub type Seal = dyn Fn(&Path) -> Result<SealingKey, String>;

/// What opens a secret, seals it, and tells whose it is.
pub(super) struct Unlocked {
    data_keys: DataKeys,
    seal: SealingKey,
    /// The clients by the ends of names of collections.
    owners: HashMap<String, Vec<ClientId>>,
}

/// The name of a client in the name of a collection.
fn in_collection(id: &str) -> String {
    id.replace('@', "_at_").replace('.', "_dot_").replace('$', "_dollar_")
}

fn owners(tx: &ReadTx) -> Result<HashMap<String, Vec<ClientId>>, Error> {
    let mut owners: HashMap<String, Vec<ClientId>> = HashMap::new();
    let mut last = None;
    loop {
        let page = tx.clients_after(last.as_ref(), PAGE)?;
        let Some(end) = page.last() else { return Ok(owners) };
        last = Some(end.id.clone());
        for client in page {
            owners.entry(in_collection(client.id.as_str())).or_default().push(client.id);
        }
    }
}

impl Move<'_> {
    /// Opens the data keys, once all clients have come.
    pub(super) fn unlock(&mut self, unlock: &Unlock, source: &Source) -> Result<(), Error> {
        let mut data_keys = DataKeys::default();
        let other = unlock.key_vault.as_deref().map(Source::open).transpose()?;
        for source in std::iter::once(source).chain(&other) {
            source.read(&|name| name.collection == KEY_VAULT, &mut |_, found| {
                let added = match found {
                    Found::Broken(why) => Err(why),
                    Found::Document(bytes) => RawDocument::from_bytes(bytes)
                        .map_err(|error| error.to_string())
                        .and_then(Fields::read)
                        .and_then(|fields| data_keys.add(&unlock.master_key, &fields)),
                };
                if let Err(why) = added {
                    self.load.note(KEY_VAULT, "", Outcome::LeftOut, &why);
                }
                Ok(())
            })?;
        }
        let seal = (unlock.seal)(self.build.path()).map_err(Error::Key)?;
        let owners = owners(&self.load.store.read()?)?;
        self.unlocked = Some(Unlocked { data_keys, seal, owners });
        Ok(())
    }

    pub(super) fn secret(&mut self, (collection, fields): Document<'_>) -> Result<(), Stop> {
        let expires_at = fields.moment("expire_at").at();
        if expires_at.is_some_and(|end| end < self.now) {
            self.load.note(collection, "", Outcome::Skipped, "they have expired");
            return Ok(());
        }
        let Some(unlocked) = &self.unlocked else {
            return Err("its value is encrypted: give the old server's master key, or write it anew with secret-admin put".into());
        };
        let owner = collection.strip_prefix(PREFIX).and_then(|name| unlocked.owners.get(name));
        let owner = owner.ok_or("there is no client of this name")?;
        let path: SecretPath = fields.name("key")?;
        let value =
            unlocked.data_keys.open(fields.bytes("value").ok_or("its value is missing")?)?;
        if !(1..=LONGEST_VALUE).contains(&value.expose_secret().len()) {
            return Err(format!("its value is empty or longer than {LONGEST_VALUE} bytes").into());
        }
        let mut secrets = Vec::new();
        for client in owner {
            let sealed = unlocked.seal.seal(&seal_place(client, &path), &value);
            secrets.push(Secret {
                client: client.clone(),
                path: path.clone(),
                sealed: SealedBytes(sealed.map_err(|error| error.to_string())?.as_bytes().to_vec()),
                written_at: fields.moment("updated_at").at().unwrap_or(self.now).min(self.now),
                expires_at,
                ephemeral: fields.flag("ephemeral"),
            });
        }
        secrets.into_iter().try_for_each(|secret| self.put_secret(collection, secret))
    }

    fn put_secret(&mut self, collection: &str, new: Secret) -> Result<(), Stop> {
        let id = format!("{}/{}", new.client, new.path);
        if !self.is_first(SECRETS, &id) {
            return Ok(());
        }
        let old = self.load.store.read()?.secret(&new.client, &new.path)?;
        let bar = match old {
            None if self.memory.secrets.contains(&id) => Some("they were deleted or used up here"),
            Some(old) if old.written_at > new.written_at => Some("they were written here since"),
            _ => None,
        };
        if let Some(why) = bar {
            let (outcome, why) = kept(why);
            self.load.note(collection, new.path.as_str(), outcome, &why);
            return Ok(());
        }
        self.memory.secrets.insert(id);
        let (name, size) = (new.path.to_string(), new.sealed.0.len());
        self.load.step((collection.to_owned(), name), size, move |tx| {
            tx.put_secret(&new)?;
            Ok(taken())
        })?;
        Ok(())
    }
}
