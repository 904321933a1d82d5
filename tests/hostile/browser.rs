//! What a web page can make a browser do to a server that the browser reaches.

use super::Outcome;
use super::server::Server;
use super::wire::{self, Answer, NOBODY, get, post, request};

type Attack = (&'static str, fn() -> Outcome);

pub(crate) const ATTACKS: &[Attack] = &[
    ("output that is a page", page),
    ("a submit from another site", || from_elsewhere("POST", "/v1/job")),
    ("a claim from another site", || from_elsewhere("GET", "/v1/job?queue=q")),
    ("a submit under a foreign name", rebound),
];

fn seen(answer: Option<Answer>) -> String {
    answer.map_or_else(|| "no answer".to_owned(), |answer| answer.status.to_string())
}

fn page() -> Outcome {
    let server = Server::new(&[]);
    let path = format!("/v1/result/{NOBODY}/output");
    post(server.addr, &path, "<script>alert(1)</script>").unwrap();
    let answer = get(server.addr, &path).unwrap();
    let is_page = answer.head.contains("text/html");
    let is_kept =
        answer.head.contains("nosniff") && answer.head.contains("content-security-policy");
    Outcome::new(!is_page && is_kept, if is_page { "text/html" } else { "plain text" })
}

fn from_elsewhere(method: &str, path: &str) -> Outcome {
    let server = Server::new(&[]);
    let headers =
        [wire::JSON[0], ("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")];
    let body = if method == "GET" { &b""[..] } else { b"{\"job_queue\":\"q\"}" };
    let answer = wire::send(server.addr, &request(method, path, &headers, body));
    let held = answer.as_ref().is_some_and(|answer| answer.status == 403);
    Outcome::new(held, seen(answer))
}

fn rebound() -> Outcome {
    let server = Server::new(&[]);
    let headers = [
        wire::JSON[0],
        ("Host", "evil.example"),
        ("Origin", "http://evil.example"),
        ("Sec-Fetch-Site", "same-origin"),
    ];
    let body = b"{\"job_queue\":\"q\"}";
    let answer = wire::send(server.addr, &request("POST", "/v1/job", &headers, body));
    let held = answer.as_ref().is_some_and(|answer| answer.status == 403);
    Outcome::new(held, seen(answer))
}
