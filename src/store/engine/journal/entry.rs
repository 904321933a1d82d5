//! The entry of a batch: every row that it changed, as bytes that need nothing else to be understood.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `TFJ1`: the version of this layout |
//! | 4 | length of what follows the head, little endian, as are all numbers here |
//! | 8 | number of the batch, one more than that of the batch before |
//! | 8 | XXH3 of the 16 bytes before and of what follows, seeded with the journal's salt |
//! | | for each row: 1 for a value or 0 for a removal, the table's name, the key and, if there is one, the value |
//!
//! Before a table's name stands its length in one byte, before a key or value its length in four. The entry ends at
//! the next multiple of [`SECTOR`] with zeros.

use xxhash_rust::xxh3::Xxh3;

use crate::store::engine::Table;

/// The unit in which entries are written. One that holds an acknowledged entry is not written again before the database
/// has that entry: a disk may lose a sector that it was about to write when the power went.
pub(super) const SECTOR: usize = 512;
/// The largest entry, bytes. Writing a large batch twice costs more than committing it at once.
const LARGEST: usize = 256 << 10;
const MAGIC: &[u8; 4] = b"TFJ1";
const HEAD: usize = 24;

/// The row changes of a batch under way, in their order.
pub(crate) struct Changes {
    /// An entry whose head is still empty; `None` when it grew too large or is not wanted.
    entry: Option<Vec<u8>>,
}

impl Changes {
    pub(crate) fn new(wanted: bool) -> Self {
        Self { entry: wanted.then(|| vec![0; HEAD]) }
    }

    /// Adds a row and its new value, or its removal.
    pub(crate) fn add(&mut self, table: Table, key: &[u8], value: Option<&[u8]>) {
        let Some(entry) = &mut self.entry else { return };
        let name = table.name().as_bytes();
        if entry.len() + name.len() + key.len() + value.map_or(0, <[u8]>::len) + 10 > LARGEST {
            self.entry = None;
            return;
        }
        entry.push(u8::from(value.is_some()));
        entry.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        entry.extend_from_slice(name);
        for part in std::iter::once(key).chain(value) {
            entry.extend_from_slice(&length(part.len()));
            entry.extend_from_slice(part);
        }
    }

    /// There was a change that no entry describes.
    pub(crate) fn give_up(&mut self) {
        self.entry = None;
    }

    /// The bytes that an entry of these changes takes, if they have one.
    pub(super) fn size(&self) -> Option<u64> {
        self.entry.as_ref().map(|entry| entry.len().next_multiple_of(SECTOR) as u64)
    }

    /// The entry, whole sectors of it.
    pub(super) fn sealed(self, number: u64, salt: u64) -> Option<Vec<u8>> {
        let mut entry = self.entry?;
        entry[..4].copy_from_slice(MAGIC);
        let rows = length(entry.len() - HEAD);
        entry[4..8].copy_from_slice(&rows);
        entry[8..16].copy_from_slice(&number.to_le_bytes());
        let sum = checksum(&entry, salt);
        entry[16..HEAD].copy_from_slice(&sum.to_le_bytes());
        entry.resize(entry.len().next_multiple_of(SECTOR), 0);
        Some(entry)
    }
}

/// No part of an entry is longer than [`LARGEST`].
fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes()
}

fn checksum(entry: &[u8], salt: u64) -> u64 {
    let mut hash = Xxh3::with_seed(salt);
    hash.update(&entry[..16]);
    hash.update(&entry[HEAD..]);
    hash.digest()
}

/// An entry that was read back.
pub(super) struct Entry<'b> {
    pub(super) number: u64,
    rows: &'b [u8],
}

/// A row, and its new value or nothing for its removal.
pub(super) type Each<'a> = dyn FnMut(Table, &[u8], Option<&[u8]>) + 'a;

impl<'b> Entry<'b> {
    /// The entry at the beginning of `bytes`, if there is a whole one of the journal with this salt.
    pub(super) fn read(bytes: &'b [u8], salt: u64) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
        let (magic, head) = head.split_first_chunk::<4>()?;
        let (length, head) = head.split_first_chunk::<4>()?;
        let (number, sum) = head.split_first_chunk::<8>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        // What somebody has sent may look like the head of an entry that ends far away.
        let rows = rest.get(..length).filter(|rows| rows.len() <= LARGEST)?;
        let whole = magic == MAGIC && sum == checksum(&bytes[..HEAD + length], salt).to_le_bytes();
        whole.then(|| Self { number: u64::from_le_bytes(*number), rows })
    }

    /// Shows the rows to `each`, in the order in which they were changed; `None` when one is not understood.
    pub(super) fn rows(&self, each: &mut Each<'_>) -> Option<()> {
        let mut rest = self.rows;
        while !rest.is_empty() {
            let (table, key, value) = next_row(&mut rest)?;
            each(table, key, value);
        }
        Some(())
    }
}

/// Whether a sector looks like the first one of the entry with this number, whole or not.
pub(super) fn is_begun(sector: &[u8], number: u64) -> bool {
    sector.starts_with(MAGIC) && sector.get(8..16) == Some(&number.to_le_bytes()[..])
}

/// A table, a key, and the value if it is not a removal.
type Row<'b> = (Table, &'b [u8], Option<&'b [u8]>);

fn next_row<'b>(rest: &mut &'b [u8]) -> Option<Row<'b>> {
    let (&[is_value, length], after) = rest.split_first_chunk::<2>()?;
    *rest = after;
    let name = rest.split_off(..usize::from(length))?;
    let table = Table::ALL.iter().copied().find(|table| table.name().as_bytes() == name)?;
    let key = part(rest)?;
    let value = if is_value == 1 { Some(part(rest)?) } else { None };
    Some((table, key, value))
}

fn part<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    rest.split_off(..usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes() -> Changes {
        let mut changes = Changes::new(true);
        changes.add(Table::Meta, b"seq", Some(&[1, 2]));
        changes.add(Table::Held, b"k", None);
        changes
    }

    #[test]
    fn a_record_reads_back() {
        let bytes = changes().sealed(7, 1).unwrap();
        let entry = Entry::read(&bytes, 1).unwrap();
        assert_eq!((entry.number, bytes.len()), (7, SECTOR));
        let mut rows = Vec::new();
        let each = &mut |table, key: &[u8], value: Option<&[u8]>| {
            rows.push((table, key.to_vec(), value.map(<[u8]>::to_vec)));
        };
        entry.rows(each).unwrap();
        let expected =
            [(Table::Meta, b"seq".to_vec(), Some(vec![1, 2])), (Table::Held, b"k".to_vec(), None)];
        assert_eq!(rows, expected);
    }

    #[test]
    fn the_layout_never_changes() {
        let bytes = changes().sealed(7, 1).unwrap();
        let expected = b"TFJ1\x22\0\0\0\x07\0\0\0\0\0\0\0";
        assert_eq!(&bytes[..16], expected);
        let rows = b"\x01\x06meta-1\x03\0\0\0seq\x02\0\0\0\x01\x02\0\x06held-1\x01\0\0\0k\0";
        assert_eq!(&bytes[HEAD..HEAD + rows.len()], rows);
    }

    #[test]
    fn a_record_with_any_other_bit_is_none() {
        let good = changes().sealed(7, 1).unwrap();
        let end = HEAD + 34;
        for bit in 0..end * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Entry::read(&bad, 1).is_none(), "bit {bit}");
        }
        assert!(Entry::read(&good, 2).is_none(), "the salt of another journal");
        assert!(Entry::read(&good[..end - 1], 1).is_none(), "cut off");
    }

    #[test]
    fn what_is_too_large_or_not_wanted_has_no_record() {
        let mut large = Changes::new(true);
        large.add(Table::JobBody, b"k", Some(&vec![0; LARGEST]));
        large.add(Table::Meta, b"k", None);
        let mut unwanted = Changes::new(false);
        unwanted.add(Table::Meta, b"k", None);
        let mut given_up = changes();
        given_up.give_up();
        for changes in [large, unwanted, given_up] {
            assert!(changes.size().is_none() && changes.sealed(1, 1).is_none());
        }
    }
}
