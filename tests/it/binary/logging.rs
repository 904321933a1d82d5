//! What the program logs, and how: docs/LOGGING.md.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Answer, Program, program, until};

fn lines(log: &[String]) -> Vec<Value> {
    log.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_line_about_a_request_has_the_id_that_its_answer_has() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::serve_with(dir.path(), &["--log-format", "json", "--log", "debug"]);
    let agent = program.anonymous().header("Cookie", "agent_name=rack");
    let unknown = "/v1/result/00000000-0000-0000-0000-000000000000";
    let answer = agent.post(unknown, &json!({ "test_status": 0 }));
    let other = program.anonymous().get("/nowhere");
    let id = |answer: &Answer| answer.header("x-request-id").unwrap().to_owned();
    assert_ne!(id(&answer), id(&other));
    let log = lines(&program.stop());
    let of = |id: &str| -> Vec<&Value> {
        log.iter().filter(|line| line["span"]["id"] == id).map(|line| &line["fields"]).collect()
    };
    let about = of(&id(&answer));
    let messages: Vec<&Value> = about.iter().map(|fields| &fields["message"]).collect();
    // The first is written on the writer's thread.
    assert_eq!(messages, ["a result was posted for an unknown job", "request"]);
    let request = about[1];
    for (field, value) in [
        ("method", json!("POST")),
        ("path", json!(unknown)),
        ("route", json!("/v1/result/{id}")),
        ("caller", json!("rack")),
        ("status", json!(200)),
    ] {
        assert_eq!(request[field], value, "{field}");
    }
    assert!(request["micros"].as_u64().unwrap() > 0);
    let request = of(&id(&other))[0];
    assert_eq!((&request["status"], &request["route"]), (&json!(404), &Value::Null));
    assert_eq!(request["caller"], Value::Null);
}

#[test]
fn a_line_for_the_journal_has_its_priority_and_no_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let journal = std::fs::File::create(&path).unwrap();
    let found = journal.metadata().unwrap();
    let stream = format!("{}:{}", found.dev(), found.ino());
    let mut child = program()
        .args(["serve", "--listen", "0.0.0.0:0", "--data-dir"])
        .arg(dir.path().join("data"))
        .env("JOURNAL_STREAM", &stream)
        .stderr(journal)
        .spawn()
        .unwrap();
    let log = || std::fs::read_to_string(&path).unwrap();
    until("it has warned", || log().contains("act as an agent"));
    let text = log();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(text.starts_with("<6> INFO listening on http://"), "{text}");
    let warning = text.lines().find(|line| line.contains("act as an agent")).unwrap();
    assert!(warning.starts_with("<4> WARN "), "{warning}");
    // A child of a service inherits the variable, but its standard error leads elsewhere.
    let inherited =
        Program::serve_in(&dir.path().join("other"), &[], &[("JOURNAL_STREAM", &stream)]);
    let inherited = inherited.stop();
    assert!(inherited.iter().all(|line| line.starts_with("20")), "{inherited:?}");
}

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// What stands in backquotes in the first column of a chapter's table.
fn column(chapter: &str) -> Vec<String> {
    let text = read("docs/LOGGING.md");
    let chapter = text.split("\n## ").find(|part| part.starts_with(chapter)).unwrap();
    let rows = chapter.lines().filter(|line| line.starts_with("| `"));
    let first = rows.filter_map(|row| row.split(" | ").next().map(str::to_owned));
    let words = first.flat_map(|cell| {
        let parts: Vec<String> = cell.split('`').map(str::to_owned).collect();
        parts.into_iter().skip(1).step_by(2)
    });
    words.collect()
}

#[test]
fn every_event_and_message_that_is_described_is_in_the_sources() {
    fn sources(dir: &Path, all: &mut String) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, all);
            } else if path.extension().is_some_and(|end| end == "rs") {
                all.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut all = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    // A message may go on in the next line.
    let all = all.replace("\\\n", "").split_whitespace().collect::<Vec<_>>().join(" ");
    for message in column("What else") {
        assert!(all.contains(message.trim_end()), "{message}");
    }
    let described: BTreeSet<String> = column("Security").into_iter().collect();
    for event in &described {
        assert!(all.contains(&format!("\"{event}\"")), "{event}");
    }
    let table = read("src/app/audit.rs");
    let words = table.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next());
    let missing: Vec<&str> = words.filter(|word| !described.contains(*word)).collect();
    assert!(missing.is_empty(), "docs/LOGGING.md does not describe {missing:?}");
    for field in column("Requests").iter().filter(|field| *field != "path") {
        assert!(all.contains(field.as_str()), "{field}");
    }
}
