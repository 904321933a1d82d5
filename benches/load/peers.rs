//! The same pair over the protocols of PostgreSQL, Redis and beanstalkd, as durable as ours: each statement is on disk
//! before it is answered, if the server is configured as `benches/peers/compare` does.

use std::fmt::Write as _;

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::drive::Worker;
use crate::http::job;

struct Wire {
    stream: TcpStream,
    read: BytesMut,
}

impl Wire {
    async fn open(addr: &str) -> Self {
        let stream = TcpStream::connect(addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, read: BytesMut::new() }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    async fn fill(&mut self) {
        self.read.reserve(4096);
        assert_ne!(self.stream.read_buf(&mut self.read).await.unwrap(), 0, "the peer hung up");
    }

    async fn take(&mut self, length: usize) -> BytesMut {
        while self.read.len() < length {
            self.fill().await;
        }
        self.read.split_to(length)
    }

    /// A line without its end.
    async fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.read.windows(2).position(|two| two == b"\r\n") {
                let line = self.read.split_to(end);
                self.read.advance(2);
                return String::from_utf8(line.to_vec()).unwrap();
            }
            self.fill().await;
        }
    }
}

/// A table with the index that a claim needs, and `SKIP LOCKED`.
pub(crate) struct PostgreSql {
    wire: Wire,
    queue: String,
    job: String,
}

const SCHEMA: &str = "DROP TABLE IF EXISTS jobs; \
    CREATE TABLE jobs (id bigserial PRIMARY KEY, queue text NOT NULL, priority int NOT NULL DEFAULT 0, \
        state int NOT NULL DEFAULT 0, body jsonb NOT NULL); \
    CREATE INDEX ON jobs (queue, state, priority DESC, id);";
const SUBMIT: &str = "INSERT INTO jobs (queue, body) VALUES ($1, $2::text::jsonb) RETURNING id";
const CLAIM: &str = "UPDATE jobs SET state = 1 WHERE id = (SELECT id FROM jobs WHERE queue = $1 AND state = 0 \
    ORDER BY priority DESC, id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING body";

impl PostgreSql {
    pub(crate) async fn prepare(addr: &str) {
        let mut one = Self::connect(addr, String::new()).await;
        let mut message = SCHEMA.as_bytes().to_vec();
        message.push(0);
        one.send(b'Q', &message).await;
        one.ready().await;
    }

    pub(crate) async fn open(addr: &str, queue: String) -> Self {
        let mut one = Self::connect(addr, queue).await;
        for (name, statement) in [("submit", SUBMIT), ("claim", CLAIM)] {
            one.send(b'P', format!("{name}\0{statement}\0\0\0").as_bytes()).await;
        }
        one.send(b'S', &[]).await;
        one.ready().await;
        one
    }

    async fn connect(addr: &str, queue: String) -> Self {
        let mut wire = Wire::open(addr).await;
        let words = b"user\0postgres\0database\0postgres\0\0";
        let mut start = BytesMut::new();
        start.put_i32(8 + i32::try_from(words.len()).unwrap());
        start.put_i32(196_608);
        start.put_slice(words);
        wire.send(&start).await;
        let mut one = Self { wire, job: job(&queue), queue };
        one.ready().await;
        one
    }

    async fn send(&mut self, kind: u8, message: &[u8]) {
        self.wire.send(&framed(kind, message)).await;
    }

    /// Runs a prepared statement and gives the rows that it answers.
    async fn execute(&mut self, name: &str, values: &[&str]) -> usize {
        let mut bind = format!("\0{name}\0").into_bytes();
        bind.put_i16(0);
        bind.put_i16(i16::try_from(values.len()).unwrap());
        for value in values {
            bind.put_i32(i32::try_from(value.len()).unwrap());
            bind.extend_from_slice(value.as_bytes());
        }
        bind.put_i16(0);
        let mut all = framed(b'B', &bind);
        all.extend(framed(b'E', &[0; 5]));
        all.extend(framed(b'S', &[]));
        self.wire.send(&all).await;
        self.ready().await
    }

    /// Reads until the server waits for the next statement; gives the rows that came.
    async fn ready(&mut self) -> usize {
        let mut rows = 0;
        loop {
            let mut head = self.wire.take(5).await;
            let (kind, length) = (head.get_u8(), head.get_i32());
            let body = self.wire.take(usize::try_from(length).unwrap() - 4).await;
            match kind {
                b'Z' => return rows,
                b'D' => rows += 1,
                b'E' => panic!("PostgreSQL: {}", String::from_utf8_lossy(&body)),
                _ => {}
            }
        }
    }
}

fn framed(kind: u8, message: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.put_i32(4 + i32::try_from(message.len()).unwrap());
    bytes.extend_from_slice(message);
    bytes
}

impl Worker for PostgreSql {
    async fn turn(&mut self) {
        let (queue, job) = (self.queue.clone(), self.job.clone());
        self.execute("submit", &[&queue, &job]).await;
        // A row that somebody else has just locked is skipped, so there may be none although a job waits: ask again.
        while self.execute("claim", &[&queue]).await == 0 {}
    }
}

/// A hash for each job and a sorted set for each queue, changed by scripts.
pub(crate) struct Redis {
    wire: Wire,
    queue: String,
    job: String,
    submit: String,
    claim: String,
}

const REDIS_SUBMIT: &str = "local id = redis.call('INCR', 'last') \
    redis.call('HSET', 'job:' .. id, 'body', ARGV[1], 'state', 'waiting') \
    redis.call('ZADD', KEYS[1], id, id) return id";
const REDIS_CLAIM: &str = "local found = redis.call('ZPOPMIN', KEYS[1]) if #found == 0 then return false end \
    redis.call('HSET', 'job:' .. found[1], 'state', 'running') return redis.call('HGET', 'job:' .. found[1], 'body')";

impl Redis {
    pub(crate) async fn prepare(addr: &str) {
        Self::open(addr, String::new()).await.call(&["FLUSHALL"]).await;
    }

    pub(crate) async fn open(addr: &str, queue: String) -> Self {
        let (wire, job) = (Wire::open(addr).await, job(&queue));
        let mut one = Self { wire, queue, job, submit: String::new(), claim: String::new() };
        one.submit = one.call(&["SCRIPT", "LOAD", REDIS_SUBMIT]).await.unwrap();
        one.claim = one.call(&["SCRIPT", "LOAD", REDIS_CLAIM]).await.unwrap();
        one
    }

    async fn call(&mut self, words: &[&str]) -> Option<String> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            write!(request, "${}\r\n{word}\r\n", word.len()).unwrap();
        }
        self.wire.send(request.as_bytes()).await;
        let line = self.wire.line().await;
        let (kind, rest) = line.split_at(1);
        match kind {
            "$" if rest == "-1" => None,
            "$" => {
                let length: usize = rest.parse().unwrap();
                let bytes = self.wire.take(length + 2).await;
                Some(String::from_utf8(bytes[..length].to_vec()).unwrap())
            }
            "-" => panic!("Redis: {rest}"),
            _ => Some(rest.to_owned()),
        }
    }
}

impl Worker for Redis {
    async fn turn(&mut self) {
        let (queue, job) = (self.queue.clone(), self.job.clone());
        let (submit, claim) = (self.submit.clone(), self.claim.clone());
        self.call(&["EVALSHA", &submit, "1", &queue, &job]).await;
        assert!(self.call(&["EVALSHA", &claim, "1", &queue]).await.is_some());
    }
}

/// A tube for each queue. `reserve` is not on disk, so a claim that lasts is a reservation and a deletion.
pub(crate) struct Beanstalkd {
    wire: Wire,
    job: String,
}

impl Beanstalkd {
    pub(crate) async fn open(addr: &str, queue: &str) -> Self {
        let mut one = Self { wire: Wire::open(addr).await, job: job(queue) };
        for command in
            [format!("use {queue}"), format!("watch {queue}"), "ignore default".to_owned()]
        {
            one.ask(&format!("{command}\r\n")).await;
        }
        one
    }

    async fn ask(&mut self, request: &str) -> String {
        self.wire.send(request.as_bytes()).await;
        self.wire.line().await
    }
}

impl Worker for Beanstalkd {
    async fn turn(&mut self) {
        let put = format!("put 0 0 3600 {}\r\n{}\r\n", self.job.len(), self.job);
        let answer = self.ask(&put).await;
        assert!(answer.starts_with("INSERTED"), "{answer}");
        let answer = self.ask("reserve\r\n").await;
        let words: Vec<&str> = answer.split(' ').collect();
        assert_eq!(words[0], "RESERVED", "{answer}");
        self.wire.take(words[2].parse::<usize>().unwrap() + 2).await;
        assert_eq!(self.ask(&format!("delete {}\r\n", words[1])).await, "DELETED");
    }
}
