//! One keep-alive connection that speaks just enough HTTP/1.1, so that the generator costs little beside the server.

use std::fmt::Write as _;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const JSON: &str = "application/json";
const BOUNDARY: &str = "a-line-that-no-archive-has";

pub(crate) struct Connection {
    stream: TcpStream,
    read: BytesMut,
    /// Lines that every request has besides.
    headers: String,
    /// The last answer's body.
    pub(crate) body: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(addr: &str) -> Self {
        let stream = TcpStream::connect(addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, read: BytesMut::new(), headers: String::new(), body: Vec::new() }
    }

    /// The same for an agent, who says its name by cookie.
    pub(crate) async fn of_agent(addr: &str, agent: &str) -> Self {
        let headers = format!("Cookie: agent_name={agent}\r\n");
        Self { headers, ..Self::open(addr).await }
    }

    /// Gives the status; the body is in [`Self::body`].
    pub(crate) async fn get(&mut self, path: &str) -> u16 {
        let head = format!("GET {path} HTTP/1.1\r\nHost: lab\r\n{}\r\n", self.headers);
        self.stream.write_all(head.as_bytes()).await.unwrap();
        self.answer().await
    }

    /// Posts JSON, which must be accepted.
    pub(crate) async fn post(&mut self, path: &str, json: &str) {
        self.send(path, JSON, &[json.as_bytes()]).await;
    }

    /// Uploads a file, which must be accepted.
    pub(crate) async fn upload(&mut self, path: &str, file: &[u8]) {
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let opening = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"\r\n\r\n"
        );
        let closing = format!("\r\n--{BOUNDARY}--\r\n");
        self.send(path, &kind, &[opening.as_bytes(), file, closing.as_bytes()]).await;
    }

    async fn send(&mut self, path: &str, kind: &str, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let mut request = format!("POST {path} HTTP/1.1\r\nHost: lab\r\n{}", self.headers);
        write!(request, "Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n").unwrap();
        let mut request = request.into_bytes();
        if length < 64 * 1024 {
            for part in parts {
                request.extend_from_slice(part);
            }
            self.stream.write_all(&request).await.unwrap();
        } else {
            self.stream.write_all(&request).await.unwrap();
            for part in parts {
                self.stream.write_all(part).await.unwrap();
            }
        }
        let status = self.answer().await;
        let body = String::from_utf8_lossy(&self.body);
        assert_eq!(status, 200, "POST {path}: {body}");
    }

    async fn answer(&mut self) -> u16 {
        self.body.clear();
        let end = loop {
            if let Some(end) = find(&self.read, b"\r\n\r\n") {
                break end;
            }
            self.fill().await;
        };
        let head = self.read.split_to(end + 4);
        let head = std::str::from_utf8(&head).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        if header(head, "transfer-encoding").is_some() {
            self.chunks().await;
        } else {
            let length = header(head, "content-length").map_or(0, |text| text.parse().unwrap());
            self.take(length).await;
        }
        status
    }

    async fn chunks(&mut self) {
        loop {
            let end = loop {
                if let Some(end) = find(&self.read, b"\r\n") {
                    break end;
                }
                self.fill().await;
            };
            let line = self.read.split_to(end + 2);
            let length = std::str::from_utf8(&line).unwrap().trim();
            let length = usize::from_str_radix(length, 16).unwrap();
            self.take(length).await;
            while self.read.len() < 2 {
                self.fill().await;
            }
            self.read.advance(2);
            if length == 0 {
                return;
            }
        }
    }

    async fn take(&mut self, mut length: usize) {
        while length > 0 {
            if self.read.is_empty() {
                self.fill().await;
            }
            let part = self.read.split_to(length.min(self.read.len()));
            self.body.extend_from_slice(&part);
            length -= part.len();
        }
    }

    async fn fill(&mut self) {
        self.read.reserve(4096);
        let count = self.stream.read_buf(&mut self.read).await.unwrap();
        assert_ne!(count, 0, "the server closed the connection");
    }

    /// The id that the last answer names.
    pub(crate) fn job_id(&self) -> String {
        let key = b"\"job_id\":\"";
        let begin = find(&self.body, key).unwrap() + key.len();
        String::from_utf8(self.body[begin..begin + 36].to_vec()).unwrap()
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

pub(crate) fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// A job of about 950 bytes.
pub(crate) fn job(queue: &str) -> String {
    let commands = "echo one of the lines of a test script that does something useful; ".repeat(9);
    format!(
        r#"{{"job_queue":"{queue}","global_timeout":14400,"output_timeout":9000,"provision_data":{{"url":"https://images.example.com/releases/24.04/current/server-amd64.img.xz","distro":"noble"}},"test_data":{{"test_username":"ubuntu","test_password":"ubuntu","test_cmds":"{commands}"}},"reserve_data":{{"ssh_keys":["lp:somebody"],"timeout":3600}}}}"#
    )
}
