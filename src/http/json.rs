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
/// that of [`Json`]. A field without a name is an error of `build`.
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

    fn problem(&self) -> Option<String> {
        self.0.is_empty().then(|| "the form's field has no name".to_owned())
    }
}

/// Appends a dictionary as an object.
pub(super) fn append_object(fields: &Fields, body: &mut Vec<u8>) {
    append_object_but(fields, |_| false, body);
}

/// The same, without the fields of some names: the first of each name, as that is what is sent elsewhere.
pub(super) fn append_object_but(fields: &Fields, without: impl Fn(&str) -> bool, body: &mut Vec<u8>) {
    let mut names = Names::default();
    let mut again = Vec::new();
    let before = body.len();
    for (place, (key, value)) in fields.iter().enumerate() {
        let is_certainly_new = names.is_certainly_new(key);
        if without(key) && (is_certainly_new || !fields.is_again(place)) {
            continue;
        }
        body.push(if body.len() == before { b'{' } else { b',' });
        let (is_plain_key, is_plain_value) = fields.is_plain(place);
        if !is_certainly_new && fields.is_again(place) {
            let name = free_name(key, |name| again.iter().any(|found| found == name) || fields.get(name).is_some());
            append_string(&name, body);
            again.push(name);
        } else {
            append_text(key, is_plain_key, body);
        }
        body.push(b':');
        append_value(value, is_plain_value, body);
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
    serde_json::to_writer(body, text).expect(TO_MEMORY);
}

/// The same, at once where nothing in it has to be escaped.
fn append_text(text: &str, is_plain: bool, body: &mut Vec<u8>) {
    if !is_plain {
        return append_string(text, body);
    }
    body.push(b'"');
    body.extend_from_slice(text.as_bytes());
    body.push(b'"');
}

fn append_value(value: Value<'_>, is_plain: bool, body: &mut Vec<u8>) {
    let text = value.as_str().unwrap_or_default();
    let written = match value.kind() {
        ValueKind::String => return append_text(text, is_plain, body),
        ValueKind::Bool => CompactFormatter.write_bool(body, text == "true"),
        ValueKind::Number if !is_finite(text) => CompactFormatter.write_null(body),
        ValueKind::Number if text.len() <= LONGEST_INTEGER => CompactFormatter.write_number_str(body, text),
        // `Display` of a float has no exponent, but up to 327 digits, which some readers refuse.
        ValueKind::Number => CompactFormatter.write_f64(body, text.parse().unwrap_or_default()),
        ValueKind::Null => CompactFormatter.write_null(body),
    };
    written.expect(TO_MEMORY);
}

const TO_MEMORY: &str = "writing to memory does not fail";

/// `i128::MIN` has so many characters: what has more is a float.
const LONGEST_INTEGER: usize = 40;

/// Whether the text of a number is not `NaN`, `inf` or `-inf`. Rust writes all others as JSON does: digits, and digits
/// behind a point, and no exponent.
fn is_finite(number: &str) -> bool {
    number.ends_with(|last: char| last.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::map_log_record;
    use crate::record::LogRecord;
    use proptest::prelude::*;
    use serde_json::{Value as Parsed, json};

    fn object(fields: &Fields) -> String {
        let mut body = Vec::new();
        append_object(fields, &mut body);
        String::from_utf8(body).unwrap()
    }

    fn written(value: impl Into<Value<'static>>) -> String {
        let object = object(&Fields::from_iter([("v", value)]));
        serde_json::from_str::<Parsed>(&object).unwrap();
        object.strip_prefix("{\"v\":").unwrap().strip_suffix('}').unwrap().to_owned()
    }

    #[test]
    fn values_keep_their_kind() {
        assert_eq!([written(true), written(false), written(())], ["true", "false", "null"]);
        assert_eq!([written("true"), written("1"), written("None")], [r#""true""#, r#""1""#, r#""None""#]);
        assert_eq!([written(None::<u8>), written(Some(7_u8)), written(0)], ["null", "7", "0"]);
    }

    #[test]
    fn numbers_have_all_their_digits() {
        assert_eq!([written(u128::MAX), written(i128::MIN)], [u128::MAX.to_string(), i128::MIN.to_string()]);
        assert_eq!([written(1_u64 << 53), written((1_u64 << 53) + 1)], ["9007199254740992", "9007199254740993"]);
        assert_eq!([written(0.1), written(-0.0), written(1.0), written(1e16)], ["0.1", "-0", "1", "10000000000000000"]);
        assert_eq!([written(f64::MAX), written(-1e300)], ["1.7976931348623157e+308", "-1e+300"]);
        for float in [f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, 0.1 + 0.2, 1e40, 123_456.789e30] {
            assert_eq!(written(float).parse(), Ok(float));
            assert_eq!(serde_json::from_str::<Parsed>(&written(float)).unwrap().as_f64(), Some(float));
        }
    }

    #[test]
    fn what_is_no_number_is_null() {
        assert_eq!([f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(written), ["null"; 3]);
    }

    #[test]
    fn control_characters_are_escaped() {
        for byte in 0..0x20_u8 {
            let text = char::from(byte).to_string();
            let written = object(&Fields::from_iter([("v", &text)]));
            assert!(written.bytes().all(|byte| byte >= 0x20), "{written:?}");
            assert_eq!(serde_json::from_str::<Parsed>(&written).unwrap(), json!({ "v": text }));
        }
        assert_eq!(written("a\0\n\"\\/\u{7f}\u{2028}"), "\"a\\u0000\\n\\\"\\\\/\u{7f}\u{2028}\"");
    }

    #[test]
    fn keys_that_come_again_are_numbered() {
        let keys = |keys: &[&str]| object(&keys.iter().map(|key| (key, 0)).collect()).replace(":0", "");
        assert_eq!(keys(&["k", "k", "k"]), r#"{"k","k_2","k_3"}"#);
        assert_eq!(keys(&["k", "k_2", "k", "k_2"]), r#"{"k","k_2","k_3","k_2_2"}"#);
        assert_eq!(keys(&["k", "k", "k_2"]), r#"{"k","k_3","k_2"}"#);
        assert_eq!(keys(&[""]), r#"{""}"#);
        assert_eq!(keys(&[]), "{}");
    }

    #[test]
    fn fields_that_are_left_out_leave_no_comma() {
        let fields = Fields::from_iter([("a", 1), ("b", 2), ("c", 3)]);
        for (left_out, expected) in [("a", r#"{"b":2,"c":3}"#), ("b", r#"{"a":1,"c":3}"#), ("c", r#"{"a":1,"b":2}"#)] {
            let mut body = b"before".to_vec();
            append_object_but(&fields, |key| key == left_out, &mut body);
            assert_eq!(body, format!("before{expected}").into_bytes());
        }
    }

    #[test]
    fn the_default_dictionary_has_numbers_and_texts() {
        let pairs: &[(&str, log::kv::Value<'_>)] =
            &[("paid", true.into()), ("total", 19.9.into()), ("msg", "x".into())];
        let record = log::Record::builder().args(format_args!("m")).line(Some(7)).key_values(&pairs).build();
        let mut fields = Fields::new();
        map_log_record(&LogRecord::from(&record), &mut fields);
        let parsed: Parsed = serde_json::from_str(&object(&fields)).unwrap();
        assert_eq!(parsed["msg"], "m");
        assert_eq!((&parsed["lineno"], &parsed["levelno"]), (&json!(7), &json!(20)));
        assert_eq!(
            (&parsed["paid"], &parsed["total"], &parsed["extra_msg"]),
            (&json!(true), &json!(19.9), &json!("x"))
        );
        assert!(parsed["created"].is_f64() && parsed["process"].is_u64(), "{parsed}");
    }

    #[test]
    fn no_bodies_but_whole_ones() {
        for count in [1, 2, 5] {
            let fields = Fields::from_iter([("a b", "c&d")]);
            let (mut array, mut form) = (Vec::new(), Vec::new());
            for _ in 0..count {
                Json.append(&fields, &mut array);
                FormField("the field").append(&fields, &mut form);
            }
            Json.finish(&mut array);
            FormField("the field").finish(&mut form);
            assert_eq!(serde_json::from_slice::<Parsed>(&array).unwrap(), json!(vec![json!({"a b": "c&d"}); count]));
            let decoded: Vec<_> = form_urlencoded::parse(&form).into_owned().collect();
            assert_eq!(decoded, [("the field".to_owned(), String::from_utf8(array).unwrap())]);
        }
    }

    proptest! {
        #[test]
        fn any_texts_are_read_as_they_were(pairs in prop::collection::vec((".*", ".*"), 0..12)) {
            let fields: Fields = pairs.iter().map(|(key, value)| (key, value.as_str())).collect();
            let parsed: serde_json::Map<String, Parsed> = serde_json::from_str(&object(&fields)).unwrap();
            prop_assert_eq!(parsed.len(), pairs.len(), "no key is lost");
            for (place, (key, value)) in pairs.iter().enumerate() {
                if !fields.is_again(place) {
                    prop_assert_eq!(&parsed[key], value);
                }
            }
        }

        #[test]
        fn any_key_that_comes_again_has_a_name_of_its_own(keys in prop::collection::vec("k(_[23]){0,2}", 0..9)) {
            let fields: Fields = keys.iter().enumerate().map(|(place, key)| (key, place)).collect();
            let parsed: serde_json::Map<String, Parsed> = serde_json::from_str(&object(&fields)).unwrap();
            prop_assert_eq!(parsed.len(), keys.len());
        }
    }
}
