//! Plays a conversation against a server and checks each answer.
//!
//! A script is text. `[name]` begins a part; each line of a part is one request and what must come back:
//!
//! ```text
//! who METHOD path [json {..} | text ".." | file ".."] => status [answer] [as name]
//! ```
//!
//! An answer that is a JSON string is the whole text of the body. Any other one is JSON of which the body must hold every
//! member, where `null` stands for a member that must not be there. `as name` remembers the answer's `job_id`, which later
//! lines write as `$name`; `$submitter` is the client of the command line, or `null`. `LOOK $job` asks for the state of a job where the generation looks for it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use testflinger_server::config::{Mode, Raw, Span};

use super::generation::{Generation, Pair};
use crate::support::{Answer, Caller, Hook, Part, TestServer, hook};

/// A server, a command line and an agent that talk to it, and the jobs that they have named so far.
pub(super) struct Play {
    pub(super) server: TestServer,
    pub(super) pair: Pair,
    callers: BTreeMap<&'static str, Caller>,
    names: BTreeMap<String, String>,
    hook: Hook,
}

impl Play {
    pub(super) fn of(pair: Pair) -> Self {
        Self::holding(pair, Duration::ZERO)
    }

    /// A play on a server that holds the requests of agents for so long.
    pub(super) fn holding(pair: Pair, hold: Duration) -> Self {
        let hook = hook();
        let webhook_url = Some(hook.url.parse().unwrap());
        let raw =
            Raw { access: Some(pair.mode), hold: Some(Span(hold)), webhook_url, ..Raw::default() };
        let server = TestServer::with(raw);
        let bare = server.anonymous();
        let (mut agent, mut named, mut boss) = (bare.clone(), bare.clone(), bare.clone());
        if pair.mode != Mode::Open {
            server.client("rig-token", "agent");
            server.client("dev", "contributor");
            boss = server.client("boss", "admin");
            agent = pair.agent.shows(bare.clone(), &server.token("rig-token"));
            named = pair.cli.shows(bare.clone(), &server.token("dev"));
        }
        let callers = [
            ("agent", agent),
            ("bare", bare.clone()),
            ("cli", bare),
            ("named", named),
            ("boss", boss),
        ];
        let submitter = if pair.mode == Mode::Open { "null" } else { "\"dev\"" };
        let known = [("hook", format!("{}/200", hook.url)), ("submitter", submitter.to_owned())];
        Self {
            server,
            pair,
            callers: callers.into(),
            names: known.map(|(name, value)| (name.to_owned(), value)).into(),
            hook,
        }
    }

    /// Plays these parts of the command line's script.
    pub(super) fn cli(&mut self, parts: &[&str]) {
        let cli = self.pair.cli;
        self.parts(cli, cli.cli_script(), parts);
    }

    /// Plays these parts of the agent's script.
    pub(super) fn agent(&mut self, parts: &[&str]) {
        let agent = self.pair.agent;
        self.parts(agent, agent.agent_script(), parts);
    }

    /// What has reached the webhook.
    pub(super) fn noted(&self) -> Vec<String> {
        self.hook.asked.try_iter().map(|(_, body)| body).collect()
    }

    fn parts(&mut self, generation: Generation, script: &str, parts: &[&str]) {
        for part in parts {
            let lines = part_of(script, part);
            assert!(!lines.is_empty(), "{generation:?} has no part {part}");
            for line in lines {
                self.line(generation, line).unwrap_or_else(|what| {
                    panic!("{:?}\n[{part}] {line}\n{what}", self.pair);
                });
            }
        }
    }

    fn line(&mut self, generation: Generation, line: &str) -> Result<(), String> {
        let text = self
            .names
            .iter()
            .fold(line.to_owned(), |text, (name, value)| text.replace(&format!("${name}"), value));
        let (request, expected) = text.split_once(" => ").ok_or("not a line of a script")?;
        let answer = self.send(generation, request)?;
        self.keep_cookie(request, &answer);
        let (expected, name) = match expected.rsplit_once(" as ") {
            Some((expected, name)) => (expected, Some(name)),
            None => (expected, None),
        };
        let (status, body) = expected.split_once(' ').unwrap_or((expected, ""));
        let is_so =
            answer.status.to_string() == status && (body.is_empty() || holds(&answer, body));
        if !is_so {
            return Err(format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)));
        }
        if let Some(name) = name {
            let id = answer.value()["job_id"].as_str().ok_or("no job_id")?.to_owned();
            self.names.insert(name.to_owned(), id);
        }
        Ok(())
    }

    fn send(&self, generation: Generation, request: &str) -> Result<Answer, String> {
        let (who, rest) = request.split_once(char::is_whitespace).ok_or("who asks?")?;
        let caller = self.callers.get(who).ok_or("nobody of that name")?;
        let mut words = rest.trim_start().splitn(4, ' ');
        let mut word = || words.next().unwrap_or_default();
        let (method, path, kind, body) = (word(), word(), word(), word());
        let text = || serde_json::from_str::<String>(body).map_err(|error| error.to_string());
        Ok(match (method, kind) {
            ("LOOK", _) => caller.get(&generation.look(path)),
            (_, "json") => caller.json(method, path, body),
            (_, "file") => caller.upload(path, &[Part("file", text()?.as_bytes())]),
            (_, "text") => caller.send(method, path, text()?.as_bytes()),
            _ => caller.send(method, path, b""),
        })
    }

    /// Agents are sessions that keep cookies.
    fn keep_cookie(&mut self, request: &str, answer: &Answer) {
        let set = answer.header("Set-Cookie").and_then(|cookie| cookie.split(';').next());
        if let (true, Some(cookie)) = (request.starts_with("agent"), set) {
            let agent = self.callers["agent"].without("Cookie").header("Cookie", cookie);
            self.callers.insert("agent", agent);
        }
    }
}

/// The lines of one part of a script.
fn part_of<'a>(script: &'a str, part: &str) -> Vec<&'a str> {
    let lines = script.lines().skip_while(|line| *line != format!("[{part}]")).skip(1);
    lines.take_while(|line| !line.starts_with('[')).filter(|line| !line.is_empty()).collect()
}

fn holds(answer: &Answer, expected: &str) -> bool {
    match serde_json::from_str(expected) {
        Ok(Value::String(text)) => answer.body == text.as_bytes(),
        Ok(expected) => serde_json::from_slice(&answer.body)
            .is_ok_and(|found: Value| contains(&found, &expected)),
        Err(error) => panic!("{expected}: {error}"),
    }
}

/// Whether `found` is `expected`, with more members perhaps.
fn contains(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            expected.iter().all(|(name, value)| match found.get(name) {
                None => value.is_null(),
                Some(found) => !value.is_null() && contains(found, value),
            })
        }
        (Value::Array(found), Value::Array(expected)) => {
            found.len() >= expected.len()
                && found.iter().zip(expected).all(|(found, expected)| contains(found, expected))
        }
        _ => found == expected,
    }
}
