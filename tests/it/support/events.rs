use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use serde_json::Value;

use super::PATIENCE;

/// Reads server-sent events.
pub(crate) struct Events {
    pub(crate) head: String,
    lines: BufReader<TcpStream>,
}

/// One event.
#[derive(Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) data: Value,
}

impl Events {
    /// Asks for a stream; `headers` are lines that end with a line break.
    pub(crate) fn open(url: &str, path: &str, headers: &str) -> Self {
        let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // HTTP/1.0: the answer is not cut into chunks.
        let request = format!("GET {path} HTTP/1.0\r\nHost: test\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let (mut lines, mut head) = (BufReader::new(stream), String::new());
        while !head.ends_with("\r\n\r\n") {
            assert!(lines.read_line(&mut head).unwrap() > 0, "{head}");
        }
        Self { head, lines }
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    /// The next event; `None` at the end of the stream.
    pub(crate) fn next(&mut self) -> Option<Event> {
        let mut fields: Vec<(String, String)> = Vec::new();
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            match line.trim_end_matches('\n').split_once(": ") {
                Some(("retry", _)) => {}
                Some((name, value)) => fields.push((name.to_owned(), value.to_owned())),
                None if fields.is_empty() => {}
                None => break,
            }
        }
        let mut field = |name: &str| {
            let place = fields.iter().position(|(found, _)| found == name)?;
            Some(fields.remove(place).1)
        };
        Some(Event {
            id: field("id"),
            name: field("event").unwrap(),
            data: serde_json::from_str(&field("data").unwrap()).unwrap(),
        })
    }

    /// The next event with this name, and the id that was seen last.
    #[track_caller]
    pub(crate) fn until(&mut self, name: &str) -> (Value, Option<String>) {
        let mut id = None;
        while let Some(event) = self.next() {
            id = event.id.or(id);
            if event.name == name {
                return (event.data, id);
            }
        }
        panic!("the stream ended before {name}");
    }
}
