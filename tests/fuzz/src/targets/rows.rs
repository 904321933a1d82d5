//! A stored row, with its key: it is read as its table says, or refused. The input is a line with the name of the table, the length
//! of the key, the key and the value.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::archive::archive;
use super::lab::Lab;
use testflinger_server::store::backup::{Amount, Manifest, verify};

/// The manifest of a server that has nothing yet.
static EMPTY: LazyLock<Manifest> = LazyLock::new(|| {
    let backup = Lab::new().backup();
    let length = tar::Header::from_byte_slice(&backup[..512]).entry_size().unwrap();
    serde_json::from_slice(&backup[512..512 + usize::try_from(length).unwrap()]).unwrap()
});

pub(super) fn run(input: &[u8]) {
    let Some(end) = input.iter().position(|&byte| byte == b'\n') else { return };
    let (table, [_, key, rest @ ..]) = input.split_at(end) else { return };
    let Some(table) = EMPTY.rows.keys().find(|name| name.as_bytes() == table) else { return };
    let (key, value) = rest.split_at(usize::from(*key).min(rest.len()));
    let mut rows = Vec::new();
    for part in [key, value] {
        rows.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
    }
    rows.extend_from_slice(key);
    rows.extend_from_slice(value);
    let amount = Amount { count: 1, bytes: rows.len() as u64 };
    let rows_of = BTreeMap::from([(table.clone(), amount)]);
    let manifest = Manifest { rows: rows_of, keys: Vec::new(), ..EMPTY.clone() };
    let manifest = serde_json::to_vec(&manifest).unwrap();
    let entries = [("manifest.json", &manifest[..]), (&format!("rows/{table}"), &rows)];
    let _ = verify(&archive(entries)[..], &mut |_, _| {});
}
