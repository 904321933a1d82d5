//! Masking: values of secrets that come back in a job's texts are not shown.
//!
//! The stored bytes stay what the agent sent; a [`Masker`] stands between them and whoever reads. It is fed a text in
//! pieces, and finds a value that lies across their borders.

use std::fmt;
use std::sync::Arc;

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
pub struct Masked {
    masker: Arc<Masker>,
    /// The end of what was fed: the beginning of a value may stand there.
    held: Vec<u8>,
    /// So many bytes of `held` are not shown, because they stand before the text.
    before: usize,
    /// Where in `held` lines break, in order.
    breaks: Vec<usize>,
}

impl Masked {
    /// A text of which nothing was fed yet.
    #[must_use]
    pub const fn new(masker: Arc<Masker>) -> Self {
        Self { masker, held: Vec::new(), before: 0, breaks: Vec::new() }
    }

    /// A text that goes on after `before`, which is not shown: a value may begin there.
    #[must_use]
    pub fn after(masker: Arc<Masker>, before: &[u8]) -> Self {
        let mut text = Self::new(masker);
        text.feed(before);
        text.before = text.held.len();
        text
    }

    /// Takes the next piece and gives what may be shown.
    pub fn feed(&mut self, piece: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(piece);
        self.shown(self.masker.open_end(&self.held))
    }

    /// The same for a piece that begins on a new line. The break is no part of the text: a value may lie across it.
    pub fn feed_line(&mut self, piece: &[u8]) -> Vec<u8> {
        self.breaks.push(self.held.len());
        self.feed(piece)
    }

    /// How many bytes of the text were fed and not yet given.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len().saturating_sub(self.before)
    }

    /// Ends the text and gives what is left of it.
    pub fn end(&mut self) -> Vec<u8> {
        self.shown(0)
    }

    /// Gives what is held without its last `keep` bytes, masked. A value that begins before them goes with it.
    fn shown(&mut self, keep: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.held.len());
        let mut breaks = self.breaks.iter().copied().peekable();
        let mut at = 0;
        while at + keep < self.held.len() {
            while breaks.next_if(|place| *place <= at).is_some() {
                out.push(b'\n');
            }
            let rest = &self.held[at..];
            if let Some(value) = self.masker.values.iter().find(|value| rest.starts_with(value)) {
                out.extend_from_slice(MASK.as_bytes());
                at += value.len();
            } else {
                if at >= self.before {
                    out.push(rest[0]);
                }
                at += 1;
            }
        }
        if keep == 0 {
            out.extend(breaks.by_ref().map(|_| b'\n'));
        }
        self.breaks = breaks.map(|place| place.saturating_sub(at)).collect();
        self.before = self.before.saturating_sub(at);
        self.held.drain(..at);
        out
    }
}

/// JSON text that is fed in pieces. Only what stands in strings, and numbers, can be the value of a secret: the text stays
/// JSON whatever the values are.
pub struct MaskedJson {
    text: Masked,
    in_string: bool,
    escaped: bool,
    /// A number, or a word, as far as it was fed.
    word: Vec<u8>,
}

impl MaskedJson {
    /// A text of which nothing was fed yet; `masker` is one of [`Masker::json`].
    #[must_use]
    pub const fn new(masker: Arc<Masker>) -> Self {
        Self { text: Masked::new(masker), in_string: false, escaped: false, word: Vec::new() }
    }

    /// Takes the next piece and gives what may be shown.
    pub fn feed(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(piece.len());
        let mut from = 0;
        for (at, &byte) in piece.iter().enumerate() {
            if self.in_string {
                let ends = byte == b'"' && !self.escaped;
                self.escaped = byte == b'\\' && !self.escaped;
                if ends {
                    out.extend(self.text.feed(&piece[from..at]));
                    out.extend(self.text.end());
                    out.push(byte);
                    self.in_string = false;
                }
            } else if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.') {
                self.word.push(byte);
            } else {
                self.flush(&mut out);
                out.push(byte);
                self.in_string = byte == b'"';
                from = at + 1;
            }
        }
        if self.in_string {
            out.extend(self.text.feed(&piece[from..]));
        }
        out
    }

    /// Ends the text and gives what is left of it.
    pub fn end(&mut self) -> Vec<u8> {
        let mut out = self.text.end();
        self.flush(&mut out);
        out
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        let word = std::mem::take(&mut self.word);
        if self.text.masker.values.contains(&word) {
            out.extend_from_slice(format!("\"{MASK}\"").as_bytes());
        } else {
            out.extend(word);
        }
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

    fn whole(masker: &Masker, text: &str) -> String {
        let mut shown = Masked::new(Arc::new(masker.clone()));
        let out = [shown.feed(text.as_bytes()), shown.end()].concat();
        String::from_utf8(out).unwrap()
    }

    fn whole_json(values: &[&str], text: &str) -> String {
        let mut masked = MaskedJson::new(Arc::new(Masker::json(&secrets(values))));
        let mut out = masked.feed(text.as_bytes());
        out.extend(masked.end());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_are_masked_and_short_ones_are_not() {
        let masker = plain(&["hunter22", "short", "hunter2233"]);
        let shown = whole(&masker, "a hunter22 b hunter2233 c short hunter2");
        assert_eq!(shown, "a ******** b ******** c short hunter2");
    }

    #[test]
    fn json_is_masked_in_every_spelling() {
        for spelled in [
            r#"{"a":"pass/wörd\n\"x\""}"#,
            r#"{"a":"pass/w\u00f6rd\n\"x\""}"#,
            r#"{"a":"pass\/w\u00f6rd\n\"x\""}"#,
        ] {
            let shown = whole_json(&["pass/wörd\n\"x\""], spelled);
            assert_eq!(shown, r#"{"a":"********"}"#, "{spelled}");
        }
    }

    #[test]
    fn json_stays_json_whatever_the_values_are() {
        let text = r#"{"pin":12345678,"pins":[12345678,123456789],"status_a":true,"x":"\\"}"#;
        let shown = whole_json(&["12345678", "{\"pin\":12", "status_a", "\",\"x\":\""], text);
        assert_eq!(
            shown,
            r#"{"pin":"********","pins":["********",123456789],"********":true,"x":"\\"}"#
        );
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
    fn a_value_that_begins_before_the_text_is_masked() {
        let shown = |before: &str, text: &str| {
            let mut masked = Masked::after(Arc::new(plain(&["hunter22"])), before.as_bytes());
            let mut out = masked.feed(text.as_bytes());
            out.extend(masked.end());
            String::from_utf8(out).unwrap()
        };
        assert_eq!(shown("it is hunt", "er22, he said"), "********, he said");
        assert_eq!(shown("it is hunt", "ing"), "ing");
        assert_eq!(shown("it is hunter22", " he said"), " he said");
    }

    #[test]
    fn lines_break_where_they_did_unless_a_value_lies_across() {
        let mut masked = Masked::new(Arc::new(plain(&["hunter22"])));
        let mut out = masked.feed(b"we hunt");
        out.extend(masked.feed_line(b"all day: hunt"));
        out.extend(masked.feed_line(b"er22 and h"));
        out.extend(masked.feed_line(b""));
        out.extend(masked.end());
        assert_eq!(String::from_utf8(out).unwrap(), "we hunt\nall day: ********\n and h\n");
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
            let values: Vec<SecretString> = values.into_iter().map(SecretString::from).collect();
            let masker = Masker::plain(&values);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            cuts.push(text.len());
            cuts.sort_unstable();
            let mut shown = Masked::new(Arc::new(masker.clone()));
            let (mut out, mut from) = (Vec::new(), 0);
            for to in cuts {
                out.extend(shown.feed(&text.as_bytes()[from..to]));
                from = to;
            }
            out.extend(shown.end());
            let out_text = String::from_utf8(out.clone()).unwrap();
            prop_assert_eq!(out_text, whole(&masker, &text));
            for value in &masker.values {
                prop_assert!(!out.windows(value.len()).any(|part| part == &value[..]));
            }
        }
    }
}
