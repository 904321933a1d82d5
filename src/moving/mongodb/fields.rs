//! Members of a document, read leniently, and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;

use bson::RawDocument;
use bson::raw::{RawBsonRef, RawElement};
use bson::spec::ElementType;

use super::super::load::Losses;
use crate::domain::Timestamp;

/// MongoDB allows 100; a document of another origin may be made to exhaust the stack.
const DEEPEST: usize = 128;
/// The last second of the calendar, milliseconds.
const LAST: i64 = 253_402_300_799_000;

/// The members of a document by name. Of two with one name the last one counts.
pub(super) struct Fields<'a> {
    members: BTreeMap<&'a str, RawElement<'a>>,
    size: usize,
    losses: Rc<Losses>,
}

/// A moment in a document.
#[derive(Clone, Copy)]
pub(super) enum Moment {
    /// There is none.
    Absent,
    /// It lies outside the calendar.
    Outside,
    /// A good one.
    At(Timestamp),
}

impl Moment {
    /// The moment, if it is a good one.
    pub(super) const fn at(self) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(at),
            Self::Absent | Self::Outside => None,
        }
    }
}

impl<'a> Fields<'a> {
    /// Reads the members.
    ///
    /// # Errors
    /// What is wrong with the document.
    pub(super) fn read(document: &'a RawDocument) -> Result<Self, String> {
        Self::with(document, Rc::default())
    }

    /// Reads the members of a document in this one; what is lost there is lost here.
    ///
    /// # Errors
    /// What is wrong with the document.
    pub(super) fn inner(&self, document: &'a RawDocument) -> Result<Self, String> {
        Self::with(document, Rc::clone(&self.losses))
    }

    fn with(document: &'a RawDocument, losses: Rc<Losses>) -> Result<Self, String> {
        let mut members = BTreeMap::new();
        for element in document.iter_elements() {
            let element = element.map_err(|error| damaged(&error))?;
            members.insert(element.key().as_str(), element);
        }
        let size = document.as_bytes().len();
        Ok(Self { members, size, losses })
    }

    /// Bytes of the document.
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    /// What was lost so far.
    pub(super) fn losses(&self) -> Rc<Losses> {
        Rc::clone(&self.losses)
    }

    fn value(&self, name: &str) -> Option<RawBsonRef<'a>> {
        let element = self.members.get(name)?;
        is_plain(element.element_type()).then(|| element.value().ok()).flatten()
    }

    /// A text.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        text(self.members.get(name)?, &self.losses)
    }

    /// A text that is a name of one of the domain's kinds.
    ///
    /// # Errors
    /// It is missing, or is not such a name.
    pub(super) fn name<T>(&self, member: &str) -> Result<T, String>
    where
        T: TryFrom<String>,
        T::Error: std::fmt::Display,
    {
        let text = self.text(member).ok_or_else(|| format!("{member} is missing"))?;
        T::try_from(text).map_err(|error| format!("{member}: {error}"))
    }

    /// The texts in a list as names, without repetition.
    ///
    /// # Errors
    /// One of them is not such a name.
    pub(super) fn names<T>(&self, member: &str) -> Result<Vec<T>, String>
    where
        T: TryFrom<String> + PartialEq,
        T::Error: std::fmt::Display,
    {
        let mut found = Vec::new();
        for text in self.texts(member).unwrap_or_default() {
            let name = T::try_from(text).map_err(|error| format!("{member}: {error}"))?;
            if !found.contains(&name) {
                found.push(name);
            }
        }
        Ok(found)
    }

    /// A number without a fraction; other servers also keep them as floating point.
    pub(super) fn int(&self, name: &str) -> Option<i64> {
        int(self.value(name)?)
    }

    /// Whether a member is true.
    pub(super) fn flag(&self, name: &str) -> bool {
        matches!(self.value(name), Some(RawBsonRef::Boolean(true)))
    }

    /// A moment.
    pub(super) fn moment(&self, name: &str) -> Moment {
        match self.value(name) {
            Some(RawBsonRef::DateTime(at)) if (0..=LAST).contains(&at.timestamp_millis()) => {
                Moment::At(Timestamp::from_micros(at.timestamp_millis() * 1000))
            }
            Some(RawBsonRef::DateTime(_)) => {
                self.losses.moment.set(true);
                Moment::Outside
            }
            _ => Moment::Absent,
        }
    }

    /// A document.
    pub(super) fn document(&self, name: &str) -> Option<&'a RawDocument> {
        self.value(name)?.as_document()
    }

    /// Bytes.
    pub(super) fn bytes(&self, name: &str) -> Option<&'a [u8]> {
        match self.value(name)? {
            RawBsonRef::Binary(binary) => Some(binary.bytes),
            _ => None,
        }
    }

    /// An id as text, whatever kind of id it is.
    pub(super) fn id(&self, name: &str) -> Option<String> {
        let mut out = String::new();
        json(self.members.get(name)?, &mut out, &self.losses, 0).ok()?;
        Some(out.trim_matches('"').to_owned())
    }

    /// The texts in a list; what is not a text is left out.
    pub(super) fn texts(&self, name: &str) -> Option<Vec<String>> {
        let items = self.value(name)?.as_array()?.iter_elements();
        Some(items.map_while(Result::ok).filter_map(|item| text(&item, &self.losses)).collect())
    }

    /// The numbers in a list.
    pub(super) fn ints(&self, name: &str) -> Option<Vec<i64>> {
        let items = self.value(name)?.as_array()?.iter_elements().map_while(Result::ok);
        Some(items.filter_map(|item| int(item.value().ok()?)).collect())
    }

    /// The documents in a list.
    pub(super) fn documents(&self, name: &str) -> Vec<&'a RawDocument> {
        let Some(list) = self.value(name).and_then(RawBsonRef::as_array) else {
            return Vec::new();
        };
        let items = list.iter_elements().map_while(Result::ok);
        items.filter_map(|item| item.value().ok()?.as_document()).collect()
    }

    /// The numbers in a document, by name.
    pub(super) fn numbers(&self, name: &str) -> BTreeMap<String, i64> {
        let Some(Ok(fields)) = self.document(name).map(Fields::read) else {
            return BTreeMap::new();
        };
        let names = fields.members.keys();
        names.filter_map(|name| Some(((*name).to_owned(), fields.int(name)?))).collect()
    }

    /// The texts in the document itself, by name.
    pub(super) fn all_texts(&self) -> BTreeMap<String, String> {
        let names = self.members.keys();
        names.filter_map(|name| Some(((*name).to_owned(), self.text(name)?))).collect()
    }

    /// All members as JSON text, by name.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub(super) fn all_json(&self) -> Result<BTreeMap<String, String>, String> {
        let json = |element: &RawElement<'_>| {
            let mut out = String::new();
            json(element, &mut out, &self.losses, 0).map(|()| out)
        };
        self.members.iter().map(|(name, it)| Ok(((*name).to_owned(), json(it)?))).collect()
    }
}

fn damaged(error: &bson::error::Error) -> String {
    format!("the document is damaged: {error}")
}

/// Kinds that are read as what they are; others have no meaning here.
const fn is_plain(kind: ElementType) -> bool {
    use ElementType::{
        Array, Binary, Boolean, DateTime, Double, EmbeddedDocument, Int32, Int64, Null, ObjectId,
        String,
    };
    matches!(
        kind,
        Array
            | Binary
            | Boolean
            | DateTime
            | Double
            | EmbeddedDocument
            | Int32
            | Int64
            | Null
            | ObjectId
            | String
    )
}

fn text(element: &RawElement<'_>, losses: &Losses) -> Option<String> {
    if element.element_type() != ElementType::String {
        return None;
    }
    if let Ok(RawBsonRef::String(text)) = element.value() {
        return Some(text.to_owned());
    }
    losses.text.set(true);
    element.value_utf8_lossy().ok()?.as_str().map(ToOwned::to_owned)
}

fn int(value: RawBsonRef<'_>) -> Option<i64> {
    match value {
        RawBsonRef::Int32(number) => Some(number.into()),
        RawBsonRef::Int64(number) => Some(number),
        #[expect(clippy::cast_possible_truncation, reason = "a cast from a float saturates")]
        RawBsonRef::Double(number) if number.is_finite() => Some(number as i64),
        _ => None,
    }
}

/// Writes a value as JSON: a moment as text, bytes as hexadecimal text, what JSON cannot say as null.
fn json(
    element: &RawElement<'_>,
    out: &mut String,
    losses: &Losses,
    depth: usize,
) -> Result<(), String> {
    if depth > DEEPEST {
        return Err(format!("it is nested more than {DEEPEST} levels deep"));
    }
    if let Some(text) = text(element, losses) {
        out.push_str(&quoted(&text));
        return Ok(());
    }
    if !is_plain(element.element_type()) {
        out.push_str("null");
        return Ok(());
    }
    let value = element.value().map_err(|error| damaged(&error))?;
    match value {
        RawBsonRef::Document(document) => {
            out.push('{');
            for (n, member) in document.iter_elements().enumerate() {
                let member = member.map_err(|error| damaged(&error))?;
                let comma = if n == 0 { "" } else { "," };
                let _ = write!(out, "{comma}{}:", quoted(member.key().as_str()));
                json(&member, out, losses, depth + 1)?;
            }
            out.push('}');
        }
        RawBsonRef::Array(list) => {
            out.push('[');
            for (n, item) in list.iter_elements().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                json(&item.map_err(|error| damaged(&error))?, out, losses, depth + 1)?;
            }
            out.push(']');
        }
        RawBsonRef::Boolean(flag) => out.push_str(if flag { "true" } else { "false" }),
        RawBsonRef::Int32(number) => drop(write!(out, "{number}")),
        RawBsonRef::Int64(number) => drop(write!(out, "{number}")),
        RawBsonRef::Double(number) => out.push_str(&serde_json::json!(number).to_string()),
        RawBsonRef::DateTime(at) if !(0..=LAST).contains(&at.timestamp_millis()) => {
            losses.moment.set(true);
            out.push_str("null");
        }
        RawBsonRef::DateTime(at) => {
            let at = Timestamp::from_micros(at.timestamp_millis() * 1000);
            let _ = write!(out, "\"{at}\"");
        }
        RawBsonRef::ObjectId(id) => drop(write!(out, "\"{id}\"")),
        RawBsonRef::Binary(binary) => {
            out.push('"');
            for byte in binary.bytes {
                let _ = write!(out, "{byte:02x}");
            }
            out.push('"');
        }
        _ => out.push_str("null"),
    }
    Ok(())
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
