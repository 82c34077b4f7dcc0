//! A value of a field: its text, and what kind of thing the text stands for.

use std::borrow::Cow;
use std::fmt;

/// What the text of a [`Value`] stands for, for encodings that tell them apart.
///
/// A form sends text only; JSON, say, writes a number without quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValueKind {
    /// No value: `None` or `()`. Its text is `None`.
    Null,
    /// `true` or `false`.
    Bool,
    /// An integer or a float, `NaN` and the infinities included.
    Number,
    /// Anything else.
    String,
}

/// A value of a field, spelled as the [`log::kv`] crate's `Display` spells it: `true`, `1`, `0.1`, `NaN`, `None`.
///
/// Made from strings, numbers and bools with `into()`; read with [`kind`](Self::kind) and `Display`.
///
/// ```
/// use logpost::{Value, ValueKind};
///
/// assert_eq!(Value::from(1.5).to_string(), "1.5");
/// assert_eq!(Value::from(1.5).kind(), ValueKind::Number);
/// assert_eq!(Value::from("1.5").kind(), ValueKind::String);
/// ```
///
/// Two are equal if their kind and their text are: what `Fields` gives back equals what was pushed.
#[derive(Clone, Copy)]
pub struct Value<'a>(Repr<'a>);

#[derive(Clone, Copy)]
enum Repr<'a> {
    Text(ValueKind, &'a str),
    Bool(bool),
    Signed(i128),
    Unsigned(u128),
    Float(f64),
}

impl<'a> Value<'a> {
    /// A value whose text is at hand.
    pub(crate) fn from_text(kind: ValueKind, text: &'a str) -> Self {
        Self(Repr::Text(kind, text))
    }

    /// What the text stands for.
    pub fn kind(&self) -> ValueKind {
        match self.0 {
            Repr::Text(kind, _) => kind,
            Repr::Bool(_) => ValueKind::Bool,
            Repr::Signed(_) | Repr::Unsigned(_) | Repr::Float(_) => ValueKind::Number,
        }
    }

    /// The text, where the value is held as text: always for values read from a [`LogRecord`](crate::LogRecord) or from
    /// [`Fields`](crate::Fields), and for those made of a `&str`.
    pub fn as_str(&self) -> Option<&'a str> {
        match self.0 {
            Repr::Text(_, text) => Some(text),
            _ => None,
        }
    }
}

impl Value<'_> {
    /// Appends the text: what `Display` would write, without its detours.
    pub(crate) fn append_to(&self, text: &mut String) {
        match self.0 {
            Repr::Text(_, value) => text.push_str(value),
            Repr::Bool(value) => text.push_str(if value { "true" } else { "false" }),
            Repr::Signed(value) => text.push_str(itoa::Buffer::new().format(value)),
            Repr::Unsigned(value) => text.push_str(itoa::Buffer::new().format(value)),
            Repr::Float(_) => text.extend([self.to_string()]),
        }
    }
}

impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.to_string() == other.to_string()
    }
}

impl Eq for Value<'_> {}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Repr::Text(_, text) => f.write_str(text),
            Repr::Bool(value) => value.fmt(f),
            Repr::Signed(value) => value.fmt(f),
            Repr::Unsigned(value) => value.fmt(f),
            Repr::Float(value) => value.fmt(f),
        }
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Repr::Text(ValueKind::String, text) => write!(f, "{text:?}"),
            _ => write!(f, "{self}"),
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::from_text(ValueKind::String, text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::from(text.as_str())
    }
}

impl<'a> From<&'a Cow<'_, str>> for Value<'a> {
    fn from(text: &'a Cow<'_, str>) -> Self {
        Self::from(&**text)
    }
}

/// Null, if it is `None`.
impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or_else(|| ().into(), Into::into)
    }
}

/// Null.
impl From<()> for Value<'_> {
    fn from((): ()) -> Self {
        Self::from_text(ValueKind::Null, "None")
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self(Repr::Bool(value))
    }
}

impl From<f64> for Value<'_> {
    fn from(value: f64) -> Self {
        Self(Repr::Float(value))
    }
}

/// Widened to `f64`, as `log::kv` does: `0.1` becomes `0.10000000149011612`.
impl From<f32> for Value<'_> {
    fn from(value: f32) -> Self {
        Self(Repr::Float(value.into()))
    }
}

macro_rules! from_integers {
    ($repr:ident as $wide:ty: $($integer:ty),*) => {$(
        impl From<$integer> for Value<'_> {
            fn from(value: $integer) -> Self {
                Self(Repr::$repr(value as $wide))
            }
        }
    )*};
}

from_integers!(Signed as i128: i8, i16, i32, i64, i128, isize);
from_integers!(Unsigned as u128: u8, u16, u32, u64, u128, usize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelled_as_log_kv_spells_them() {
        for (ours, theirs) in [
            (Value::from(true), log::kv::Value::from(true)),
            (Value::from(i128::MIN), log::kv::Value::from(i128::MIN)),
            (Value::from(-1), log::kv::Value::from(-1)),
            (Value::from(u128::MAX), log::kv::Value::from(u128::MAX)),
            (Value::from(1.0), log::kv::Value::from(1.0)),
            (Value::from(1e16), log::kv::Value::from(1e16)),
            (Value::from(0.1_f32), log::kv::Value::from(0.1_f32)),
            (Value::from(f64::NAN), log::kv::Value::from(f64::NAN)),
            (Value::from(()), log::kv::Value::null()),
            (Value::from("a b"), log::kv::Value::from("a b")),
        ] {
            assert_eq!(ours.to_string(), theirs.to_string());
            let mut text = String::new();
            ours.append_to(&mut text);
            assert_eq!(text, theirs.to_string());
        }
    }

    #[test]
    fn kinds() {
        assert_eq!(Value::from(false).kind(), ValueKind::Bool);
        assert_eq!(Value::from(7_u8).kind(), ValueKind::Number);
        assert_eq!(Value::from("7").kind(), ValueKind::String);
    }
}
