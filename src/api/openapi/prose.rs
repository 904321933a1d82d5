//! What people read about each endpoint, read from `docs/API.md`: a sentence on what it does, its statuses, an example.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

const DOCUMENT: &str = include_str!("../../../docs/API.md");

/// The statuses that a clause may begin with.
const STATUSES: [u16; 20] = [
    200, 204, 304, 400, 401, 403, 404, 405, 408, 409, 410, 413, 422, 423, 429, 500, 502, 503, 504,
    507,
];

/// What the document says of some endpoints.
#[derive(Debug, Default)]
pub(super) struct Section {
    /// The chapter that it is in.
    pub(super) tag: &'static str,
    /// Method and path of each heading.
    headings: Vec<(&'static str, &'static str)>,
    /// Text before the first table or example.
    pub(super) text: String,
    /// What each status stands for.
    pub(super) statuses: BTreeMap<u16, String>,
    /// An answer.
    pub(super) example: Option<Value>,
}

/// All sections, read once.
static SECTIONS: LazyLock<Vec<Section>> = LazyLock::new(|| sections(DOCUMENT));

/// The section about a route; `None` when the document forgets it.
pub(super) fn section(method: &str, route: &str) -> Option<&'static Section> {
    let about = |exact: bool| {
        let fits = move |(verb, path): &(&str, &str)| *verb == method && names(path, route, exact);
        SECTIONS.iter().find(|section| section.headings.iter().any(fits))
    };
    about(true).or_else(|| about(false))
}

impl Section {
    /// Its first sentence.
    pub(super) fn summary(&self) -> &str {
        let end = self.text.find(". ").unwrap_or(self.text.len());
        self.text[..end].trim_end_matches('.')
    }
}

/// Whether a path of a heading, such as `/v1/job/ID`, stands for a route. A heading may also stand for one of several
/// values of a parameter.
fn names(path: &str, route: &str, exact: bool) -> bool {
    let (path, route): (Vec<&str>, Vec<&str>) =
        (path.split('/').collect(), route.split('/').collect());
    let fits = |(part, of): (&&str, &&str)| {
        let is_parameter = part.chars().any(char::is_uppercase);
        if of.starts_with('{') { is_parameter || !exact } else { part == of }
    };
    path.len() == route.len() && path.iter().zip(&route).all(fits)
}

fn sections(document: &'static str) -> Vec<Section> {
    let (mut found, mut tag): (Vec<Section>, _) = (Vec::new(), "");
    let (mut reader, mut is_open) = (Reader::default(), false);
    for line in document.lines().chain([""]) {
        let heading = line.strip_prefix("### ").and_then(|heading| heading.split_once(' '));
        if let Some(title) = line.strip_prefix("## ") {
            (tag, is_open) = (title, false);
        } else if let Some(heading) = heading {
            match found.last_mut() {
                Some(last) if is_open && reader.is_empty() => last.headings.push(heading),
                _ => {
                    found.push(Section { tag, headings: vec![heading], ..Section::default() });
                    (reader, is_open) = (Reader::default(), true);
                }
            }
        } else if let Some(section) = found.last_mut().filter(|_| is_open) {
            reader.read(line, section);
        }
    }
    found
}

/// Reads the lines of a section.
#[derive(Default)]
struct Reader {
    paragraph: String,
    fence: Option<(&'static str, String)>,
    has_statuses: bool,
    is_after_text: bool,
    seen: bool,
}

impl Reader {
    const fn is_empty(&self) -> bool {
        !self.seen
    }

    fn read(&mut self, line: &'static str, section: &mut Section) {
        self.seen |= !line.is_empty();
        if let Some((kind, text)) = &mut self.fence {
            if line != "```" {
                text.push_str(line);
                text.push('\n');
                return;
            }
            if *kind == "json" {
                section.example = serde_json::from_str(text).ok();
            }
            self.fence = None;
        } else if let Some(kind) = line.strip_prefix("```") {
            self.fence = Some((kind, String::new()));
            self.is_after_text = true;
        } else if let Some(row) = line.strip_prefix("| ") {
            self.is_after_text = true;
            self.row(row, section);
        } else if line.is_empty() {
            self.end(section);
        } else {
            self.paragraph.push_str(line);
            self.paragraph.push(' ');
        }
    }

    fn row(&mut self, row: &str, section: &mut Section) {
        let row = row.trim_end().trim_end_matches('|');
        let (first, rest) = row.split_once(" |").unwrap_or((row, ""));
        if first == "Status" {
            self.has_statuses = true;
        } else if self.has_statuses {
            add(&format!("{first} {}", rest.trim()), section);
        }
    }

    /// A paragraph ends. It says what the endpoint does, and its clauses may begin with statuses.
    fn end(&mut self, section: &mut Section) {
        self.has_statuses = false;
        let text = plain(&std::mem::take(&mut self.paragraph));
        let clauses = text.split(". ").flat_map(|sentence| sentence.split("; "));
        for clause in clauses {
            add(clause, section);
        }
        if !self.is_after_text && !text.is_empty() {
            let sentences = text.split_inclusive(". ").filter(|sentence| {
                !sentence.starts_with("Group: ") && statuses(sentence).0.is_empty()
            });
            section.text.extend(sentences);
        }
    }
}

/// The statuses that a clause begins with, and what it says of them.
fn statuses(clause: &str) -> (Vec<u16>, &str) {
    let (mut found, mut rest) = (Vec::new(), clause.trim());
    loop {
        let status = rest.get(..3).and_then(|digits| digits.parse().ok());
        let Some(status) = status.filter(|status| STATUSES.contains(status)) else { break };
        let after = &rest[3..];
        if after.starts_with(|c: char| c.is_alphanumeric()) {
            break;
        }
        found.push(status);
        rest = after.trim_start();
        match rest.strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            None => break,
        }
    }
    (found, rest.trim().trim_end_matches('.'))
}

fn add(clause: &str, section: &mut Section) {
    let (found, about) = statuses(clause);
    for status in found {
        let text = section.statuses.entry(status).or_default();
        if !text.is_empty() && !about.is_empty() {
            text.push_str("; ");
        }
        text.push_str(&plain(about));
    }
}

/// Links without where they lead: that is known beside the document only.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("](") {
        let (head, shown) = before.rsplit_once('[').unwrap_or((before, ""));
        out.push_str(head);
        out.push_str(shown);
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_come_from_tables_and_sentences() {
        let job = section("GET", "/v1/job/{id}").unwrap();
        assert_eq!(job.statuses.keys().copied().collect::<Vec<_>>(), [200, 204, 400]);
        assert_eq!(job.statuses[&204], "if there is no such job");
        assert!(job.summary().starts_with("Returns a job as it was submitted, with its `job_id`"));
        let submit = section("POST", "/v1/job").unwrap();
        assert_eq!(submit.tag, "Jobs");
        assert!(submit.statuses[&422].contains("Missing client ID"), "{submit:?}");
        assert!(submit.example.as_ref().unwrap()["job_id"].is_string());
    }

    #[test]
    fn a_heading_may_stand_for_one_value_of_a_parameter() {
        let log = section("GET", "/v1/result/{id}/log/{kind}").unwrap();
        assert!(log.text.starts_with("Returns a log by phase"), "{log:?}");
        assert!(section("GET", "/v1/job/search").unwrap().text.starts_with("Finds jobs"));
    }
}
