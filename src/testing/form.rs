//! A form, decoded.

use std::fmt;

/// The fields of one record as they arrived: an ordered list of keys and values, all text.
///
/// It compares with an array of pairs, order and repeated keys included:
///
/// ```
/// # use std::time::Duration;
/// # let server = logpost::testing::Server::start()?;
/// # let handler = logpost::HttpHandler::builder(server.url())
/// #     .map_log_record(|record, fields| { fields.push("text", record.message()).push("priority", 1); })
/// #     .build()?;
/// # let (logger, guard) = logpost::builder().handler(handler).build()?;
/// # log::info!(logger: logger, "hello");
/// let form = &server.wait_for(1, Duration::from_secs(5))?[0];
/// assert_eq!(*form, [("text", "hello"), ("priority", "1")]);
/// assert_eq!(form.get("text"), Some("hello"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "parse_qsl")]
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FormData {
    pairs: Vec<(String, String)>,
}

impl FormData {
    /// Decodes a form; bytes that are not UTF-8 become U+FFFD, as in every browser.
    pub(super) fn decode(form: &[u8]) -> Self {
        Self { pairs: form_urlencoded::parse(form).into_owned().collect() }
    }

    /// Decodes a body of [`FormLines`](crate::FormLines).
    pub(super) fn decode_lines(body: &[u8]) -> Vec<Self> {
        if body.is_empty() {
            return Vec::new();
        }
        // Each line ends with a newline, that of a record without fields too.
        let lines = body.strip_suffix(b"\n").unwrap_or(body);
        lines.split(|&byte| byte == b'\n').map(Self::decode).collect()
    }

    /// The first value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.get_all(key).next()
    }

    /// All values of a key, in order.
    #[doc(alias = "getlist")]
    pub fn get_all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.iter().filter(move |(found, _)| *found == key).map(|(_, value)| value)
    }

    /// All keys and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

impl<const N: usize> PartialEq<[(&str, &str); N]> for FormData {
    fn eq(&self, pairs: &[(&str, &str); N]) -> bool {
        self.iter().eq(pairs.iter().copied())
    }
}

impl fmt::Debug for FormData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::Fields;
    use crate::http::{Encode as _, FormLines};

    #[test]
    fn order_and_repeated_keys_are_kept() {
        let form = FormData::decode(b"b=2&a=1&b=%C3%BC+%26&=");
        assert_eq!(form, [("b", "2"), ("a", "1"), ("b", "ü &"), ("", "")]);
        assert_ne!(form, [("a", "1"), ("b", "2"), ("b", "ü &"), ("", "")]);
        assert_ne!(form, [("b", "2")]);
        assert_eq!(form.get("b"), Some("2"));
        assert_eq!(form.get_all("b").collect::<Vec<_>>(), ["2", "ü &"]);
        assert_eq!(form.get("c"), None);
        assert_eq!((form.len(), form.is_empty()), (4, false));
        assert_eq!(format!("{form:?}"), r#"{"b": "2", "a": "1", "b": "ü &", "": ""}"#);
    }

    #[test]
    fn lines_are_the_records() {
        let mut body = Vec::new();
        assert!(FormData::decode_lines(&body).is_empty());
        let records: [&[(&str, &str)]; 4] = [&[("msg", "one")], &[], &[("msg", "two\nlines"), ("k", "v")], &[]];
        for record in records {
            FormLines.append(&record.iter().copied().collect::<Fields>(), &mut body);
        }
        let decoded = FormData::decode_lines(&body);
        assert_eq!(decoded.len(), 4);
        for (form, record) in decoded.iter().zip(records) {
            assert!(form.iter().eq(record.iter().copied()), "{form:?}");
        }
        // Others may leave out the last newline.
        assert_eq!(FormData::decode_lines(b"a=1\nb=2").len(), 2);
    }
}
