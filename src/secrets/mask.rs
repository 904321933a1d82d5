//! Masking: values of secrets that come back in a job's texts are not shown.
//!
//! The stored bytes stay what the agent sent; a [`Masker`] stands between them and whoever reads. It is fed a text in
//! pieces, and finds a value that lies across their borders.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// What stands in place of a value.
pub const MASK: &str = "********";

/// Shorter values are not masked, in characters: a text in which every `1` is hidden is of no use to anybody.
pub const SHORTEST_MASKED: usize = 8;

/// Masks some values in texts. Cheap to make; it is never printed.
#[derive(Clone, Default)]
pub struct Masker {
    /// Longest first, so that a value that begins like another one wins.
    values: Vec<Vec<u8>>,
}

impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Masker({} values)", self.values.len())
    }
}

impl Masker {
    /// A masker of these values as they stand in plain text.
    pub fn plain<'a>(values: impl IntoIterator<Item = &'a SecretString>) -> Self {
        Self::of(values, |text| vec![text.to_owned()])
    }

    /// A masker of these values as they stand inside of JSON strings, however those escape what need not be escaped.
    pub fn json<'a>(values: impl IntoIterator<Item = &'a SecretString>) -> Self {
        Self::of(values, |text| {
            let escaped = serde_json::Value::from(text).to_string();
            let plain = escaped[1..escaped.len() - 1].to_owned();
            let ascii = ascii_only(&plain);
            vec![ascii.replace('/', "\\/"), ascii, plain]
        })
    }

    fn of<'a>(
        values: impl IntoIterator<Item = &'a SecretString>,
        spellings: impl Fn(&str) -> Vec<String>,
    ) -> Self {
        let values = values.into_iter().map(ExposeSecret::expose_secret);
        let long = values.filter(|value| value.chars().count() >= SHORTEST_MASKED);
        let mut values: Vec<Vec<u8>> = long.flat_map(spellings).map(String::into_bytes).collect();
        values.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        values.dedup();
        Self { values }
    }

    /// Whether there is nothing to mask.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// How many bytes of a text may have to be looked at together: one less than the longest value.
    #[must_use]
    pub fn reach(&self) -> usize {
        self.values.first().map_or(0, |longest| longest.len() - 1)
    }

    /// How many bytes at the end of `text` may be the beginning of a value that goes on elsewhere.
    #[must_use]
    pub fn open_end(&self, text: &[u8]) -> usize {
        let tail = &text[text.len().saturating_sub(self.reach())..];
        let begins = |end: &[u8]| self.values.iter().any(|value| value.starts_with(end));
        (0..tail.len()).map(|at| &tail[at..]).find(|end| begins(end)).map_or(0, <[u8]>::len)
    }

    /// Begins a text.
    #[must_use]
    pub const fn begin(&self) -> Masked<'_> {
        Masked { masker: self, held: Vec::new() }
    }

    /// A whole text with all values masked.
    #[must_use]
    pub fn whole(&self, text: &[u8]) -> Vec<u8> {
        let mut masked = self.begin();
        let mut out = masked.feed(text);
        out.extend(masked.end());
        out
    }
}

fn ascii_only(json: &str) -> String {
    use fmt::Write as _;
    json.chars().fold(String::with_capacity(json.len()), |mut out, c| {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
        out
    })
}

/// A text that is fed in pieces.
pub struct Masked<'a> {
    masker: &'a Masker,
    /// The end of what was fed: the beginning of a value may stand there.
    held: Vec<u8>,
}

impl Masked<'_> {
    /// Takes the next piece and gives what may be shown.
    pub fn feed(&mut self, piece: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(piece);
        let (out, rest) = self.shown(self.masker.open_end(&self.held));
        self.held = rest;
        out
    }

    /// Ends the text and gives what is left of it.
    #[must_use]
    pub fn end(mut self) -> Vec<u8> {
        let (mut out, rest) = self.shown(0);
        self.held.clear();
        out.extend(rest);
        out
    }

    /// The text without its last `keep` bytes, masked, and those bytes. A value that is found there goes with the text
    /// before it.
    fn shown(&self, keep: usize) -> (Vec<u8>, Vec<u8>) {
        let (text, mut at) = (&self.held[..], 0);
        let mut out = Vec::with_capacity(text.len());
        while at + keep < text.len() {
            let value = self.masker.values.iter().find(|value| text[at..].starts_with(value));
            if let Some(value) = value {
                out.extend_from_slice(MASK.as_bytes());
                at += value.len();
            } else {
                out.push(text[at]);
                at += 1;
            }
        }
        (out, text[at..].to_vec())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secrets(values: &[&str]) -> Vec<SecretString> {
        values.iter().map(|value| SecretString::from(*value)).collect()
    }

    fn plain(values: &[&str]) -> Masker {
        Masker::plain(&secrets(values))
    }

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn values_are_masked_and_short_ones_are_not() {
        let masker = plain(&["hunter22", "short", "hunter2233"]);
        let shown = masker.whole(b"a hunter22 b hunter2233 c short hunter2");
        assert_eq!(text(shown), "a ******** b ******** c short hunter2");
    }

    #[test]
    fn json_is_masked_in_every_spelling() {
        let masker = Masker::json(&secrets(&["pass/wörd\n\"x\""]));
        for spelled in [
            r#"{"a":"pass/wörd\n\"x\""}"#,
            r#"{"a":"pass/w\u00f6rd\n\"x\""}"#,
            r#"{"a":"pass\/w\u00f6rd\n\"x\""}"#,
        ] {
            assert_eq!(text(masker.whole(spelled.as_bytes())), r#"{"a":"********"}"#, "{spelled}");
        }
    }

    #[test]
    fn the_open_end_is_the_longest_beginning_of_a_value() {
        let masker = plain(&["abcabcabd"]);
        assert_eq!(masker.open_end(b"xx abcabc"), 6);
        assert_eq!(masker.open_end(b"xx abcabx"), 0);
        assert_eq!(masker.open_end(b"xx ab"), 2);
        assert_eq!(plain(&[]).open_end(b"anything"), 0);
    }

    #[test]
    fn nothing_prints_a_value() {
        assert_eq!(format!("{:?}", plain(&["hunter22"])), "Masker(1 values)");
    }

    proptest! {
        #[test]
        fn wherever_a_text_is_cut_the_same_is_shown(
            text in "[ab]{0,60}",
            values in proptest::collection::vec("[ab]{8,10}", 0..3),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..5),
        ) {
            let masker = Masker::plain(&values.into_iter().map(SecretString::from).collect::<Vec<_>>());
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            cuts.push(text.len());
            cuts.sort_unstable();
            let (mut masked, mut out, mut from) = (masker.begin(), Vec::new(), 0);
            for to in cuts {
                out.extend(masked.feed(&text.as_bytes()[from..to]));
                from = to;
            }
            out.extend(masked.end());
            prop_assert_eq!(&out, &masker.whole(text.as_bytes()));
            for value in &masker.values {
                prop_assert!(!out.windows(value.len()).any(|part| part == &value[..]));
            }
        }
    }
}
