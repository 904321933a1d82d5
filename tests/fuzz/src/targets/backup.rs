//! A backup: it is complete and undamaged, or refused. An input that begins with `%` is a list of entries, whose heads and sums
//! are made here: `%`, a line with the name, the content.

use super::archive::archive;
use testflinger_server::store::backup::verify;

pub(super) fn run(input: &[u8]) {
    let Some(entries) = input.strip_prefix(b"%") else {
        let _ = verify(input, &mut |_, _| {});
        return;
    };
    let entries = entries.split(|&byte| byte == b'%').map(|entry| {
        let end = entry.iter().position(|&byte| byte == b'\n').unwrap_or(entry.len());
        let name = std::str::from_utf8(&entry[..end]).unwrap_or_default();
        (name, entry.get(end + 1..).unwrap_or_default())
    });
    let _ = verify(&archive(entries)[..], &mut |_, _| {});
}
