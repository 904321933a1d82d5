use std::io::{Read, Write};
use std::net::TcpStream;

use super::PATIENCE;

pub(crate) const BOUNDARY: &str = "----boundary-of-the-test";

/// The text before the bytes of a part in a multipart body.
pub(crate) fn part_head(name: &str) -> String {
    format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"f\"\r\n\r\n"
    )
}

/// A connection on which a test says exactly what is sent, and when.
pub(crate) struct Connection(TcpStream);

impl Connection {
    pub(crate) fn open(url: &str) -> Self {
        let stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    /// Sends the head of a request; `length` is "Content-Length: 7" or "Transfer-Encoding: chunked".
    pub(crate) fn begin(&mut self, target: &str, kind: &str, length: &str) {
        let head = format!(
            "{target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Type: {kind}\r\n{length}\r\n\r\n"
        );
        self.send(head.as_bytes());
    }

    /// The same for an upload to `path`.
    pub(crate) fn begin_upload(&mut self, path: &str, length: &str) {
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        self.begin(&format!("POST {path}"), &kind, length);
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// Sends one chunk of a chunked body; the empty one ends it. A server that has answered need not read it.
    pub(crate) fn chunk(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(format!("{:x}\r\n", bytes.len()).as_bytes());
        let _ = self.0.write_all(bytes);
        let _ = self.0.write_all(b"\r\n");
    }

    /// Reads the answer to the end of the connection: its status and everything after the head.
    pub(crate) fn answer(mut self) -> (u16, String) {
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        // A server that did not read the whole request may reset the connection after its answer.
        while let Ok(count @ 1..) = self.0.read(&mut buffer) {
            bytes.extend_from_slice(&buffer[..count]);
        }
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Reads the answer to the end of the connection: its head, and how many bytes follow.
    pub(crate) fn raw_answer(mut self) -> (String, usize) {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes).unwrap();
        let at = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        (String::from_utf8(bytes[..at].to_vec()).unwrap(), bytes.len() - at - 4)
    }
}
