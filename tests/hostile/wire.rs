//! Requests byte by byte.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The longest that anybody here waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(45);
/// A job that nobody submitted.
pub(crate) const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Status line and headers, in lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

pub(crate) fn connect(addr: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect_timeout(&addr, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    Some(stream)
}

/// The same from another address of this machine.
pub(crate) fn connect_from_elsewhere(addr: SocketAddr) -> Option<TcpStream> {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).ok()?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 2], 0)).into()).ok()?;
    socket.connect_timeout(&addr.into(), PATIENCE).ok()?;
    Some(socket.into())
}

/// A whole request on a connection of its own.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        head.push_str("Host: localhost\r\n");
    }
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    if !body.is_empty() || method != "GET" {
        let _ = write!(head, "Content-Length: {}\r\n", body.len());
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

/// The headers of a request with JSON.
pub(crate) const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];

/// Sends bytes and reads the answer until the connection ends; `None` where there is none.
pub(crate) fn send(addr: SocketAddr, bytes: &[u8]) -> Option<Answer> {
    let mut stream = connect(addr)?;
    // A server that refuses early need not read it all.
    let _ = stream.write_all(bytes);
    answer(stream)
}

/// The answer on a connection.
pub(crate) fn answer(mut stream: TcpStream) -> Option<Answer> {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let at = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..at]).to_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head, body: bytes[at + 4..].to_vec() })
}

pub(crate) fn post(addr: SocketAddr, path: &str, json: &str) -> Option<Answer> {
    send(addr, &request("POST", path, &JSON, json.as_bytes()))
}

pub(crate) fn get(addr: SocketAddr, path: &str) -> Option<Answer> {
    send(addr, &request("GET", path, &[], b""))
}

/// Writes until so many bytes are sent, the other side ends it, or it takes too long; says how many were taken.
pub(crate) fn pour(stream: &mut TcpStream, piece: &[u8], most: usize) -> usize {
    let mut sent = 0;
    while sent < most {
        match stream.write(piece) {
            Ok(count @ 1..) => sent += count,
            _ => break,
        }
    }
    sent
}

/// Whether the other side has ended a connection.
pub(crate) fn is_ended(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => {
                use std::io::ErrorKind::{TimedOut, WouldBlock};
                return !matches!(error.kind(), WouldBlock | TimedOut);
            }
        }
    }
}
