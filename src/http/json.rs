//! JSON, of one record or several.
//!
//! This folder's place that knows how `serde_json` writes; `answers.rs` knows how it reads.

use serde_json::ser::{CompactFormatter, Formatter as _};

use super::encoding::Encode;
use super::urlencode;
use crate::fields::{Fields, free_name};
use crate::value::{Value, ValueKind};

/// Many records as a JSON array of objects: `application/json`.
///
/// Numbers, bools and nulls are written as such, in the order of the dictionary:
/// - NaN and the infinities, which JSON has no word for, are `null`.
/// - Integers of any size are written with all their digits. Readers that take every number for a double, as
///   JavaScript's does, lose digits of those over 2^53; for them there is
///   [`large_integers_as_text`](crate::HttpHandlerBuilder::large_integers_as_text).
/// - A key that comes again has a number from 2 behind it, `key_2` say: many readers refuse two of the same name, or
///   drop one.
/// - Control characters are escaped, as JSON wants it: `\n`, `\u0000`.
///
/// ```
/// use logpost::{Encode, Fields, Json};
///
/// let mut body = Vec::new();
/// let mut fields = Fields::new();
/// fields.push("msg", "two\nlines").push("total", 19.9).push("rate", f64::NAN).push("paid", true).push("total", 20);
/// Json.append(&fields, &mut body);
/// Json.append(&Fields::from_iter([("msg", "2")]), &mut body);
/// Json.finish(&mut body);
/// assert_eq!(
///     String::from_utf8(body)?,
///     r#"[{"msg":"two\nlines","total":19.9,"rate":null,"paid":true,"total_2":20},{"msg":"2"}]"#,
/// );
/// # Ok::<(), std::string::FromUtf8Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Json;

impl Encode for Json {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn append(&self, fields: &Fields, body: &mut Vec<u8>) {
        body.push(if body.is_empty() { b'[' } else { b',' });
        append_object(fields, body);
    }

    fn finish(&self, body: &mut Vec<u8>) {
        body.push(b']');
    }
}

/// Many records, each a line that is a JSON object: `application/x-ndjson`. The objects are those of [`Json`].
///
/// ```
/// use logpost::{Encode, Fields, JsonLines};
///
/// let mut body = Vec::new();
/// for message in ["one", "two\nlines"] {
///     JsonLines.append(&Fields::from_iter([("msg", message)]), &mut body);
/// }
/// assert_eq!(body, b"{\"msg\":\"one\"}\n{\"msg\":\"two\\nlines\"}\n");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[doc(alias = "ndjson")]
#[doc(alias = "jsonl")]
pub struct JsonLines;

impl Encode for JsonLines {
    fn content_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn append(&self, fields: &Fields, body: &mut Vec<u8>) {
        append_object(fields, body);
        body.push(b'\n');
    }
}

/// Many records in a form whose one field holds them as a JSON array: `application/x-www-form-urlencoded`. The array is
/// that of [`Json`].
///
/// ```
/// use logpost::{Encode, Fields, FormField};
///
/// let mut body = Vec::new();
/// let encoding = FormField("json");
/// encoding.append(&Fields::from_iter([("n", 1)]), &mut body);
/// encoding.append(&Fields::from_iter([("n", 2)]), &mut body);
/// encoding.finish(&mut body);
/// assert_eq!(body, b"json=%5B%7B%22n%22%3A1%7D%2C%7B%22n%22%3A2%7D%5D");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormField(
    /// The field's name.
    pub &'static str,
);

impl Encode for FormField {
    fn content_type(&self) -> &'static str {
        "application/x-www-form-urlencoded"
    }

    fn append(&self, fields: &Fields, body: &mut Vec<u8>) {
        if body.is_empty() {
            urlencode::append_text(self.0.as_bytes(), body);
            body.extend_from_slice(b"=%5B");
        } else {
            body.extend_from_slice(b"%2C");
        }
        let mut object = Vec::new();
        append_object(fields, &mut object);
        urlencode::append_text(&object, body);
    }

    fn finish(&self, body: &mut Vec<u8>) {
        body.extend_from_slice(b"%5D");
    }
}

/// Appends a dictionary as an object.
pub(super) fn append_object(fields: &Fields, body: &mut Vec<u8>) {
    append_object_but(fields, |_| false, body);
}

/// The same, without the fields of some names.
pub(super) fn append_object_but(fields: &Fields, without: impl Fn(&str) -> bool, body: &mut Vec<u8>) {
    let mut names = Names::default();
    let mut again = Vec::new();
    let before = body.len();
    for (place, (key, value)) in fields.iter().enumerate() {
        if without(key) {
            continue;
        }
        body.push(if body.len() == before { b'{' } else { b',' });
        if !names.is_certainly_new(key) && fields.is_again(place) {
            let name = free_name(key, |name| again.iter().any(|found| found == name) || fields.get(name).is_some());
            append_string(&name, body);
            again.push(name);
        } else {
            append_string(key, body);
        }
        body.push(b':');
        append_value(value, body);
    }
    if body.len() == before {
        body.push(b'{');
    }
    body.push(b'}');
}

/// Tells most names from those before them without looking at these.
#[derive(Default)]
struct Names(u64);

impl Names {
    fn is_certainly_new(&mut self, name: &str) -> bool {
        let bytes = name.as_bytes();
        let [first, last] = [bytes.first(), bytes.last()].map(|byte| usize::from(byte.copied().unwrap_or_default()));
        let bit = 1 << ((bytes.len() + 7 * first + 31 * last) % 64);
        let is_new = self.0 & bit == 0;
        self.0 |= bit;
        is_new
    }
}

/// Appends a string, escaped and in quotes.
pub(super) fn append_string(text: &str, body: &mut Vec<u8>) {
    infallible(serde_json::to_writer(body, text));
}

fn append_value(value: Value<'_>, body: &mut Vec<u8>) {
    let text = value.as_str().unwrap_or_default();
    match value.kind() {
        ValueKind::String => append_string(text, body),
        ValueKind::Bool => infallible(CompactFormatter.write_bool(body, text == "true")),
        ValueKind::Number if is_finite(text) => infallible(CompactFormatter.write_number_str(body, text)),
        ValueKind::Number | ValueKind::Null => infallible(CompactFormatter.write_null(body)),
    }
}

/// Whether the text of a number is not `NaN`, `inf` or `-inf`. Rust writes all others as JSON does: digits, and digits
/// behind a point, and no exponent.
fn is_finite(number: &str) -> bool {
    number.ends_with(|last: char| last.is_ascii_digit())
}

/// Writing to memory does not fail, and a string is what every serializer can write.
fn infallible<E>(written: Result<(), E>) {
    debug_assert!(written.is_ok());
}
