//! Keys: bytes whose order is the order of what they stand for.

use super::Error;

/// A key under construction.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(Vec<u8>);

impl Key {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A name that something may follow: its length, then its bytes. Names are at most `MAX_NAME` bytes long.
    pub(crate) fn name(self, name: &str) -> Self {
        let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
        self.raw(&length.to_be_bytes()).raw(name.as_bytes())
    }

    /// A name or other text at the end of a key.
    pub(crate) fn text(self, text: &str) -> Self {
        self.raw(text.as_bytes())
    }

    pub(crate) fn byte(self, byte: u8) -> Self {
        self.raw(&[byte])
    }

    pub(crate) fn number(self, number: u64) -> Self {
        self.raw(&number.to_be_bytes())
    }

    /// A signed number, small ones first.
    pub(crate) fn signed(self, number: i64) -> Self {
        self.number(ordered(number))
    }

    /// A priority, high ones first.
    pub(crate) fn priority(self, priority: i64) -> Self {
        self.number(!ordered(priority))
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// The first key that is greater than every key beginning with this one; `None` when there is none.
    pub(crate) fn after_prefix(&self) -> Option<Vec<u8>> {
        let mut end = self.0.clone();
        while let Some(last) = end.pop() {
            if last < u8::MAX {
                end.push(last + 1);
                return Some(end);
            }
        }
        None
    }
}

const fn ordered(number: i64) -> u64 {
    number.cast_unsigned() ^ (1 << 63)
}

/// Reads the parts of a key from its end.
#[derive(Clone, Copy)]
pub(crate) struct Tail<'a>(pub(crate) &'a [u8]);

impl Tail<'_> {
    /// The number at the end; zero for a key that is too short; this program writes no such key.
    pub(crate) fn number(&mut self) -> u64 {
        u64::from_be_bytes(self.bytes())
    }

    pub(crate) fn signed(&mut self) -> i64 {
        (self.number() ^ (1 << 63)).cast_signed()
    }

    pub(crate) fn priority(&mut self) -> i64 {
        (!self.number() ^ (1 << 63)).cast_signed()
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_last_chunk::<N>() {
            Some((rest, part)) => {
                self.0 = rest;
                *part
            }
            None => [0; N],
        }
    }
}

/// The text of the name at the beginning of a key, and what follows it.
pub(crate) fn leading_name(key: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = key.split_first_chunk::<2>()?;
    let (name, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((std::str::from_utf8(name).ok()?, rest))
}

/// The name that a key is.
pub(crate) fn name_in(key: &[u8]) -> Result<String, Error> {
    String::from_utf8(key.to_vec()).map_err(|_| Error::Corrupt("it is no text".to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_sort_by_queue_then_high_priority_then_submit_order(
            a in (any::<i64>(), any::<u64>()),
            b in (any::<i64>(), any::<u64>()),
        ) {
            let key = |(priority, seq): (i64, u64)| Key::new().name("q").priority(priority).number(seq);
            let expected = b.0.cmp(&a.0).then(a.1.cmp(&b.1));
            prop_assert_eq!(key(a).cmp(&key(b)), expected);
        }

        #[test]
        fn the_parts_of_a_key_read_back(name in ".{0,40}", priority in any::<i64>(), seq in any::<u64>()) {
            let key = Key::new().name(&name).priority(priority).number(seq);
            let mut tail = Tail(key.as_slice());
            prop_assert_eq!(tail.number(), seq);
            prop_assert_eq!(tail.priority(), priority);
            prop_assert_eq!(leading_name(key.as_slice()).map(|(name, _)| name), Some(name.as_str()));
        }

        #[test]
        fn no_name_is_a_prefix_of_another(a in ".{0,20}", b in ".{0,20}") {
            prop_assume!(a != b);
            let (a, b) = (Key::new().name(&a).number(1), Key::new().name(&b));
            prop_assert!(!a.as_slice().starts_with(b.as_slice()));
        }

        #[test]
        fn the_end_of_a_prefix_bounds_all_its_keys(
            prefix in proptest::collection::vec(any::<u8>(), 0..4),
            rest in proptest::collection::vec(any::<u8>(), 0..4),
        ) {
            let key = Key::new().raw(&prefix).raw(&rest);
            if let Some(end) = Key::new().raw(&prefix).after_prefix() {
                prop_assert!(key.as_slice() < &end[..]);
            }
        }
    }
}
