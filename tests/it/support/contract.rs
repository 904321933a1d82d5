//! Every answer that a test sees is checked against the description of the API: its status, its content type and its
//! members must be described.

use std::sync::LazyLock;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Answer;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
});

/// Fails unless the answer to a request is described.
#[track_caller]
pub(crate) fn check(method: &str, target: &str, answer: &Answer) {
    let path = target.split('?').next().unwrap();
    if !is_of_the_api(path) {
        // Pages are for people, and have tests of their own.
        return;
    }
    let status = answer.status;
    let Some(operation) = operation(method, path) else {
        let is_fine = match status {
            404 | 405 | 308 => true,
            200 => method == "OPTIONS",
            _ => false,
        };
        assert!(is_fine, "{method} {path}: {status}, and no such request is described");
        return;
    };
    let responses = &operation["responses"];
    let described = responses.get(status.to_string()).or_else(|| responses.get("default"));
    let Some(response) = described else {
        panic!("{method} {path}: docs/API.md does not name {status}: {}", text(answer));
    };
    if method == "HEAD" || answer.body.is_empty() || answer.header("content-encoding").is_some() {
        return;
    }
    let kind = answer.header("content-type").unwrap_or("none");
    let kind = kind.split(';').next().unwrap();
    let content = response["content"].get(kind);
    let Some(content) = content else {
        panic!("{method} {path}: {status} has the content type {kind}, which is not described");
    };
    if kind == "application/json" {
        let Ok(value) = serde_json::from_slice::<Value>(&answer.body) else {
            // A job may hold numbers that no type of Rust holds.
            serde_json::from_slice::<&RawValue>(&answer.body).unwrap();
            return;
        };
        if let Err(why) = fits(&content["schema"], &value, "answer") {
            panic!("{method} {path}: {status}: {why}\n{value}");
        }
    }
}

/// Whether a path begins as one that is described.
fn is_of_the_api(path: &str) -> bool {
    let root = |path: &str| path.split('/').nth(1).map(str::to_owned);
    DOCUMENT["paths"].as_object().unwrap().keys().any(|described| root(described) == root(path))
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).chars().take(500).collect()
}

/// What is described of a request: the path with the fewest parameters that fits.
fn operation(method: &str, path: &str) -> Option<&'static Value> {
    if path.contains("//") {
        return None;
    }
    let path = path.trim_end_matches('/');
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let fitting = paths.iter().filter(|(template, _)| leads(template, path));
    let (_, verbs) = fitting.min_by_key(|(template, _)| template.matches('{').count())?;
    verbs.get(method.to_ascii_lowercase())
}

fn leads(template: &str, path: &str) -> bool {
    let (of, parts): (Vec<&str>, Vec<&str>) =
        (template.split('/').collect(), path.split('/').collect());
    // The path of a secret has slashes of its own.
    let is_open = template.starts_with("/v1/secrets/") && parts.len() > of.len();
    (of.len() == parts.len() || is_open)
        && of
            .iter()
            .zip(&parts)
            .all(|(of, part)| if of.starts_with('{') { !part.is_empty() } else { of == part })
}

/// Whether a value is as a schema says: the keywords that this server's schemas use.
pub(crate) fn fits(schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        let pointer = name.strip_prefix('#').unwrap();
        return fits(DOCUMENT.pointer(pointer).unwrap(), value, at);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let fails: Result<Vec<()>, String> = any
            .iter()
            .map(|schema| fits(schema, value, at).err().ok_or(String::new()).map(|_| ()))
            .collect();
        return if fails.is_ok() { Err(format!("{at} is none of what it may be")) } else { Ok(()) };
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.clone(),
        Value::Null => Vec::new(),
        kind => vec![kind.clone()],
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !kinds.is_empty() && !kinds.contains(&json!(kind)) {
        return Err(format!("{at} is of the type {kind}"));
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        return Err(format!("{at} is {value}"));
    }
    if let (Some(least), Some(number)) = (schema["minimum"].as_i64(), value.as_i64())
        && number < least
    {
        return Err(format!("{at} is {number}"));
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        fits(&schema["items"], item, &format!("{at}[{index}]"))?;
    }
    let Some(members) = value.as_object() else { return Ok(()) };
    for name in schema["required"].as_array().into_iter().flatten() {
        if !members.contains_key(name.as_str().unwrap()) {
            return Err(format!("{at} has no {name}"));
        }
    }
    for (name, member) in members {
        let at = format!("{at}.{name}");
        fits(&schema["propertyNames"], &json!(name), &format!("the name {at}"))?;
        match (schema["properties"].get(name), &schema["additionalProperties"]) {
            (Some(schema), _) | (None, schema @ Value::Object(_)) => fits(schema, member, &at)?,
            (None, Value::Bool(false)) => return Err(format!("{at} is not described")),
            (None, _) => {}
        }
    }
    Ok(())
}

#[test]
fn what_is_not_described_is_noticed() {
    let answer = |status, body: &str| {
        let mut headers = ureq::http::HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        Answer { status, headers, body: body.as_bytes().to_vec() }
    };
    let fails = |status, body: &str| {
        let answer = answer(status, body);
        std::panic::catch_unwind(|| check("POST", "/v1/job", &answer)).is_err()
    };
    let id = "00000000-0000-0000-0000-000000000000";
    assert!(!fails(200, &format!("{{\"job_id\":\"{id}\"}}")));
    assert!(fails(201, &format!("{{\"job_id\":\"{id}\"}}")));
    assert!(fails(200, &format!("{{\"job_id\":\"{id}\",\"more\":1}}")));
    assert!(fails(200, "{\"job_id\":7}"));
    assert!(fails(200, "{}"));
    assert!(!fails(422, "{\"detail\":{},\"message\":\"x\"}"));
    assert!(fails(422, "{\"message\":\"x\"}"));
}
