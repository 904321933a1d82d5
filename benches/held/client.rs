use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Printed once every agent's first request is held.
pub(crate) const PARKED: &str = "parked";

/// How many jobs are submitted, and the pause between them.
const JOBS: usize = 2000;
const PAUSE: Duration = Duration::from_millis(5);

/// When each job was submitted, acknowledged and delivered, and how often it was delivered.
#[derive(Default)]
struct Seen {
    submitted: HashMap<String, Instant>,
    acknowledged: HashMap<String, Instant>,
    delivered: HashMap<String, (Instant, usize)>,
}

pub(crate) async fn run(addr: &str, agents: usize) {
    let seen = Arc::new(Mutex::new(Seen::default()));
    for agent in 0..agents {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let seen = Arc::clone(&seen);
        tokio::spawn(async move {
            loop {
                let head = format!(
                    "GET /v1/job?queue=q{agent} HTTP/1.1\r\nHost: x\r\nCookie: agent_name=a{agent}\r\n\r\n"
                );
                let (status, body) = exchange(&mut stream, &head).await;
                let at = Instant::now();
                if status == 200 {
                    let id = job_id(&body);
                    seen.lock().unwrap().delivered.entry(id.clone()).or_insert((at, 0)).1 += 1;
                    // The first request of a stock agent; without it the same job would rightly be handed out again.
                    let done = "{\"job_state\":\"complete\"}";
                    let head = format!(
                        "POST /v1/result/{id} HTTP/1.1\r\nHost: x\r\nCookie: agent_name=a{agent}\r\n\
                         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{done}",
                        done.len()
                    );
                    assert_eq!(exchange(&mut stream, &head).await.0, 200);
                }
            }
        });
    }
    // All requests are sent. When nothing moves any more, the server has parked all of them.
    tokio::time::sleep(Duration::from_secs(3)).await;
    println!("{PARKED}");
    let mut submitter = TcpStream::connect(addr).await.unwrap();
    for job in 0..JOBS {
        let body = format!("{{\"job_queue\":\"q{}\"}}", (job * 7919) % agents);
        let head = format!(
            "POST /v1/job HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let begun = Instant::now();
        let (status, answer) = exchange(&mut submitter, &head).await;
        let acknowledged = Instant::now();
        assert_eq!(status, 200, "{answer}");
        let id = job_id(&answer);
        seen.lock().unwrap().submitted.insert(id.clone(), begun);
        seen.lock().unwrap().acknowledged.insert(id, acknowledged);
        tokio::time::sleep(PAUSE).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    report(&seen.lock().unwrap());
}

fn report(seen: &Seen) {
    let spans = |ends: &dyn Fn(&String) -> Option<Instant>| {
        let spans = seen.submitted.iter().filter_map(|(id, begun)| Some(ends(id)? - *begun));
        let mut spans: Vec<Duration> = spans.collect();
        spans.sort_unstable();
        spans
    };
    let acknowledged = spans(&|id| seen.acknowledged.get(id).copied());
    let delivered = spans(&|id| seen.delivered.get(id).map(|(at, _)| *at));
    for percent in [50, 99] {
        let at = |spans: &[Duration]| spans[(spans.len() - 1) * percent / 100].as_secs_f64() * 1e3;
        let (a, d) = (at(&acknowledged), at(&delivered));
        println!("p{percent}: acknowledged {a:.2} ms, delivered {d:.2} ms, ratio {:.2}", d / a);
    }
    let lost = seen.submitted.keys().filter(|id| !seen.delivered.contains_key(*id)).count();
    let doubled = seen.delivered.values().filter(|(_, count)| *count > 1).count();
    println!("{} submitted, {lost} lost, {doubled} doubled", seen.submitted.len());
}

fn job_id(body: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(body).unwrap();
    value["job_id"].as_str().unwrap().to_owned()
}

/// Sends a request and reads its answer.
async fn exchange(stream: &mut TcpStream, request: &str) -> (u16, String) {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .filter_map(|line| line.split_once(": "))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(0, |(_, value)| value.parse().unwrap());
            if body.len() >= length {
                return (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned());
            }
        }
        let mut chunk = [0; 2048];
        let read = stream.read(&mut chunk).await.unwrap();
        assert_ne!(read, 0, "the server closed the connection");
        bytes.extend_from_slice(&chunk[..read]);
    }
}
