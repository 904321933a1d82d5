//! Shapes as JSON Schemas of the dialect that OpenAPI 3.1 uses.
//!
//! A schema says what is meant to be sent. What is taken beyond that (numbers as text, and words for truth) is said
//! where the API is described, once for all members.

use serde_json::{Map, Value, json};

use super::kind::{Rule, Text};
use super::{Kind, Member, Need, Others, Shape};

impl Shape {
    /// The schema of the object.
    #[must_use]
    pub fn schema(&self) -> Value {
        let properties: Map<String, Value> =
            self.members.iter().map(|member| (member.name.to_owned(), member.schema())).collect();
        let must = self.members.iter().filter(|member| member.need == Need::Must);
        let required: Vec<&str> = must.map(|member| member.name).collect();
        let others = match &self.others {
            Others::Kept => json!(true),
            Others::Refused => json!(false),
            Others::Each(kind) | Others::EachBy(kind, _) => kind.schema(),
        };
        json!({
            "title": self.name,
            "description": self.doc,
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": others,
        })
    }
}

impl Shape {
    /// The members as parameters of a query in OpenAPI.
    #[must_use]
    pub fn parameters(&self) -> Vec<Value> {
        let parameter = |member: &Member| {
            let required = member.need == Need::Must;
            json!({ "name": member.name, "in": "query", "required": required, "schema": member.schema() })
        };
        self.members.iter().map(parameter).collect()
    }

    /// An object of the examples of its members.
    #[must_use]
    pub fn example(&self) -> Value {
        let example =
            |member: &Member| member.example().map(|example| (member.name.to_owned(), example));
        Value::Object(self.members.iter().filter_map(example).collect())
    }
}

impl Member {
    fn schema(&self) -> Value {
        let mut schema = match self.need {
            Need::MayBeNull => or_null(&self.kind.schema()),
            Need::Must | Need::May => self.kind.schema(),
        };
        let note = schema.get("description").and_then(Value::as_str);
        let doc = note.map_or_else(|| self.doc.to_owned(), |note| format!("{} {note}", self.doc));
        schema["description"] = json!(doc);
        if let Some(example) = self.example() {
            schema["examples"] = json!([example]);
        }
        schema
    }

    /// The example as a value: text for a text, and else what the JSON says.
    fn example(&self) -> Option<Value> {
        let example = self.example?;
        match self.kind {
            Kind::Text(_) => Some(json!(example)),
            _ => serde_json::from_str(example).ok(),
        }
    }
}

impl Kind {
    /// The schema of a value.
    #[must_use]
    pub fn schema(&self) -> Value {
        let mut schema = match self {
            Self::Any => json!({}),
            Self::Boolean => json!({ "type": "boolean" }),
            Self::Mapping => json!({ "type": "object" }),
            Self::Text(text) => text.schema(),
            Self::Integer { least } => json!({ "type": "integer", "minimum": least }),
            Self::Seconds { least } => json!({
                "type": ["integer", "string"],
                "minimum": least,
                "description": "In seconds, or a text such as 1h30m.",
            }),
            Self::List { of, most } => {
                json!({ "type": "array", "items": of.schema(), "maxItems": most })
            }
            Self::Map { names, values, most } => json!({
                "type": "object",
                "propertyNames": names.schema(),
                "additionalProperties": values.schema(),
                "maxProperties": most,
            }),
            Self::Object(shape) => return shape.schema(),
            Self::OrNull(kind) => or_null(&kind.schema()),
            Self::By(kind, _) => kind.schema(),
        };
        // A bound that bounds nothing says nothing.
        let bounds = [
            ("minimum", json!(i64::MIN)),
            ("maxItems", json!(usize::MAX)),
            ("maxProperties", json!(usize::MAX)),
        ];
        for (keyword, all) in bounds {
            if schema.get(keyword) == Some(&all)
                && let Value::Object(keywords) = &mut schema
            {
                keywords.remove(keyword);
            }
        }
        schema
    }
}

impl Text {
    /// A limit in bytes is told in words, because `maxLength` counts characters.
    fn schema(&self) -> Value {
        let mut schema = json!({ "type": "string" });
        if self.least_characters > 0 {
            schema["minLength"] = json!(self.least_characters);
        }
        if self.most_bytes < usize::MAX {
            schema["description"] = json!(format!("At most {} bytes of UTF-8.", self.most_bytes));
        }
        match self.rule {
            Rule::Any => {}
            Rule::OneOf(words) => schema["enum"] = json!(words),
            Rule::By { keyword, value, .. } => schema[keyword] = json!(value),
        }
        schema
    }
}

fn or_null(schema: &Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}
