use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::kind::{
    BOOLEAN, INTEGER, MAPPING, NAME, TEXT, at_least, list, map, map_of, one_of, text, text_by,
};
use super::*;

static PART: Shape = Shape {
    name: "Part",
    doc: "A part of a thing.",
    others: Others::Kept,
    members: &[
        must("agent", TEXT, "Who brings it."),
        may_be_null("device", TEXT, "Where it goes."),
    ],
};

static THING: Shape = Shape {
    name: "Thing",
    doc: "A thing with a member of every kind.",
    others: Others::Kept,
    members: &[
        must("queue", text(1, 8), "Its queue.").like("7"),
        may("count", at_least(0), "How many.").like("7"),
        may("number", INTEGER, "Any number."),
        may("truth", BOOLEAN, "Whether it is so."),
        may("wait", Kind::Seconds { least: 0 }, "How long."),
        may("tags", list(&NAME).up_to(3), "Words.").like(r#"["a"]"#),
        may("parts", list(&Kind::Object(&PART)).up_to(3), "Its parts."),
        may("part", Kind::Object(&PART), "Its main part."),
        may("data", MAPPING, "Anything."),
        may("most", map(&INTEGER), "Numbers by name."),
        may("status", map_of(&["setup", "test"], &INTEGER), "Numbers by phase."),
        may("mood", one_of(&["good", "bad"]), "How it is."),
        may("end", Kind::OrNull(&TEXT), "How it ended."),
        may_be_null("key", KEY, "Its key."),
        may("word", Kind::By(&MAPPING, no_word), "A mapping."),
    ],
};

const KEY: Kind = text_by(|key| key.starts_with("lp:"), "No key.", ("pattern", "^lp:"));

fn no_word(json: &str) -> Result<(), Value> {
    if json.starts_with('{') { Ok(()) } else { Err(json!({ "_schema": "No mapping." })) }
}

static CLOSED: Shape = Shape {
    name: "Closed",
    doc: "Nothing else.",
    others: Others::Refused,
    members: &[must("a", TEXT, "A text.")],
};

fn checked(shape: &Shape, object: &Value) -> Result<Value, Value> {
    let text = object.to_string();
    let members = Members::parse(&text).unwrap();
    let checked = shape.check(members).map_err(Value::Object)?;
    Ok(serde_json::from_str(&checked.object()).unwrap())
}

fn wrong(object: &Value) -> Value {
    checked(&THING, object).unwrap_err()
}

#[test]
fn what_is_right_stays_as_it_was_sent() {
    let text = r#"{"data":{"z":1.10,"a":1e999},"end":null,"more":[12345678901234567890123],"parts":[{"device":"d","agent":"a"}],"queue":"q","tags":["b","a"]}"#;
    let members = Members::parse(text).unwrap();
    assert_eq!(THING.check(members).unwrap().object(), text);
}

#[test]
fn values_in_other_clothes_are_brought_into_their_usual_form() {
    let sent = json!({
        "queue": "q", "count": "12", "number": -1.5, "truth": "yes", "wait": "1h30m",
        "parts": [{ "agent": "a", "device": null }, { "agent": "b" }],
        "part": { "agent": "a", "device": null, "more": 1 },
        "most": { "a": "1" }, "status": { "test": "0" }, "key": null,
    });
    assert_eq!(
        checked(&THING, &sent).unwrap(),
        json!({
            "queue": "q", "count": 12, "number": -1, "truth": true, "wait": 5400,
            "parts": [{ "agent": "a" }, { "agent": "b" }],
            "part": { "agent": "a", "more": 1 },
            "most": { "a": 1 }, "status": { "test": 0 },
        })
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let sent = json!({
        "count": -1, "number": "x", "truth": 2, "wait": "soon",
        "tags": ["a", 1, null], "parts": [{}, 3, null, { "agent": "a" }], "part": [],
        "data": [], "most": { "a": null, "b": "x" }, "status": { "test": [], "reset": 1, "x": 2.5e99 },
        "mood": "none", "end": 1, "key": "gh:me", "word": "skip",
    });
    let phases = "Must be one of: setup, test.";
    assert_eq!(
        wrong(&sent),
        json!({
            "queue": ["Missing data for required field."],
            "count": ["Must be greater than or equal to 0."],
            "number": ["Not a valid integer."],
            "truth": ["Not a valid boolean."],
            "wait": ["Not a valid integer."],
            "tags": { "1": ["Not a valid string."], "2": ["Field may not be null."] },
            "parts": ["Longer than maximum length 3."],
            "part": { "_schema": ["Invalid input type."] },
            "data": ["Not a valid mapping type."],
            "most": {
                "a": { "value": ["Field may not be null."] },
                "b": { "value": ["Not a valid integer."] },
            },
            "status": {
                "test": { "value": ["Not a valid integer."] },
                "reset": { "key": [phases] },
                "x": { "key": [phases], "value": ["Not a valid integer."] },
            },
            "mood": ["Must be one of: good, bad."],
            "end": ["Not a valid string."],
            "key": ["No key."],
            "word": { "_schema": "No mapping." },
        })
    );
    let sent = json!({ "queue": "", "parts": [{}, 3, null], "truth": null, "tags": "a" });
    assert_eq!(
        wrong(&sent),
        json!({
            "queue": ["Shorter than minimum length 1."],
            "parts": {
                "0": { "agent": ["Missing data for required field."] },
                "1": { "_schema": ["Invalid input type."] },
                "2": ["Field may not be null."],
            },
            "truth": ["Field may not be null."],
            "tags": ["Not a valid list."],
        })
    );
    assert_eq!(
        wrong(&json!({ "queue": "ééééé" })),
        json!({ "queue": ["Longer than maximum length 8."] })
    );
}

#[test]
fn an_object_within_has_no_member_twice() {
    let text = r#"{"part":{"agent":"a","agent":"b"},"queue":"q","status":{"test":1,"test":2}}"#;
    let checked = THING.check(Members::parse(text).unwrap()).unwrap();
    assert_eq!(checked.object(), r#"{"part":{"agent":"b"},"queue":"q","status":{"test":2}}"#);
}

#[test]
fn a_closed_shape_has_no_other_members() {
    assert_eq!(
        checked(&CLOSED, &json!({ "a": "x", "b": 1, "c": null })).unwrap_err(),
        json!({ "b": ["Unknown field."], "c": ["Unknown field."] })
    );
}

#[test]
fn a_map_has_members_of_any_name() {
    let each = Shape { others: Others::Each(INTEGER), members: &[], ..CLOSED };
    assert_eq!(checked(&each, &json!({ "a": "1", "b": 2 })).unwrap(), json!({ "a": 1, "b": 2 }));
    assert_eq!(
        checked(&each, &json!({ "a": "x", "b": 2 })).unwrap_err(),
        json!({ "a": ["Not a valid integer."] })
    );
    let by = |name: &str, _: &str| if name == "b" { Err("No b.".to_owned()) } else { Ok(()) };
    let each = Shape { others: Others::EachBy(INTEGER, by), members: &[], ..CLOSED };
    let refused = json!({ "_schema": ["No b."] });
    assert_eq!(checked(&each, &json!({ "a": "x", "b": 2 })).unwrap_err(), refused);
}

#[test]
fn only_so_many_errors_are_listed_and_only_so_many_members_are_read() {
    let many: Map<String, Value> = (0..1000).map(|n| (n.to_string(), json!(n))).collect();
    let Value::Object(errors) = checked(&CLOSED, &Value::Object(many.clone())).unwrap_err() else {
        panic!("no object");
    };
    assert_eq!(errors.len(), 101);
    assert_eq!(errors["_schema"], json!(["Only 100 errors are listed."]));
    let mut many = many;
    many.insert("a".to_owned(), json!("x"));
    let refused = Members::parse(&Value::Object(many).to_string()).unwrap_err();
    assert_eq!(refused, "Longer than maximum length 1000.");
}

#[test]
fn a_query_is_read_like_a_body() {
    let pairs = |query: &[(&str, &str)]| -> Vec<(String, String)> {
        query.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let query =
        pairs(&[("queue", "q"), ("tags", "b"), ("count", "7"), ("tags", "a"), ("queue", "r")]);
    let checked = THING.check(Members::of_query(&query, &THING)).unwrap();
    assert_eq!(checked.object(), r#"{"count":7,"queue":"q","tags":["b","a"]}"#);
}

#[test]
fn the_examples_of_a_shape_pass_its_check() {
    let examples = THING.example();
    assert_eq!(examples, json!({ "queue": "7", "count": 7, "tags": ["a"] }));
    assert_eq!(checked(&THING, &examples).unwrap(), examples);
}

#[test]
fn a_schema_says_what_the_check_wants() {
    assert_eq!(
        PART.schema(),
        json!({
            "title": "Part",
            "description": "A part of a thing.",
            "type": "object",
            "properties": {
                "agent": { "type": "string", "description": "Who brings it." },
                "device": {
                    "anyOf": [{ "type": "string" }, { "type": "null" }],
                    "description": "Where it goes.",
                },
            },
            "required": ["agent"],
            "additionalProperties": true,
        })
    );
    let schema = THING.schema();
    for (member, expected) in [
        (
            "queue",
            json!({
                "type": "string", "minLength": 1, "examples": ["7"],
                "description": "Its queue. At most 8 bytes of UTF-8.",
            }),
        ),
        (
            "count",
            json!({ "type": "integer", "minimum": 0, "examples": [7], "description": "How many." }),
        ),
        ("number", json!({ "type": "integer", "description": "Any number." })),
        (
            "wait",
            json!({
                "type": ["integer", "string"], "minimum": 0,
                "description": "How long. In seconds, or a text such as 1h30m.",
            }),
        ),
        (
            "tags",
            json!({
                "type": "array", "maxItems": 3, "examples": [["a"]], "description": "Words.",
                "items": { "type": "string", "description": "At most 1024 bytes of UTF-8." },
            }),
        ),
        (
            "status",
            json!({
                "type": "object", "description": "Numbers by phase.",
                "propertyNames": { "type": "string", "enum": ["setup", "test"] },
                "additionalProperties": { "type": "integer" },
            }),
        ),
        (
            "key",
            json!({
                "anyOf": [{ "type": "string", "pattern": "^lp:" }, { "type": "null" }],
                "description": "Its key.",
            }),
        ),
    ] {
        assert_eq!(schema["properties"][member], expected, "{member}");
    }
    assert_eq!(CLOSED.schema()["additionalProperties"], json!(false));
}

proptest! {
    #[test]
    fn any_text_is_answered(value in "[\\[\\]{}\",:0-9a-zNI\\\\ .-]{0,64}") {
        for member in THING.members {
            let object = format!("{{\"{}\":{value}}}", member.name);
            if let Ok(members) = Members::parse(&object) {
                let _ = THING.check(members).map(|members| members.object());
            }
        }
    }
}
