//! A part of a lab as a program of its own, so that somebody can kill it: `benches/soak`.
//!
//! `play URL FIRST LAST OF PEOPLE PACE`: the agents from FIRST to before LAST of OF, as many people, and the pace in
//! milliseconds. What the server has acknowledged is printed line by line: when (microseconds since the epoch), a word, a job,
//! and what belongs to it. When its standard input says something people submit no more; when that ends so does everything.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use testflinger_server::demo::Error;
use testflinger_server::demo::simulator::{Book, Caller, Crew, Told};
use testflinger_server::domain::{Clock as _, SystemClock};

struct Lines;

impl Lines {
    fn say(words: std::fmt::Arguments<'_>) {
        // One call, so that a line is there as a whole or not at all when this program is killed.
        let line = format!("{} {words}\n", SystemClock.now().as_micros());
        std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
    }
}

impl Book for Lines {
    fn note(&self, told: Told<'_>) {
        match told {
            Told::Submitted { job } => Self::say(format_args!("submitted {job}")),
            Told::Claimed { agent, job } => Self::say(format_args!("claimed {job} {agent}")),
            Told::Logged { job, fragment } => Self::say(format_args!("logged {job} {fragment}")),
            Told::Uploaded { job, file } => {
                Self::say(format_args!("uploaded {job} {}", crc32fast::hash(file)));
            }
            Told::Leaves { agent, job } => Self::say(format_args!("leaves {job} {agent}")),
            Told::Ended { job } => Self::say(format_args!("ended {job}")),
            Told::Seen { job } => Self::say(format_args!("seen {job}")),
        }
    }

    fn refused(&self, error: &Error) {
        match error {
            Error::Refused(path, status, text) => {
                Self::say(format_args!("refused {status} {path} {text}"));
            }
            other => Self::say(format_args!("unanswered - {other}")),
        }
    }
}

/// Plays until standard input ends.
pub(crate) fn run(mut words: impl Iterator<Item = String>) {
    let url = words.next().expect("a URL");
    let mut number = || words.next().expect("a number").parse::<usize>().unwrap();
    let (agents, of, people) = (number()..number(), number(), number());
    let pace = Duration::from_millis(number() as u64);
    let first = agents.start;
    let crew = Crew { agents, of, people: first..first + people, pace };
    let (closing, stop) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let threads = crew.start(&Caller::new(&url, Arc::new(Lines)), &closing, &stop);
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line).unwrap() > 0 {
        closing.store(true, Ordering::Relaxed);
    }
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().unwrap();
    }
}
