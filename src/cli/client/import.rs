//! `client-admin import`: imports the clients of an existing server.
//!
//! A line, or an item of one list (`--jsonArray`), is a JSON object as `mongoexport --collection client_permissions` writes
//! it: `client_id`, `client_secret_hash` (bcrypt), `role`, `max_priority`, `max_reservation_time`, `allowed_queues`. The hash is
//! kept as it is, and the first good login replaces it by argon2id. A record without a hash is skipped: its client logs in
//! through another service, which this server does not know. Importing twice changes nothing. Another collection says
//! which queues are restricted, so the command names the queues that a record allows and that are open here.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::super::Failure;
use super::super::admin::{Admin, failure};
use super::super::output::{say, tell};
use super::super::queue;
use super::{admin_path, new_id, public_path};
use crate::auth::passwords::{Effort, bcrypt_cost};

#[derive(Default)]
struct Counts {
    created: usize,
    there: usize,
    skipped: usize,
    refused: usize,
}

/// What a record says.
enum Record {
    /// A client to create, and its id.
    Client(String, Value),
    /// The id of a client without a secret.
    NoSecret(String),
}

/// Reads the file and creates the clients that do not exist yet.
pub(super) fn run(admin: &mut Admin, file: &Path, dry_run: bool) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::file(file, &error);
    let text = std::fs::read_to_string(file).map_err(failed)?;
    let mut counts = Counts::default();
    let mut allowed = BTreeMap::new();
    for (place, record) in records(&text)? {
        match record.and_then(|record| read(&record)) {
            Ok(Record::NoSecret(id)) => {
                tell!("{id}: skipped, because the record has no client_secret_hash");
                counts.skipped += 1;
            }
            Ok(Record::Client(id, body)) => {
                let queues = body["allowed_queues"].as_array().into_iter().flatten();
                let queues = queues.filter_map(Value::as_str).map(str::to_owned);
                for queue in queues {
                    allowed.entry(queue).or_insert_with(|| id.clone());
                }
                one(admin, &id, &body, dry_run, &mut counts)?;
            }
            Err(message) => {
                tell!("{place}: {message}");
                counts.refused += 1;
            }
        }
    }
    for (queue, owner) in &allowed {
        if admin.try_call("GET", &queue::public_path(queue), None)?.status == 404 {
            tell!(
                "{queue} is open to everybody here; to restrict it: \
                 testflinger-server queue-admin restrict {queue} --owner {owner}"
            );
        }
    }
    let verb = if dry_run { "would be created" } else { "created" };
    let Counts { created, there, skipped, refused } = counts;
    say!("{created} {verb}, {there} already there, {refused} refused, {skipped} skipped");
    if refused > 0 { Err(Failure::new(1, "some records were refused")) } else { Ok(()) }
}

fn one(
    admin: &mut Admin,
    id: &str,
    body: &Value,
    dry_run: bool,
    counts: &mut Counts,
) -> Result<(), Failure> {
    if admin.try_call("GET", &public_path(id), None)?.status == 200 {
        tell!("{id}: already there, left unchanged");
        counts.there += 1;
        return Ok(());
    }
    if dry_run {
        say!("{id}: would be created");
        counts.created += 1;
        return Ok(());
    }
    let reply = admin.try_call("POST", &admin_path(id), Some(body))?;
    if reply.status == 200 {
        say!("{id}: created");
        counts.created += 1;
    } else {
        tell!("{id}: {}", failure(&reply).message);
        counts.refused += 1;
    }
    Ok(())
}

/// The JSON of a record, or why it is none, and where it stands.
type Found = (String, Result<Value, String>);

/// The records of a file: one a line, or all in a list.
fn records(text: &str) -> Result<Vec<Found>, Failure> {
    if text.trim_start().starts_with('[') {
        let records: Vec<Value> = serde_json::from_str(text)
            .map_err(|error| Failure::new(1, format!("not a list of JSON objects: {error}")))?;
        let place = |n| format!("record {}", n + 1);
        return Ok(records.into_iter().enumerate().map(|(n, it)| (place(n), Ok(it))).collect());
    }
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let record = |(n, line): (usize, &str)| {
        let record = serde_json::from_str(line);
        let record = record.map_err(|error| format!("not a JSON object: {error}"));
        (format!("line {}", n + 1), record)
    };
    Ok(lines.map(record).collect())
}

/// Reads a record. An error never repeats the hash.
fn read(record: &Value) -> Result<Record, String> {
    let text = |name: &str| record[name].as_str().filter(|text| !text.is_empty());
    let id = text("client_id").ok_or("client_id is missing")?.to_owned();
    new_id(&id).map_err(|message| format!("{id}: {message}"))?;
    let Some(hash) = text("client_secret_hash") else { return Ok(Record::NoSecret(id)) };
    bcrypt_cost(hash).map_err(|message| format!("{id}: client_secret_hash {message}"))?;
    if let Some(remark) = Effort::of(hash).remark() {
        tell!("{id}: {remark}");
    }
    let mut body = Map::new();
    body.insert("secret_hash".to_owned(), json!(hash));
    for name in ["role", "email", "allowed_queues"] {
        body.insert(name.to_owned(), record[name].clone());
    }
    for name in ["max_priority", "max_reservation_time"] {
        body.insert(name.to_owned(), numbers(&record[name]));
    }
    Ok(Record::Client(id, Value::Object(body)))
}

/// MongoDB's extended JSON writes numbers as objects: `{"$numberInt": "5"}`.
fn numbers(value: &Value) -> Value {
    let plain = |value: &Value| match value {
        Value::Object(map) if map.len() == 1 => map
            .iter()
            .find(|(key, _)| key.starts_with("$number"))
            .map_or_else(|| value.clone(), |(_, number)| number.clone()),
        other => other.clone(),
    };
    match value {
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.clone(), plain(value))).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2b$08$abcdefghijklmnopqrstuuJ8Uj8YhQ6zJ1ZqKx0m8Zb1c2d3e4f5g";

    #[test]
    fn records_as_mongoexport_writes_them_are_read() {
        let line = json!({
            "_id": { "$oid": "6650" },
            "client_id": "ci",
            "client_secret_hash": HASH,
            "role": "contributor",
            "max_priority": { "q": { "$numberInt": "5" }, "*": 1 },
            "max_reservation_time": {},
            "allowed_queues": ["rq"],
        });
        let Ok(Record::Client(id, body)) = read(&line) else { panic!("no client") };
        assert_eq!(id, "ci");
        assert_eq!(body["max_priority"], json!({ "q": "5", "*": 1 }));
        assert_eq!(body["allowed_queues"], json!(["rq"]));
    }

    #[test]
    fn unusable_records_are_refused_without_repeating_the_hash() {
        let record = |hash: &str| json!({ "client_id": "ci", "client_secret_hash": hash });
        let beyond = HASH.replace("$08$", "$32$");
        for (line, word) in [
            (&json!("{"), "client_id"),
            (&json!({}), "client_id"),
            (&record("hunter2"), "bcrypt"),
            (&record(&beyond), "bcrypt"),
        ] {
            let Err(error) = read(line) else { panic!("{line}") };
            assert!(error.contains(word) && !error.contains("hunter2"), "{error}");
        }
    }
}
