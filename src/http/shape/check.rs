//! The check of a request. It is lenient where the servers before this one were: numbers may come as text, and what no
//! shape lists may be kept. It says everything that is wrong at once, each under the name of its member.

use std::borrow::Cow;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::super::json::has_more_items;
use super::kind::Text;
use super::{Kind, Members, Need, Others, Shape, coerce, excerpt};

/// The most errors that are listed in one answer.
const MOST_ERRORS: usize = 100;

impl Shape {
    /// Checks members and brings them into their usual form; what needs no change stays as it was sent.
    ///
    /// # Errors
    /// What is wrong with each member, by name; the name `_schema` stands for the object itself.
    pub fn check<'a>(&self, mut members: Members<'a>) -> Result<Members<'a>, Map<String, Value>> {
        let mut check = Check { left: MOST_ERRORS };
        check.members(self, &mut members).map_err(|mut errors| {
            if check.left == 0 {
                let message = format!("Only {MOST_ERRORS} errors are listed.");
                errors.insert("_schema".to_owned(), json!([message]));
            }
            errors
        })?;
        Ok(members)
    }
}

/// What the check of a value finds: its new JSON text if it has to change, or what is wrong with it.
type Found = Result<Option<String>, Value>;

/// What the checks of several values find, by name.
#[derive(Default)]
struct Findings {
    /// `None` for a value that is left out.
    changed: Vec<(String, Option<String>)>,
    errors: Map<String, Value>,
}

impl Findings {
    fn add(&mut self, name: &str, found: Found) {
        match found {
            Ok(None) => {}
            Ok(json) => self.changed.push((name.to_owned(), json)),
            Err(error) => {
                self.errors.insert(excerpt(name).into_owned(), error);
            }
        }
    }

    /// Changes the members, or says what is wrong. Says whether there was anything to change.
    fn apply(self, members: &mut Members<'_>) -> Result<bool, Map<String, Value>> {
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        let any = !self.changed.is_empty();
        for (name, json) in self.changed {
            match json {
                Some(json) => members.set(&name, json),
                None => members.remove(&name),
            }
        }
        Ok(any)
    }
}

struct Check {
    /// How many errors may still be listed.
    left: usize,
}

impl Check {
    fn wrong(&mut self, message: impl Into<String>) -> Value {
        self.left = self.left.saturating_sub(1);
        json!([message.into()])
    }

    fn members(
        &mut self,
        shape: &Shape,
        members: &mut Members<'_>,
    ) -> Result<bool, Map<String, Value>> {
        let mut findings = Findings::default();
        for member in shape.members {
            match (members.get(member.name), member.need) {
                (None, Need::Must) => {
                    findings.add(member.name, Err(self.wrong("Missing data for required field.")));
                }
                (None, Need::May | Need::MayBeNull) => {}
                (Some("null"), Need::MayBeNull) => {
                    findings.changed.push((member.name.to_owned(), None));
                }
                (Some(json), _) => findings.add(member.name, self.value(&member.kind, json)),
            }
        }
        for (name, json) in members.iter().filter(|(name, _)| !shape.has(name)) {
            match &shape.others {
                Others::Kept => break,
                _ if self.left == 0 => break,
                Others::Refused => findings.add(name, Err(self.wrong("Unknown field."))),
                Others::Each(kind) => findings.add(name, self.value(kind, json)),
                Others::EachBy(_, rule) => {
                    if let Err(message) = rule(name, json) {
                        findings.add("_schema", Err(self.wrong(message)));
                        break;
                    }
                }
            }
        }
        findings.apply(members)
    }

    fn value(&mut self, kind: &Kind, json: &str) -> Found {
        match kind {
            Kind::Any => Ok(None),
            Kind::OrNull(_) if json == "null" => Ok(None),
            Kind::OrNull(kind) => self.value(kind, json),
            _ if json == "null" => Err(self.wrong("Field may not be null.")),
            Kind::Text(text) => self.text(text, json),
            Kind::Integer { least } => self.number(coerce::integer(json), *least, json),
            Kind::Seconds { least } => self.number(coerce::seconds(json), *least, json),
            Kind::Boolean => match coerce::boolean(json) {
                Some(truth) => Ok(unlike(truth.to_string(), json)),
                None => Err(self.wrong("Not a valid boolean.")),
            },
            Kind::List { of, most } => self.list(of, *most, json),
            Kind::Map { names, values, most } => self.map(names, values, *most, json),
            Kind::Object(shape) => self.object(shape, json),
            Kind::Mapping if json.starts_with('{') => Ok(None),
            Kind::Mapping => Err(self.wrong("Not a valid mapping type.")),
            Kind::By(_, rule) => rule(json).map(|()| None),
        }
    }

    fn text(&mut self, text: &Text, json: &str) -> Found {
        if !json.starts_with('"') {
            return Err(self.wrong("Not a valid string."));
        }
        // A log of many megabytes is not decoded for this.
        if text.is_any() {
            return Ok(None);
        }
        let fits = coerce::string(json).ok_or_else(|| "Not a valid string.".to_owned());
        match fits.and_then(|content| text.check(&content)) {
            Ok(()) => Ok(None),
            Err(message) => Err(self.wrong(message)),
        }
    }

    fn number(&mut self, number: Option<i64>, least: i64, json: &str) -> Found {
        match number {
            Some(number) if number >= least => Ok(unlike(number.to_string(), json)),
            Some(_) => Err(self.wrong(format!("Must be greater than or equal to {least}."))),
            None => Err(self.wrong("Not a valid integer.")),
        }
    }

    fn list(&mut self, of: &Kind, most: usize, json: &str) -> Found {
        if !json.starts_with('[') {
            return Err(self.wrong("Not a valid list."));
        }
        if has_more_items(json, most) {
            return Err(self.wrong(format!("Longer than maximum length {most}.")));
        }
        let items: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
        let mut items: Vec<Cow<'_, str>> = items.iter().map(|item| item.get().into()).collect();
        let mut errors = Map::new();
        let mut changed = false;
        for (index, item) in items.iter_mut().enumerate() {
            if self.left == 0 {
                break;
            }
            match self.value(of, item) {
                Ok(None) => {}
                Ok(Some(json)) => {
                    *item = json.into();
                    changed = true;
                }
                Err(error) => {
                    errors.insert(index.to_string(), error);
                }
            }
        }
        if !errors.is_empty() {
            return Err(Value::Object(errors));
        }
        Ok(changed.then(|| format!("[{}]", items.join(","))))
    }

    fn map(&mut self, names: &Text, values: &Kind, most: usize, json: &str) -> Found {
        if !json.starts_with('{') {
            return Err(self.wrong("Not a valid mapping type."));
        }
        let mut members = Members::parse(json).map_err(|message| self.wrong(message))?;
        if members.iter().count() > most {
            return Err(self.wrong(format!("Longer than maximum length {most}.")));
        }
        let mut findings = Findings::default();
        for (name, json) in members.iter() {
            if self.left == 0 {
                break;
            }
            let key = names.check(name).map_err(|message| self.wrong(message));
            findings.add(
                name,
                match (key, self.value(values, json)) {
                    (Ok(()), Ok(json)) => Ok(json),
                    (Ok(()), Err(value)) => Err(json!({ "value": value })),
                    (Err(key), Ok(_)) => Err(json!({ "key": key })),
                    (Err(key), Err(value)) => Err(json!({ "key": key, "value": value })),
                },
            );
        }
        let changed = findings.apply(&mut members).map_err(Value::Object)?;
        Ok(rewritten(changed, &members, json))
    }

    fn object(&mut self, shape: &Shape, json: &str) -> Found {
        let mut members =
            Members::parse(json).map_err(|message| json!({ "_schema": self.wrong(message) }))?;
        let changed = self.members(shape, &mut members).map_err(Value::Object)?;
        Ok(rewritten(changed, &members, json))
    }
}

/// The text of an object whose members have changed, or that had one of them twice: whoever reads it next may not know
/// that the last one counts. The order of its members alone is no reason to write it anew.
fn rewritten(changed: bool, members: &Members<'_>, sent: &str) -> Option<String> {
    Some(members.object()).filter(|text| changed || text.len() != sent.len())
}

/// A text that is not the one that was sent.
fn unlike(text: String, sent: &str) -> Option<String> {
    (text != sent).then_some(text)
}
