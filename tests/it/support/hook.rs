use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

/// A webhook on this machine. It answers with the status at the end of the path, and reports the requests it got.
pub(crate) struct Hook {
    pub(crate) url: String,
    pub(crate) asked: Receiver<(String, String)>,
}

/// Listens for events until the test ends.
pub(crate) fn hook() -> Hook {
    hook_on("127.0.0.1:0")
}

/// An address at which nobody listens yet.
pub(crate) fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// The same at this address.
pub(crate) fn hook_on(address: &str) -> Hook {
    let listener = TcpListener::bind(address).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, asked) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let sender = sender.clone();
            std::thread::spawn(move || serve(stream.unwrap(), &sender));
        }
    });
    Hook { url, asked }
}

fn serve(mut stream: TcpStream, sender: &std::sync::mpsc::Sender<(String, String)>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
    let length = head.lines().filter_map(|line| line.split_once(": "));
    let length = length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.map(|(_, value)| value.parse().unwrap()).next().unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let target = head.lines().next().unwrap().to_owned();
    let status = target.split(' ').nth(1).unwrap().rsplit('/').next().unwrap().to_owned();
    let _ = sender.send((head, String::from_utf8(body).unwrap()));
    if status == "slow" {
        // Until the caller gives up.
        let _ = reader.read(&mut [0]);
        return;
    }
    let text = if status == "204" { "" } else { "said the hook" };
    let location = if status == "302" { "Location: /200\r\n" } else { "" };
    let _ = stream.write_all(
        format!("HTTP/1.1 {status} X\r\n{location}Content-Length: {}\r\n\r\n{text}", text.len())
            .as_bytes(),
    );
}
