//! Archives whose heads and sums are right.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// An archive of these entries as the server writes it, with `SHA256SUMS`.
pub(crate) fn archive<'a>(entries: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let (mut out, mut sums) = (Vec::new(), String::new());
    for (name, content) in entries {
        entry(&mut out, name, content);
        for byte in Sha256::digest(content) {
            let _ = write!(sums, "{byte:02x}");
        }
        let _ = writeln!(sums, "  {name}");
    }
    entry(&mut out, "SHA256SUMS", sums.as_bytes());
    out.resize(out.len() + 1024, 0);
    out
}

fn entry(out: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut head = tar::Header::new_gnu();
    // A name that tar cannot hold stays empty, and is refused.
    let _ = head.set_path(name);
    head.set_entry_type(tar::EntryType::Regular);
    head.set_size(content.len() as u64);
    head.set_mode(0o600);
    head.set_uid(0);
    head.set_gid(0);
    head.set_mtime(0);
    head.set_cksum();
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(content);
    out.resize(out.len().next_multiple_of(512), 0);
}
