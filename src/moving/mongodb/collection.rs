//! BSON of JSON text, and files of documents as mongodump writes them.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use bson::{Bson, DateTime, Document};
use serde_json::Value;

use super::super::Error;
use crate::domain::Timestamp;
use crate::store::{backup, create_private, new_file};

/// MongoDB takes no larger document.
const LARGEST: usize = 16 << 20;
/// MongoDB takes no deeper one.
const DEEPEST: usize = 95;

/// The value that JSON text is.
///
/// # Errors
/// Why MongoDB could not keep it.
pub(super) fn value(json: &str) -> Result<Bson, String> {
    let value: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    of(&value, 0)
}

fn of(value: &Value, depth: usize) -> Result<Bson, String> {
    if depth > DEEPEST {
        return Err("it is nested deeper than MongoDB allows".to_owned());
    }
    Ok(match value {
        Value::Null => Bson::Null,
        Value::Bool(flag) => Bson::Boolean(*flag),
        Value::String(text) => Bson::String(text.clone()),
        Value::Number(number) => match number.as_i64() {
            Some(number) => i32::try_from(number).map_or(Bson::Int64(number), Bson::Int32),
            None => Bson::Double(number.as_f64().unwrap_or_default()),
        },
        Value::Array(items) => {
            Bson::Array(items.iter().map(|item| of(item, depth + 1)).collect::<Result<_, _>>()?)
        }
        Value::Object(members) => {
            let mut document = Document::new();
            for (name, member) in members {
                if name.contains('\0') {
                    return Err("the name of a member has a zero byte".to_owned());
                }
                document.insert(name, of(member, depth + 1)?);
            }
            Bson::Document(document)
        }
    })
}

/// A moment, to the millisecond.
pub(super) fn moment(at: Timestamp) -> Bson {
    Bson::DateTime(DateTime::from_millis(at.as_micros().div_euclid(1000)))
}

/// The documents of a collection.
pub(super) struct Collection {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Collection {
    /// Begins a collection in the folder of its database.
    pub(super) fn create(folder: &Path, name: &str) -> Result<Self, Error> {
        create_private(folder)?;
        let about = folder.join(format!("{name}.metadata.json"));
        let indexes = serde_json::json!([{ "v": 2, "key": { "_id": 1 }, "name": "_id_" }]);
        let metadata = serde_json::json!({
            "options": {}, "indexes": indexes, "collectionName": name, "type": "collection",
        });
        let path = folder.join(format!("{name}.bson"));
        let failed = |source| Error::from(backup::Error::Write { path: path.clone(), source });
        new_file(&about)
            .and_then(|mut file| file.write_all(metadata.to_string().as_bytes()))
            .map_err(failed)?;
        let file = BufWriter::with_capacity(256 * 1024, new_file(&path).map_err(failed)?);
        Ok(Self { path, file })
    }

    /// Adds a document; says why MongoDB would not take it.
    pub(super) fn put(&mut self, document: &Document) -> Result<Result<(), String>, Error> {
        backup::check_interrupted()?;
        let bytes = match document.to_vec() {
            Ok(bytes) if bytes.len() <= LARGEST => bytes,
            Ok(bytes) => {
                return Ok(Err(format!("MongoDB takes no document of {} bytes", bytes.len())));
            }
            Err(error) => return Ok(Err(error.to_string())),
        };
        let path = &self.path;
        let failed = |source| backup::Error::Write { path: path.clone(), source };
        Ok(Ok(self.file.write_all(&bytes).map_err(failed)?))
    }

    /// Ends it.
    pub(super) fn end(mut self) -> Result<(), Error> {
        let path = &self.path;
        let failed = |source| backup::Error::Write { path: path.clone(), source };
        Ok(self.file.flush().map_err(failed)?)
    }
}
