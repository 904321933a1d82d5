//! The members of a JSON body, checked one by one.
//!
//! The words are those of upstream's validation (wire contract section 1): every wrong member is reported, all at once,
//! under its name; numbers may come as text. A member that is checked is also normalised in place; members that nobody
//! asks for stay exactly as they were sent.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::error::{ApiError, Place};
use super::json::{compact, readable};

/// The members of an object, and what is wrong with them so far.
#[derive(Debug, Default)]
pub struct Fields {
    members: BTreeMap<String, Box<RawValue>>,
    errors: Map<String, Value>,
}

const NULL: &str = "Field may not be null.";
const REQUIRED: &str = "Missing data for required field.";

impl Fields {
    /// The members of the object that `body` holds; an empty body is an empty object. Of a repeated key the last counts.
    ///
    /// # Errors
    /// 400 for what is no JSON or cannot be read, 422 for JSON that is no object.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let bad = || ApiError::bad_request("Bad Request");
        if body.is_empty() {
            return Ok(Self::default());
        }
        let text = std::str::from_utf8(body).map_err(|_| bad())?;
        let text = readable(text).map_err(|error| ApiError::bad_request(error.to_string()))?;
        Self::from_text(&text).ok_or_else(bad)?
    }

    /// `None` for what is no JSON.
    fn from_text(text: &str) -> Option<Result<Self, ApiError>> {
        let value: &RawValue = serde_json::from_str(text).ok()?;
        if !value.get().starts_with('{') {
            let mut errors = Map::new();
            errors.insert("_schema".to_owned(), json!(["Invalid input type."]));
            return Some(Err(ApiError::validation(Place::Body, &errors)));
        }
        let members = serde_json::from_str(value.get()).ok()?;
        Some(Ok(Self { members, errors: Map::new() }))
    }

    /// The names of all members.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// Whether the member is there, be it null.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// Takes a member out and gives its JSON text.
    pub fn take(&mut self, name: &str) -> Option<String> {
        self.members.remove(name).map(|value| value.get().to_owned())
    }

    /// Reports that something is wrong with a member.
    pub fn refuse(&mut self, name: &str, message: &str) {
        self.errors.insert(name.to_owned(), json!([message]));
    }

    /// Reports what is wrong within a member.
    pub fn refuse_value(&mut self, name: &str, errors: Value) {
        self.errors.insert(name.to_owned(), errors);
    }

    /// A member as it is; reports nothing.
    #[must_use]
    pub fn peek(&self, name: &str) -> Option<Value> {
        read(self.members.get(name)?.get())
    }

    /// Reports a member that must be there and is not.
    pub fn require(&mut self, name: &str) {
        if !self.has(name) {
            self.refuse(name, REQUIRED);
        }
    }

    /// Reports all members but these.
    pub fn only(&mut self, known: &[&str]) {
        let unknown: Vec<String> =
            self.names().filter(|name| !known.contains(name)).map(str::to_owned).collect();
        for name in unknown {
            self.refuse(&name, "Unknown field.");
        }
    }

    /// Takes a null member away: for members where null means absent.
    pub fn drop_null(&mut self, name: &str) {
        if self.members.get(name).is_some_and(|value| value.get() == "null") {
            self.members.remove(name);
        }
    }

    /// A text.
    pub fn string(&mut self, name: &str) -> Option<String> {
        match self.value(name)? {
            Value::String(text) => Some(text),
            _ => self.wrong(name, "Not a valid string."),
        }
    }

    /// An integer; text and floats become one.
    pub fn integer(&mut self, name: &str) -> Option<i64> {
        match self.value(name).map(|value| as_integer(&value))? {
            Some(number) => {
                self.set(name, &json!(number));
                Some(number)
            }
            None => self.wrong(name, "Not a valid integer."),
        }
    }

    /// A boolean; the usual words and 0 and 1 become one.
    pub fn boolean(&mut self, name: &str) -> Option<bool> {
        match self.value(name).map(|value| as_boolean(&value))? {
            Some(truth) => {
                self.set(name, &json!(truth));
                Some(truth)
            }
            None => self.wrong(name, "Not a valid boolean."),
        }
    }

    /// A list of texts.
    pub fn strings(&mut self, name: &str) -> Option<Vec<String>> {
        let Value::Array(items) = self.value(name)? else {
            return self.wrong(name, "Not a valid list.");
        };
        self.each(name, items, |item| match item {
            Value::String(text) => Ok(text),
            Value::Null => Err(json!([NULL])),
            _ => Err(json!(["Not a valid string."])),
        })
    }

    /// A list of objects, checked by `check`.
    pub fn objects(&mut self, name: &str, check: impl Fn(&mut Self)) -> Option<()> {
        let Value::Array(items) = self.value(name)? else {
            return self.wrong(name, "Not a valid list.");
        };
        self.each(name, items, |item| {
            if !item.is_object() {
                return Err(json!({ "_schema": ["Invalid input type."] }));
            }
            let mut inner = Self::of(&item);
            check(&mut inner);
            if inner.errors.is_empty() { Ok(()) } else { Err(Value::Object(inner.errors)) }
        })
        .map(|_| ())
    }

    /// An object with free members.
    pub fn mapping(&mut self, name: &str) -> Option<Map<String, Value>> {
        match self.value(name)? {
            Value::Object(map) => Some(map),
            _ => self.wrong(name, "Not a valid mapping type."),
        }
    }

    /// An object of integers, each normalised.
    pub fn integers(&mut self, name: &str) -> Option<BTreeMap<String, i64>> {
        let map = self.mapping(name)?;
        let mut found = BTreeMap::new();
        let mut errors = Map::new();
        for (key, value) in map {
            if let Some(number) = as_integer(&value) {
                found.insert(key, number);
            } else {
                let message = if value.is_null() { NULL } else { "Not a valid integer." };
                errors.insert(key, json!({ "value": [message] }));
            }
        }
        if errors.is_empty() {
            self.set(name, &json!(found));
            return Some(found);
        }
        self.errors.insert(name.to_owned(), Value::Object(errors));
        None
    }

    /// An object whose members are checked by `check`; members that it does not ask for stay.
    pub fn nested<T>(&mut self, name: &str, check: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.value(name)?;
        let raw = self.members.get(name).map(|value| value.get())?;
        if !raw.starts_with('{') {
            self.errors.insert(name.to_owned(), json!({ "_schema": ["Invalid input type."] }));
            return None;
        }
        let mut inner =
            Self { members: serde_json::from_str(raw).unwrap_or_default(), errors: Map::new() };
        let found = check(&mut inner);
        if !inner.errors.is_empty() {
            self.errors.insert(name.to_owned(), Value::Object(inner.errors));
            return None;
        }
        let text = super::json::object(&inner.texts());
        if let Ok(value) = RawValue::from_string(text) {
            self.members.insert(name.to_owned(), value);
        }
        Some(found)
    }

    /// A member as it is, `None` when absent; reports null.
    pub fn value(&mut self, name: &str) -> Option<Value> {
        match read(self.members.get(name)?.get()) {
            Some(Value::Null) => self.wrong(name, NULL),
            Some(value) => Some(value),
            // Nested beyond what is read: wrong for whatever is expected.
            None => Some(json!([])),
        }
    }

    /// Sets a member.
    pub fn set(&mut self, name: &str, value: &Value) {
        if let Ok(value) = RawValue::from_string(value.to_string()) {
            self.members.insert(name.to_owned(), value);
        }
    }

    /// The members as compact JSON text, if nothing was wrong.
    ///
    /// # Errors
    /// 422 with everything that was.
    pub fn finish(self) -> Result<BTreeMap<String, String>, ApiError> {
        if self.errors.is_empty() {
            Ok(self.texts())
        } else {
            Err(ApiError::validation(Place::Body, &self.errors))
        }
    }

    fn texts(&self) -> BTreeMap<String, String> {
        self.members.iter().map(|(name, value)| (name.clone(), compact(value.get()))).collect()
    }

    fn of(value: &Value) -> Self {
        Self {
            members: serde_json::from_str(&value.to_string()).unwrap_or_default(),
            errors: Map::new(),
        }
    }

    fn wrong<T>(&mut self, name: &str, message: &str) -> Option<T> {
        self.refuse(name, message);
        None
    }

    fn each<T>(
        &mut self,
        name: &str,
        items: Vec<Value>,
        check: impl Fn(Value) -> Result<T, Value>,
    ) -> Option<Vec<T>> {
        let mut found = Vec::new();
        let mut errors = Map::new();
        for (index, item) in items.into_iter().enumerate() {
            match check(item) {
                Ok(item) => found.push(item),
                Err(error) => {
                    errors.insert(index.to_string(), error);
                }
            }
        }
        if errors.is_empty() {
            return Some(found);
        }
        self.errors.insert(name.to_owned(), Value::Object(errors));
        None
    }
}

/// The value of JSON text, to be looked at. A number that no type of ours holds, such as 1e999, is read as one that no
/// field takes; the text itself stays as it is.
fn read(json: &str) -> Option<Value> {
    let read = serde_json::from_str(json);
    read.or_else(|_| serde_json::from_str(&json.replace(INFINITE, "1e308"))).ok()
}

/// What Python's `NaN` and `Infinity` become.
const INFINITE: &str = "1e999";

/// The integer that upstream reads from a value: `"12"` and `12.7` are 12, `true` is none. Numbers outside of 64 bits
/// are none either.
#[must_use]
pub fn as_integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64()?.trunc();
            #[expect(clippy::cast_possible_truncation, reason = "checked to be in range")]
            (float.abs() < 9.0e18).then_some(float as i64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn as_boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::Number(number) => match number.as_f64()? {
            0.0 => Some(false),
            1.0 => Some(true),
            _ => None,
        },
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "t" | "true" | "y" | "yes" | "on" | "1" => Some(true),
            "f" | "false" | "n" | "no" | "off" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(json: &str) -> Fields {
        Fields::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn numbers_may_come_as_text_and_booleans_are_none() {
        let found = |json: &str| fields(json).integer("a");
        assert_eq!(found(r#"{"a": "12"}"#), Some(12));
        assert_eq!(found(r#"{"a": 12.7}"#), Some(12));
        assert_eq!(found(r#"{"a": -1}"#), Some(-1));
        for wrong in [r#"{"a": true}"#, r#"{"a": "x"}"#, r#"{"a": null}"#, r#"{"a": NaN}"#] {
            assert_eq!(found(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn members_that_nobody_asks_for_stay_as_they_were_sent() {
        let mut body = fields(r#"{"z": {"n": 1.10, "t": "NaN"}, "a": "7", "n": NaN}"#);
        assert_eq!(body.integer("a"), Some(7));
        let members = body.finish().unwrap();
        assert_eq!(members["z"], r#"{"n":1.10,"t":"NaN"}"#);
        assert_eq!(members["a"], "7");
        assert_eq!(members["n"], "1e999");
    }

    #[test]
    fn all_wrong_members_are_reported_at_once() {
        let mut body = fields(r#"{"tags": ["a", 1], "n": [], "t": {"c": 1}}"#);
        body.strings("tags");
        body.string("n");
        body.nested("t", |inner| inner.string("c"));
        body.require("q");
        assert_eq!(
            Value::Object(body.errors),
            json!({
                "tags": {"1": ["Not a valid string."]},
                "n": ["Not a valid string."],
                "t": {"c": ["Not a valid string."]},
                "q": ["Missing data for required field."],
            })
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(body in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Fields::parse(&body);
        }

        #[test]
        fn any_text_is_answered(body in "[\\[\\]{}\",:0-9a-zNI\\\\ .-]{0,64}") {
            if let Ok(mut fields) = Fields::parse(body.as_bytes()) {
                let names: Vec<String> = fields.names().map(str::to_owned).collect();
                for name in names {
                    fields.integer(&name);
                    fields.nested(&name, |inner| inner.string("a"));
                }
                let _ = fields.finish();
            }
        }
    }
}
