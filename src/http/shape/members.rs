//! The members of an object, each as JSON text.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::value::MapDeserializer;
use serde_json::value::RawValue;

use super::super::error::{ApiError, ApiResult};
use super::super::json;
use super::{Kind, Shape};

/// The most members of an object that is looked into.
const MOST: usize = 1000;

/// The members of an object. Each value is compact JSON text, borrowed from the request as long as nothing changes it.
#[derive(Debug, Default)]
pub struct Members<'a>(BTreeMap<String, Cow<'a, RawValue>>);

impl<'a> Members<'a> {
    /// The members of an object, given as compact JSON text. Of a repeated key the last counts.
    ///
    /// # Errors
    /// What is wrong with the object itself.
    pub fn parse(object: &'a str) -> Result<Self, String> {
        if object.starts_with('{') && json::has_more_items(object, MOST) {
            return Err(format!("Longer than maximum length {MOST}."));
        }
        Self::of(object).ok_or_else(|| "Invalid input type.".to_owned())
    }

    /// The members of an object that this server stored.
    #[must_use]
    pub fn stored(object: &'a str) -> Self {
        Self::of(object).unwrap_or_default()
    }

    fn of(object: &'a str) -> Option<Self> {
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(object).ok()?;
        Some(Self(members.into_iter().map(|(name, json)| (name, Cow::Borrowed(json))).collect()))
    }

    /// The pairs of a query as members: texts, and lists of texts where the shape says so. Of a repeated key that is not
    /// a list the first counts.
    #[must_use]
    pub fn of_query(pairs: &[(String, String)], shape: &Shape) -> Self {
        let mut values: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (key, value) in pairs {
            values.entry(key).or_default().push(value);
        }
        let mut members = Self::default();
        for (name, values) in values {
            let is_list = matches!(shape.kind_of(name), Some(Kind::List { .. }));
            let json = if is_list { json::text(&values) } else { json::text(&values[0]) };
            members.set(name, json);
        }
        members
    }

    /// The JSON text of a member.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|json| json.get())
    }

    /// All members: name and JSON text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, json)| (name.as_str(), json.get()))
    }

    /// Takes a member away.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Sets a member to JSON text; text that is not JSON sets nothing.
    pub fn set(&mut self, name: &str, json: String) {
        if let Ok(json) = RawValue::from_string(json) {
            self.0.insert(name.to_owned(), Cow::Owned(json));
        }
    }

    /// A value of one of this program's types, made of those members that the type names. The shape has checked before
    /// that they can become its fields.
    ///
    /// # Errors
    /// 500 when the type and the shape contradict each other.
    pub fn to<T: for<'de> Deserialize<'de>>(&self) -> ApiResult<T> {
        let members = self.0.iter().map(|(name, json)| (name.as_str(), &**json));
        T::deserialize(MapDeserializer::new(members)).map_err(|error: serde_json::Error| {
            tracing::error!(%error, "what was checked cannot be read");
            ApiError::internal()
        })
    }

    /// All members as texts of their own.
    #[must_use]
    pub fn into_texts(self) -> BTreeMap<String, String> {
        self.0.into_iter().map(|(name, json)| (name, json.get().to_owned())).collect()
    }

    /// The object as JSON text.
    #[must_use]
    pub fn object(&self) -> String {
        json::object(self.iter())
    }
}
