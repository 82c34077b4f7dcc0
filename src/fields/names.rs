//! Fields as servers want them that are particular about names or numbers.

use std::mem;

use super::default::{extra_key, is_reserved};
use super::{Fields, Form};
#[cfg(feature = "json")]
use crate::value::ValueKind;

/// Names that every language has for its variables.
impl Fields {
    /// Reduces all names to `[A-Za-z_][A-Za-z0-9_]*`, and tells those apart that become the same.
    pub(crate) fn make_names_safe(&mut self) {
        let is_fine = |place: usize| is_safe_name(&self.text[self.entries[place].key()]) && !self.is_again(place);
        if (0..self.len()).all(is_fine) {
            return;
        }
        let all = mem::take(self);
        for (place, entry) in all.entries.iter().enumerate() {
            let key = &all.text[entry.key()];
            let value = |text: &mut String| text.push_str(&all.text[entry.value()]);
            if is_safe_name(key) && !self.has(key) {
                self.add(&[key], entry.kind, entry.form, value);
                continue;
            }
            let mut name = safe_name(key);
            // What was reserved before has its name by right.
            if name != key && is_reserved(&name) {
                name = extra_key(&name).into_owned();
            }
            let is_to_come = |name: &str| all.entries[place + 1..].iter().any(|later| all.text[later.key()] == *name);
            if self.has(&name) || name != key && is_to_come(&name) {
                name = free_name(&name, |name| self.has(name) || is_to_come(name));
            }
            self.add(&[&name], entry.kind, Form::Unknown, value);
        }
    }

    /// Whether the field at this place has the key of one before it.
    pub(crate) fn is_again(&self, place: usize) -> bool {
        let key = &self.text[self.entries[place].key()];
        self.entries[..place].iter().any(|earlier| self.text[earlier.key()] == *key)
    }

    fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| self.text[entry.key()] == *key)
    }

    /// Makes strings of whole numbers that no double holds for certain.
    #[cfg(feature = "json")]
    pub(crate) fn make_large_integers_text(&mut self) {
        for entry in self.entries.iter_mut().filter(|entry| entry.kind == ValueKind::Number) {
            let text = &self.text[entry.value()];
            let digits = text.strip_prefix('-').unwrap_or(text);
            let is_integer = digits.bytes().all(|byte| byte.is_ascii_digit());
            // Of more digits than fit it is one for certain.
            if is_integer && digits.parse::<u64>().map_or(true, |number| number > LARGEST_SAFE) {
                entry.kind = ValueKind::String;
            }
        }
    }
}

/// Every whole number up to this one is a double, and no other is taken for it: JavaScript's `Number.MAX_SAFE_INTEGER`.
#[cfg(feature = "json")]
const LARGEST_SAFE: u64 = (1 << 53) - 1;

/// Whether it is `[A-Za-z_][A-Za-z0-9_]*`.
pub(crate) fn is_safe_name(name: &str) -> bool {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().next().is_some_and(|first| !first.is_ascii_digit()) && name.bytes().all(is_safe)
}

fn safe_name(name: &str) -> String {
    let first = name.chars().next().filter(|first| !first.is_ascii_digit());
    let prefix = if first.is_some() { "" } else { "_" };
    let safe = name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' });
    prefix.chars().chain(safe).collect()
}

/// The key with a number behind it, from 2: the first of those that are not taken.
pub(crate) fn free_name(key: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2..).map(|number: u64| format!("{key}_{number}"));
    numbered.into_iter().find(|name| !is_taken(name)).expect("there are more numbers than fields")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;
    use proptest::prelude::*;

    fn names(keys: &[&str]) -> String {
        let mut fields: Fields = keys.iter().map(|key| (key, *key)).collect();
        fields.make_names_safe();
        assert!(fields.iter().zip(keys).all(|((_, value), key)| value == Value::from(*key)), "values stay, in order");
        fields.keys().join(" ")
    }

    #[test]
    fn names_are_reduced_and_told_apart() {
        for (keys, expected) in [
            (&["msg", "a", "_b1"][..], "msg a _b1"),
            (&["user.id", "a[b][]", "1st", "", "Zo\u{eb} x"], "user_id a_b___ _1st _ Zo__x"),
            (&["user_id", "user.id", "user id"], "user_id user_id_2 user_id_3"),
            // One that needs no other name keeps its own.
            (&["user.id", "user_id"], "user_id_2 user_id"),
            (&["a.b", "a.b", "a_b_2", "a_b"], "a_b_3 a_b_4 a_b_2 a_b"),
            (&["k", "k", "k_2"], "k k_3 k_2"),
            (&["msg", "exc-info", "thread.Name"], "msg extra_exc_info thread_Name"),
            (&["extra_exc_info", "exc-info"], "extra_exc_info extra_exc_info_2"),
        ] {
            assert_eq!(names(keys), expected, "{keys:?}");
        }
    }

    proptest! {
        #[test]
        fn any_names_become_safe_and_different(keys in prop::collection::vec("[ab_1.]{0,3}", 0..12)) {
            let mut fields: Fields = keys.iter().map(|key| (key, key.as_str())).collect();
            fields.make_names_safe();
            prop_assert!((0..fields.len()).all(|place| !fields.is_again(place)), "{fields:?}");
            prop_assert!(fields.keys().into_iter().all(is_safe_name), "{fields:?}");
            let values: Vec<_> = fields.iter().map(|(_, value)| value.to_string()).collect();
            prop_assert_eq!(values, keys);
        }
    }

    #[cfg(feature = "json")]
    #[test]
    fn integers_beyond_what_a_double_holds_are_text() {
        let safe =
            [Value::from(9_007_199_254_740_991_u64), (-9_007_199_254_740_991_i64).into(), 0.5.into(), f64::NAN.into()];
        let large =
            [Value::from(1_u64 << 53), (-(1_i64 << 53)).into(), u128::MAX.into(), i128::MIN.into(), 1e300.into()];
        for (values, kind) in [(&safe[..], ValueKind::Number), (&large, ValueKind::String)] {
            for value in values {
                let mut fields = Fields::from_iter([("n", *value)]);
                fields.make_large_integers_text();
                let made = fields.get("n").unwrap();
                assert_eq!((made.kind(), made.to_string()), (kind, value.to_string()));
            }
        }
    }
}
