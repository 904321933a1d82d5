//! How what the product talks about is written in an export: moments exactly, JSON as JSON, bytes as base64.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::{AgentName, JobId, JobState, NamePattern, SealedBytes, Timestamp};

/// Moments to the microsecond, RFC 3339 in UTC.
pub mod exact {
    use super::{Deserialize, Deserializer, Serializer, Timestamp};

    /// Writes a moment.
    pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&at.exact())
    }

    /// Reads a moment.
    pub fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Timestamp, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(source)?;
        Timestamp::from_exact(&text).ok_or_else(|| serde::de::Error::custom("not a moment"))
    }
}

/// The same, or none.
pub mod exact_if_any {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Timestamp};

    #[derive(serde::Serialize, Deserialize)]
    struct Exact(#[serde(with = "super::exact")] Timestamp);

    /// Writes a moment or `null`.
    pub fn serialize<S: Serializer>(
        at: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        at.map(Exact).serialize(serializer)
    }

    /// Reads a moment or `null`.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        source: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::<Exact>::deserialize(source)?.map(|exact| exact.0))
    }
}

/// Members whose values are kept as JSON text.
pub mod json_texts {
    use super::{BTreeMap, Deserialize, Deserializer, RawValue, Serializer};

    /// Writes an object.
    pub fn serialize<S: Serializer>(
        members: &BTreeMap<String, String>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let read = |text| serde_json::from_str(text).map_err(serde::ser::Error::custom);
        let members: Result<Vec<(&String, &RawValue)>, S::Error> =
            members.iter().map(|(name, text)| Ok((name, read(text)?))).collect();
        serializer.collect_map(members?)
    }

    /// Reads an object.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        source: D,
    ) -> Result<BTreeMap<String, String>, D::Error> {
        let members = BTreeMap::<String, Box<RawValue>>::deserialize(source)?;
        Ok(members.into_iter().map(|(name, value)| (name, value.get().to_owned())).collect())
    }
}

impl<'de> Deserialize<'de> for JobId {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        let id = Self::parse(&text).filter(|id| id.to_string() == text);
        id.ok_or_else(|| D::Error::custom("not the id of a job in its usual spelling"))
    }
}

impl<'de> Deserialize<'de> for JobState {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        Ok(Self::new(&String::deserialize(source)?))
    }
}

impl Serialize for NamePattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for NamePattern {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        Ok(Self::of(&AgentName::deserialize(source)?))
    }
}

impl Serialize for SealedBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use base64::Engine as _;
        serializer.serialize_str(&base64::engine::general_purpose::STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for SealedBytes {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        use base64::Engine as _;
        let text = String::deserialize(source)?;
        let bytes = base64::engine::general_purpose::STANDARD.decode(text);
        bytes.map(Self).map_err(D::Error::custom)
    }
}
