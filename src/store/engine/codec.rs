//! Records to bytes and back. The only file that names bincode.
//!
//! A record is `[tag][version]` and then bincode in its `standard()` configuration (little endian, variable-length
//! integers), which is fixed for ever by the golden bytes in `record`. bincode writes several serde shapes that it
//! cannot read again (`Value`, `RawValue`, `untagged`, `skip_serializing_if`, `flatten`), so records are flat structs
//! of plain types; free JSON is stored as text elsewhere.

use bincode::config::{Configuration, Limit, LittleEndian, Varint, standard};
use serde::{Serialize, de::DeserializeOwned};

use super::Error;

const CONFIG: Configuration = standard();
/// For reading: without a limit a damaged length makes bincode ask for that much memory, which ends the process.
const READING: Configuration<LittleEndian, Varint, Limit<{ 2 * LARGEST }>> =
    standard().with_limit::<{ 2 * LARGEST }>();
/// The largest record that is written, bytes; more than any that requests of the default sizes make.
const LARGEST: usize = 64 << 20;

/// The name of this encoding, kept in the `meta` table.
pub(crate) const NAME: &str = "bincode2/standard";

/// A stored shape. A shape that was ever released is never edited: a new version names it as its `Previous`.
pub(crate) trait Record: Serialize + DeserializeOwned {
    /// The kind of record, different for each.
    const TAG: u8;
    /// The version of the shape, from 1.
    const VERSION: u8;
    /// The version before this one, [`NoPrevious`] for the first.
    type Previous: Record;

    /// This shape from the one before it.
    fn upgrade(previous: Self::Previous) -> Self;
}

/// Stands before the first version of a record: no bytes decode to it.
#[derive(Serialize, serde::Deserialize)]
pub(crate) enum NoPrevious {}

impl Record for NoPrevious {
    const TAG: u8 = 0;
    const VERSION: u8 = 0;
    type Previous = Self;

    fn upgrade(previous: Self) -> Self {
        previous
    }
}

/// The bytes of a record.
pub(crate) fn encode<R: Record>(record: &R) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![R::TAG, R::VERSION];
    bincode::serde::encode_into_std_write(record, &mut bytes, CONFIG)
        .map_err(|error| Error::Encode(error.to_string()))?;
    if bytes.len() > LARGEST {
        return Err(Error::Encode(format!("{} bytes are too many", bytes.len())));
    }
    debug_assert!(decode::<R>(&bytes).is_ok(), "record {} does not read back", R::TAG);
    Ok(bytes)
}

/// The record in `bytes`, upgraded from whichever older version they hold.
pub(crate) fn decode<R: Record>(bytes: &[u8]) -> Result<R, Error> {
    match bytes {
        [tag, version, rest @ ..] if *tag == R::TAG => decode_version(*version, rest),
        [tag, ..] => Err(Error::Corrupt(format!(
            "a record of kind {tag} stands where kind {} belongs",
            R::TAG
        ))),
        [] => Err(Error::Corrupt("an empty record".to_owned())),
    }
}

fn decode_version<R: Record>(version: u8, rest: &[u8]) -> Result<R, Error> {
    if version == R::VERSION {
        let (record, read) = bincode::serde::decode_from_slice(rest, READING)
            .map_err(|error| Error::Corrupt(format!("record {}: {error}", R::TAG)))?;
        if read == rest.len() {
            return Ok(record);
        }
        return Err(Error::Corrupt(format!(
            "record {} has {} bytes too many",
            R::TAG,
            rest.len() - read
        )));
    }
    if version > R::VERSION || R::Previous::VERSION == 0 {
        return Err(Error::Corrupt(format!(
            "record {} has version {version}, this server knows up to {}",
            R::TAG,
            R::VERSION
        )));
    }
    decode_version::<R::Previous>(version, rest).map(R::upgrade)
}

/// Declares a first version: its tag, and that nothing came before it.
macro_rules! first_version {
    ($record:ty, $tag:literal) => {
        impl crate::store::engine::codec::Record for $record {
            const TAG: u8 = $tag;
            const VERSION: u8 = 1;
            type Previous = crate::store::engine::codec::NoPrevious;

            fn upgrade(previous: Self::Previous) -> Self {
                match previous {}
            }
        }
    };
}
pub(crate) use first_version;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, serde::Deserialize, Debug, PartialEq)]
    struct Old {
        name: String,
    }
    impl Record for Old {
        const TAG: u8 = 200;
        const VERSION: u8 = 1;
        type Previous = NoPrevious;
        fn upgrade(previous: NoPrevious) -> Self {
            match previous {}
        }
    }

    #[derive(Serialize, serde::Deserialize, Debug, PartialEq)]
    struct New {
        name: String,
        size: u64,
    }
    impl Record for New {
        const TAG: u8 = 200;
        const VERSION: u8 = 2;
        type Previous = Old;
        fn upgrade(previous: Old) -> Self {
            Self { name: previous.name, size: 7 }
        }
    }

    #[test]
    fn an_older_version_is_upgraded_on_reading() {
        let old = encode(&Old { name: "a".to_owned() }).unwrap();
        let new: New = decode(&old).unwrap();
        assert_eq!(new, New { name: "a".to_owned(), size: 7 });
    }

    #[test]
    fn a_newer_version_is_refused_with_both_versions_named() {
        let new = encode(&New { name: "a".to_owned(), size: 1 }).unwrap();
        let error = decode::<Old>(&new).unwrap_err().to_string();
        assert!(error.contains("version 2") && error.contains("up to 1"), "{error}");
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let good = encode(&Old { name: "a".to_owned() }).unwrap();
        let mut long = good.clone();
        long.push(0);
        let mut foreign = good.clone();
        foreign[0] = 9;
        for bad in [&long[..], &good[..good.len() - 1], &foreign, &[200, 0], &[]] {
            assert!(matches!(decode::<Old>(bad), Err(Error::Corrupt(_))));
        }
    }

    #[test]
    fn a_damaged_length_is_refused() {
        let long = [&[200, 1, 253][..], &[0x7f; 8], b"text"].concat();
        assert!(matches!(decode::<Old>(&long), Err(Error::Corrupt(_))));
    }

    #[test]
    fn what_would_be_too_large_to_read_is_not_written() {
        let huge = Old { name: "x".repeat(LARGEST) };
        assert!(matches!(encode(&huge), Err(Error::Encode(_))));
        let large = Old { name: "x".repeat(LARGEST - 10) };
        assert_eq!(decode::<Old>(&encode(&large).unwrap()).unwrap(), large);
    }

    #[test]
    fn the_configuration_never_changes() {
        let bytes = encode(&New { name: "é".to_owned(), size: 0x1234 }).unwrap();
        assert_eq!(bytes, [200, 2, 2, 0xc3, 0xa9, 251, 0x34, 0x12]);
    }
}
