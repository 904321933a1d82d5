//! What one host can cost a server: time, memory, connections. Each attack is anonymous.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::Outcome;
use super::meter::Meter;
use super::server::Server;
use super::table::{Cost, Row};
use super::wire::{self, NOBODY, get, post};

const MIB: usize = 1 << 20;
/// How long an attack goes on at least. Of a shorter one somebody else would notice a request or two, of which the 99th
/// percentile is the slowest.
const LEAST: Duration = Duration::from_secs(2);

/// An attack on a server of its own.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    run: fn(SocketAddr) -> Outcome,
}

impl Attack {
    const fn new(name: &'static str, run: fn(SocketAddr) -> Outcome) -> Self {
        Self { name, run }
    }

    pub(crate) fn run(&self) -> Row {
        let server = Server::new(&[]);
        let idle = Meter::idle(server.addr);
        let before = server.memory("VmRSS:");
        let meter = Meter::start(server.addr);
        let begun = Instant::now();
        let outcome = self.for_a_while(server.addr);
        let took = begun.elapsed();
        let during = meter.stop();
        let memory = server.memory("VmHWM:").saturating_sub(before);
        Row::new(self.name, outcome, Cost { idle, during, memory, took })
    }

    /// Attacks until it was long enough to be felt. The first outcome stands for all, unless one is worse.
    fn for_a_while(&self, addr: SocketAddr) -> Outcome {
        let begun = Instant::now();
        let first = (self.run)(addr);
        while first.held && begun.elapsed() < LEAST {
            let again = (self.run)(addr);
            if !again.held {
                return again;
            }
        }
        first
    }
}

pub(crate) const ATTACKS: &[Attack] = &[
    Attack::new("200,000 tags, twice", |addr| names(addr, "tags")),
    Attack::new("200,000 excluded agents, twice", |addr| names(addr, "exclude_agents")),
    Attack::new("8,000 equal tags in a search", equal_tags),
    Attack::new("a multipart header without end", |addr| multipart(addr, "--x\r\nX-Name: ", b"a")),
    Attack::new("10 multipart headers without end", |addr| {
        together(10, move |_| multipart(addr, "--x\r\nX-Name: ", b"a"))
    }),
    Attack::new("a multipart preamble without end", |addr| multipart(addr, "", b"a")),
    Attack::new("a multipart of parts without end", |addr| {
        let part = b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\na\r\n";
        multipart(addr, "", part)
    }),
    Attack::new("1,500,000 keys at a token endpoint", many_keys),
    Attack::new("40 unfinished bodies", unfinished),
    Attack::new("25 agents of 12 MiB, 6 slow readers", slow_readers),
    Attack::new("a job of 12 MiB, 60 slow readers", slow_readers_of_a_job),
    Attack::new("a job of 12 MiB, claimed again 60 times", slow_claims),
    Attack::new("heads that never end", unfinished_heads),
    Attack::new("12,000 connections that say nothing", silent),
    Attack::new("100,000 names of agents", agent_names),
    Attack::new("64 guesses at once, twice", guesses),
];

/// Runs something several times at once; the first outcome stands for all, unless one is worse.
fn together(times: usize, run: impl Fn(usize) -> Outcome + Clone + Send + 'static) -> Outcome {
    let run = |n| {
        let run = run.clone();
        thread::spawn(move || run(n))
    };
    let all: Vec<_> = (0..times).map(run).collect();
    let all = all.into_iter().map(|one| one.join().unwrap());
    all.reduce(|first, other| if first.held { other } else { first }).unwrap()
}

fn status(answer: Option<&wire::Answer>) -> String {
    answer.map_or_else(|| "no answer".to_owned(), |answer| answer.status.to_string())
}

fn names(addr: SocketAddr, member: &str) -> Outcome {
    let names: Vec<String> = (0..200_000).map(|n| format!("\"n{n}\"")).collect();
    let body = format!("{{\"job_queue\":\"q\",\"{member}\":[{}]}}", names.join(","));
    together(2, move |_| {
        let answer = post(addr, "/v1/job", &body);
        let held = answer.is_some();
        Outcome::new(held, status(answer.as_ref()))
    })
}

fn equal_tags(addr: SocketAddr) -> Outcome {
    for n in 0..200 {
        post(addr, "/v1/job", &format!("{{\"job_queue\":\"q\",\"tags\":[\"a\",\"b{n}\"]}}"))
            .unwrap();
    }
    let path = format!("/v1/job/search?{}", vec!["tags=a"; 8000].join("&"));
    let answer = get(addr, &path);
    Outcome::new(answer.is_some(), status(answer.as_ref()))
}

/// What the kernel keeps for a server that reads nothing, bytes: the most that it gives to the buffers of both sides.
fn kept_by_the_kernel() -> usize {
    let most = |name: &str| -> usize {
        let sizes = std::fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).unwrap();
        sizes.split_whitespace().next_back().unwrap().parse().unwrap()
    };
    most("tcp_rmem") + most("tcp_wmem")
}

fn multipart(addr: SocketAddr, begin: &str, piece: &[u8]) -> Outcome {
    /// What the server reads away at most so that its answer arrives, and what it reads before.
    const READ: usize = 20 * MIB;
    let most = READ + kept_by_the_kernel();
    let mut stream = wire::connect(addr).unwrap();
    let head = format!(
        "POST /v1/result/{NOBODY}/artifact HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {}\r\n\r\n{begin}",
        4 * most
    );
    stream.write_all(head.as_bytes()).unwrap();
    let sent = wire::pour(&mut stream, &piece.repeat(64 * 1024 / piece.len()), 2 * most);
    Outcome::new(sent < most, format!("took {} MiB", sent / MIB))
}

fn many_keys(addr: SocketAddr) -> Outcome {
    let mut body = String::from("{");
    for n in 0..1_500_000 {
        let _ = write!(body, "\"{n:06x}\":1,");
    }
    body.push_str("\"x\":1}");
    let answer = post(addr, "/v1/oauth2/refresh", &body);
    let size = answer.as_ref().map_or(0, |answer| answer.body.len());
    let seen = format!("{} of {} KiB", status(answer.as_ref()), size >> 10);
    Outcome::new(answer.is_some() && size < MIB, seen)
}

/// How many of these connections the server has ended after a while.
fn ended(streams: Vec<TcpStream>, within: Duration, needed: usize) -> Outcome {
    let begun = Instant::now();
    let all = streams.len();
    let mut open = streams;
    while !open.is_empty() && begun.elapsed() < within {
        open.retain_mut(|stream| !wire::is_ended(stream));
        thread::sleep(Duration::from_millis(200));
    }
    let ended = all - open.len();
    let seen = format!("{ended} of {all} ended after {} s", begun.elapsed().as_secs());
    Outcome::new(ended >= needed, seen)
}

fn unfinished(addr: SocketAddr) -> Outcome {
    let head = format!(
        "POST /v1/job HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        16 * MIB
    );
    let streams: Vec<_> = (0..40)
        .map(|_| {
            let mut stream = wire::connect(addr).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            wire::pour(&mut stream, &[b' '; 16 * 1024], 16 * MIB - 16 * 1024);
            stream
        })
        .collect();
    ended(streams, Duration::from_secs(40), 40)
}

/// So many agents and what each says about itself.
fn large_agents(addr: SocketAddr, count: usize, size: usize) {
    let body = format!("{{\"comment\":\"{}\"}}", "x".repeat(size));
    for n in 0..count {
        post(addr, &format!("/v1/agents/data/a{n}"), &body);
    }
}

/// Asks for something so often, and reads a little of each answer now and then.
fn read_slowly(addr: SocketAddr, path: &str, cookie: &str, readers: usize) -> Outcome {
    const LONG: Duration = Duration::from_secs(10);
    let streams: Vec<_> = (0..readers)
        .map(|_| {
            let mut stream = wire::connect(addr).unwrap();
            stream.write_all(&wire::request("GET", path, &[("Cookie", cookie)], b"")).unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
            stream
        })
        .collect();
    let begun = Instant::now();
    let mut streams = streams;
    while begun.elapsed() < LONG {
        for stream in &mut streams {
            let _ = stream.read(&mut [0; 64]);
        }
        thread::sleep(Duration::from_millis(500));
    }
    Outcome::new(true, format!("{readers} readers"))
}

fn slow_readers(addr: SocketAddr) -> Outcome {
    large_agents(addr, 25, 12 * MIB);
    read_slowly(addr, "/v1/agents/data", "", 6)
}

fn slow_readers_of_a_job(addr: SocketAddr) -> Outcome {
    let body = format!("{{\"job_queue\":\"q\",\"x\":\"{}\"}}", "x".repeat(12 * MIB));
    let answer = post(addr, "/v1/job", &body);
    let Some(id) =
        answer.as_ref().and_then(|answer| Some(answer.json()["job_id"].as_str()?.to_owned()))
    else {
        return Outcome::new(true, status(answer.as_ref()));
    };
    read_slowly(addr, &format!("/v1/job/{id}"), "", 60)
}

/// An agent that does not acknowledge its job gets it again.
fn slow_claims(addr: SocketAddr) -> Outcome {
    let body = format!("{{\"job_queue\":\"q\",\"x\":\"{}\"}}", "x".repeat(12 * MIB));
    post(addr, "/v1/job", &body);
    read_slowly(addr, "/v1/job?queue=q", "agent_name=a", 60)
}

fn unfinished_heads(addr: SocketAddr) -> Outcome {
    let streams: Vec<_> = (0..500)
        .map(|_| {
            let mut stream = wire::connect(addr).unwrap();
            stream.write_all(b"GET /v1 HTTP/1.1\r\nHost: localhost\r\nX: ").unwrap();
            stream
        })
        .collect();
    ended(streams, Duration::from_secs(40), 500)
}

fn silent(addr: SocketAddr) -> Outcome {
    let streams: Vec<_> = (0..12_000).map_while(|_| wire::connect_from_elsewhere(addr)).collect();
    let answer = get(addr, "/v1");
    let held = answer.as_ref().is_some_and(|answer| answer.status == 200);
    thread::sleep(Duration::from_secs(2));
    Outcome::new(
        held,
        format!("{} connections, then GET /v1: {}", streams.len(), status(answer.as_ref())),
    )
}

fn agent_names(addr: SocketAddr) -> Outcome {
    const EACH: usize = 25_000;
    let name = "x".repeat(1000);
    together(4, move |group| {
        let mut stream = wire::connect(addr).unwrap();
        let mut reader = stream.try_clone().unwrap();
        let drain = thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(1..) = reader.read(&mut buffer) {}
        });
        for n in 0..EACH {
            let last = if n + 1 == EACH { "Connection: close\r\n" } else { "" };
            let request = format!(
                "GET /v1/result/{NOBODY} HTTP/1.1\r\nHost: localhost\r\n{last}Cookie: agent_name={group}-{n}-{name}\r\n\r\n"
            );
            if stream.write_all(request.as_bytes()).is_err() {
                break;
            }
        }
        drain.join().unwrap();
        Outcome::new(true, "")
    })
}

fn guesses(addr: SocketAddr) -> Outcome {
    let guess = move |n: usize| {
        use base64::Engine as _;
        let encoded = base64::engine::general_purpose::STANDARD.encode(format!("admin:guess-{n}"));
        let headers = [("Authorization", &*format!("Basic {encoded}"))];
        let answer = wire::send(addr, &wire::request("POST", "/v1/oauth2/token", &headers, b""));
        answer.map_or(0, |answer| answer.status)
    };
    let mut judged = Vec::new();
    for _ in 0..2 {
        let all: Vec<_> = (0..64).map(|n| thread::spawn(move || guess(n))).collect();
        let all = all.into_iter().map(|one| one.join().unwrap());
        judged.push(all.filter(|&status| status == 401).count());
    }
    let total: usize = judged.iter().sum();
    Outcome::new(total <= 12, format!("{} and {} guesses were judged", judged[0], judged[1]))
}
