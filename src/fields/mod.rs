//! A record as an ordered dictionary.

mod default;
mod names;
mod selection;

use std::fmt;
use std::ops::Range;

pub use self::default::map_log_record;
pub(crate) use self::default::{CORE_KEYS, extra_key, map_core, map_key_values, start_clock};
#[cfg(feature = "json")]
pub(crate) use self::names::free_name;
pub(crate) use self::names::is_safe_name;
pub(crate) use self::selection::Selection;

use crate::value::{Value, ValueKind};

/// An ordered list of keys and values: what is sent for a record.
///
/// A key may come more than once; every encoding keeps the order, and both values.
///
/// ```
/// let mut fields = logpost::Fields::new();
/// fields.push("text", "hello").push("priority", 1);
/// assert_eq!(format!("{fields:?}"), r#"{"text": "hello", "priority": 1}"#);
/// ```
#[derive(Clone, Default)]
pub struct Fields {
    /// `key=value&key=value`, nothing escaped: where nothing needs to be, this is what a form looks like.
    text: String,
    entries: Vec<Entry>,
}

/// Where a field is in the text.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    start: usize,
    value: usize,
    end: usize,
    kind: ValueKind,
    pub(crate) form: Form,
}

/// What is known beforehand of how a field looks in a form. What is plain looks the same: it has only letters, digits
/// and `*-._`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Unknown,
    PlainKey,
    /// The key is plain, and the value looks like this.
    Known(&'static str),
    Plain,
}

impl Entry {
    pub(crate) fn key(&self) -> Range<usize> {
        self.start..self.value - 1
    }

    pub(crate) fn value(&self) -> Range<usize> {
        self.value..self.end
    }
}

impl Fields {
    /// An empty dictionary.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field behind the others.
    pub fn push<'v>(&mut self, key: &str, value: impl Into<Value<'v>>) -> &mut Self {
        let value = value.into();
        self.add(&[key], value.kind(), Form::Unknown, |text| value.append_to(text));
        self
    }

    /// All fields, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        self.entries.iter().map(|entry| {
            let (key, value) = (&self.text[entry.key()], &self.text[entry.value()]);
            (key, Value::from_text(entry.kind, value))
        })
    }

    /// The first value of a key.
    pub fn get(&self, key: &str) -> Option<Value<'_>> {
        self.iter().find(|(found, _)| *found == key).map(|(_, value)| value)
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Removes all fields and keeps the memory, for the next record.
    pub fn clear(&mut self) {
        self.text.clear();
        self.entries.clear();
    }

    /// Gives memory back above so many bytes of text.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        self.text.shrink_to(bytes);
    }

    /// The keys, where the values may be secret.
    pub(crate) fn keys(&self) -> Vec<&str> {
        self.iter().map(|(key, _)| key).collect()
    }

    /// Whether the key, and whether the value of the field at this place is known to be plain.
    #[cfg(feature = "json")]
    pub(crate) fn is_plain(&self, place: usize) -> (bool, bool) {
        let form = self.entries[place].form;
        (form != Form::Unknown, form == Form::Plain)
    }

    /// The text, and where in it the fields are: for the encoding that it is almost in.
    pub(crate) fn layout(&self) -> (&str, &[Entry]) {
        (&self.text, &self.entries)
    }

    /// Adds a field whose plain key is given as it stands in a form: `&key=`.
    fn add_core(&mut self, key: &'static str, kind: ValueKind, form: Form, append_value: impl FnOnce(&mut String)) {
        let separator = usize::from(!self.entries.is_empty());
        let start = self.text.len() + separator;
        self.text.push_str(&key[1 - separator..]);
        let value = self.text.len();
        append_value(&mut self.text);
        self.entries.push(Entry { start, value, end: self.text.len(), kind, form });
    }

    /// Adds a field whose key, in parts, and whose text are at hand.
    fn add(&mut self, key: &[&str], kind: ValueKind, form: Form, append_value: impl FnOnce(&mut String)) {
        if !self.entries.is_empty() {
            self.text.push('&');
        }
        let start = self.text.len();
        self.text.extend(key.iter().copied());
        self.text.push('=');
        let value = self.text.len();
        append_value(&mut self.text);
        self.entries.push(Entry { start, value, end: self.text.len(), kind, form });
    }
}

/// Equal are the same fields in the same order.
impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Fields {}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<'v, K: AsRef<str>, V: Into<Value<'v>>> FromIterator<(K, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut fields = Self::new();
        for (key, value) in pairs {
            fields.push(key.as_ref(), value);
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_and_kinds_are_kept() {
        let mut fields = Fields::new();
        fields.push("k", "1").push("k", 2).push("", true).push("f", 0.5);
        let kinds: Vec<_> = fields.iter().map(|(_, value)| value.kind()).collect();
        assert_eq!(kinds, [ValueKind::String, ValueKind::Number, ValueKind::Bool, ValueKind::Number]);
        assert_eq!(fields.keys(), ["k", "k", "", "f"]);
        assert_eq!(fields.text, "k=1&k=2&=true&f=0.5");
        assert_eq!(fields.get("f"), Some(0.5.into()));
        assert_ne!(fields.get("f"), Some("0.5".into()));
        assert_eq!(fields, fields.clone());
        assert_ne!(fields, Fields::from_iter([("k", "1"), ("k", "2"), ("", "true"), ("f", "0.5")]));
        fields.clear();
        assert!(fields.is_empty());
    }
}
