//! `/openapi.json`

use std::collections::BTreeSet;

use serde_json::Value;
use testflinger_server::config::{Mode, Raw};

use crate::support::TestServer;
use crate::support::contract::fits;

fn document() -> Value {
    let server = TestServer::with(Raw { access: Some(Mode::Locked), ..Raw::default() });
    let answer = server.anonymous().without_contract().get("/openapi.json");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer.value()
}

#[test]
fn it_is_as_it_was_when_somebody_last_looked_at_it() {
    let text = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    if std::env::var_os("TESTFLINGER_WRITE").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap();
    let line = kept.lines().zip(text.lines()).position(|(kept, made)| kept != made);
    assert!(
        kept == text,
        "docs/openapi.json differs in line {}; look at the difference after: \
         TESTFLINGER_WRITE=1 cargo test --test it api::openapi",
        line.map_or(0, |line| line + 1)
    );
}

#[test]
fn every_operation_is_described_for_people_and_has_a_name_of_its_own() {
    let document = document();
    let mut ids = BTreeSet::new();
    for (path, verbs) in document["paths"].as_object().unwrap() {
        for (verb, operation) in verbs.as_object().unwrap() {
            let words = |member: &str| operation[member].as_str().unwrap_or_default().len();
            assert!(words("summary") > 5, "{verb} {path} has no section in docs/API.md");
            assert!(ids.insert(operation["operationId"].to_string()), "{verb} {path}");
            let named = operation["parameters"].as_array().unwrap();
            let in_path = named.iter().filter(|parameter| parameter["in"] == "path").count();
            assert_eq!(in_path, path.matches('{').count(), "{verb} {path}");
            let responses = operation["responses"].as_object().unwrap();
            let fine = responses.keys().any(|status| status.starts_with('2'));
            assert!(fine && responses.len() > 2, "{verb} {path}");
        }
    }
}

#[test]
fn every_parameter_body_and_answer_has_an_example() {
    let document = document();
    let mut lacking = Vec::new();
    for (path, verbs) in document["paths"].as_object().unwrap() {
        // It describes itself.
        for (verb, operation) in
            verbs.as_object().unwrap().iter().filter(|_| path != "/openapi.json")
        {
            for parameter in operation["parameters"].as_array().unwrap() {
                let schema = &parameter["schema"];
                let shows = !parameter["example"].is_null() || !schema["examples"].is_null();
                if !shows {
                    lacking.push(format!("{verb} {path}: {}", parameter["name"]));
                }
            }
            let parts =
                [("body", &operation["requestBody"]), ("answer", &operation["responses"]["200"])];
            for (part, described) in parts {
                let content = &described["content"]["application/json"];
                let Some(schema) = content.get("schema") else { continue };
                let example = content.get("example").ok_or("no example".to_owned());
                if let Err(why) = example.and_then(|example| fits(schema, example, "it")) {
                    lacking.push(format!("{verb} {path}: {part}: {why}"));
                }
            }
        }
    }
    assert!(lacking.is_empty(), "{lacking:#?}");
}

#[test]
fn the_page_of_it_runs_nothing_but_its_own_files() {
    let server = TestServer::with(Raw { access: Some(Mode::Locked), ..Raw::default() });
    let page = server.anonymous().get("/docs");
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap();
    for part in
        ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"]
    {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!page.text().contains("//"), "{}", page.text());
    let named = page.text().split(['"']).filter(|word| word.starts_with("docs/"));
    let files: Vec<&str> = named.collect();
    assert_eq!(files.len(), 3);
    for file in files {
        let answer = server.anonymous().get(&format!("/{file}"));
        let kind = if file.ends_with("css") { "text/css" } else { "text/javascript" };
        assert_eq!(answer.header("content-type"), Some(kind));
        let is_gzip = answer.body.starts_with(&[0x1f, 0x8b]);
        assert_eq!(answer.header("content-encoding"), is_gzip.then_some("gzip"), "{file}");
    }
    assert_eq!(server.anonymous().get("/docs/other.js").status, 404);
}

#[test]
fn every_reference_leads_somewhere() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 20);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}
