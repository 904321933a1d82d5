//! The checksum of a row: damage is noticed whenever the row is read, and is never taken for data.
//!
//! It stands before the value, CRC-32 of the table's name, the key and the value, so that a row in a wrong place is
//! noticed as well. It comes first because programs of older schema versions read numbers from the end of a value:
//! they still find the schema version, and refuse it.

use super::Error;
use super::tables::Table;

/// Bytes of the checksum.
const LENGTH: usize = 4;

fn sum(table: Table, key: &[u8], value: &[u8]) -> [u8; LENGTH] {
    let mut sum = crc32fast::Hasher::new();
    sum.update(table.name().as_bytes());
    // Where the key ends and the value begins counts as well.
    sum.update(&(key.len() as u64).to_be_bytes());
    sum.update(key);
    sum.update(value);
    sum.finalize().to_be_bytes()
}

/// A value with its checksum.
pub(super) fn seal(table: Table, key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(LENGTH + value.len());
    sealed.extend_from_slice(&sum(table, key, value));
    sealed.extend_from_slice(value);
    sealed
}

/// The value in `sealed`.
pub(super) fn open<'v>(table: Table, key: &[u8], sealed: &'v [u8]) -> Result<&'v [u8], Error> {
    match sealed.split_first_chunk::<LENGTH>() {
        Some((found, value)) if *found == sum(table, key, value) => Ok(value),
        _ => {
            let (table, key) = (table.name(), key.escape_ascii().to_string());
            tracing::error!(target: "audit", event = "data_damaged", table, key, "a row is damaged");
            Err(Error::Corrupt(format!("{table}: {key}: its checksum is wrong")))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(any::<u8>(), 0..200)
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens(key in bytes(), value in bytes()) {
            let sealed = seal(Table::Job, &key, &value);
            prop_assert_eq!(open(Table::Job, &key, &sealed).unwrap(), &value[..]);
            prop_assert!(open(Table::JobBody, &key, &sealed).is_err());
        }

        #[test]
        fn every_flipped_bit_is_noticed(key in bytes(), value in bytes(), at in any::<usize>()) {
            let mut row = seal(Table::Job, &key, &value);
            let sealed = row.len();
            row.extend_from_slice(&key);
            let at = at % (row.len() * 8);
            row[at / 8] ^= 1 << (at % 8);
            let (sealed, key) = row.split_at(sealed);
            prop_assert!(open(Table::Job, key, sealed).is_err());
        }

        #[test]
        fn a_byte_does_not_move_from_the_key_to_the_value(key in bytes(), value in bytes(), byte in any::<u8>()) {
            let longer = [&key[..], &[byte]].concat();
            let sealed = seal(Table::Job, &longer, &value);
            let moved = [&sealed[..LENGTH], &[byte], &value[..]].concat();
            prop_assert!(open(Table::Job, &key, &moved).is_err());
        }
    }

    #[test]
    fn the_checksum_never_changes() {
        let sum = [37, 251, 190, 13];
        assert_eq!(seal(Table::Job, b"key", b"value"), [&sum[..], b"value"].concat());
    }
}
