//! What a body or a query holds: records, by its content type.

use std::borrow::Cow;
use std::fmt;
use std::io::Read as _;

use axum::http::StatusCode;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde::de::{self, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::record::{Field, MAX_FIELDS, Record};
use crate::refusal::Refusal;
use crate::value::Value;

/// The most records in one request: they take more memory than the bytes that they come in.
const MAX_RECORDS: usize = 20_000;

/// The records of a request. `arrived` is in microseconds since 1970.
///
/// All of them, or none: a sender that halves what was refused finds the culprit.
pub(crate) fn records(content_type: &str, body: &[u8], arrived: i64) -> Result<Vec<Record>, Refusal> {
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let records = match media_type.as_str() {
        "application/x-www-form-urlencoded" => form(body, arrived)?,
        "application/x-www-form-urlencoded-lines" => lines(body, |line| one_form(line, arrived))?,
        "application/json" => json(body, arrived)?,
        "application/x-ndjson" | "application/jsonl" => lines(body, |line| one_object(line, arrived))?,
        "" => return Err(unsupported("no content type")),
        other => return Err(unsupported(&format!("content type {other:?}"))),
    };
    if records.is_empty() {
        return Err(Refusal::bad_request("no records in it"));
    }
    Ok(records)
}

/// What a compressed body is, if it is no more than `limit` bytes.
pub(crate) fn gunzip(body: &[u8], limit: usize) -> Result<Vec<u8>, Refusal> {
    let mut plain = Vec::new();
    let read = MultiGzDecoder::new(body).take(limit as u64 + 1).read_to_end(&mut plain);
    read.map_err(|error| Refusal::bad_request(format!("the body is not gzip: {error}")))?;
    if plain.len() > limit {
        return Err(Refusal::too_large(format!("the body is more than {limit} bytes when it is decompressed")));
    }
    Ok(plain)
}

fn unsupported(what: &str) -> Refusal {
    Refusal::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        format!("{what}: send application/x-www-form-urlencoded (or -lines), application/json or application/x-ndjson"),
    )
}

/// A form is a record, or has a field that is an array of records.
fn form(body: &[u8], arrived: i64) -> Result<Vec<Record>, Refusal> {
    match array_in_form(body) {
        Some(array) => json(array.as_bytes(), arrived),
        None => Ok(one_form(body, arrived)?.into_iter().collect()),
    }
}

/// The value of the one field of a form, if that is an array of objects, and no message that looks like one.
fn array_in_form(body: &[u8]) -> Option<Cow<'_, str>> {
    let mut pairs = form_urlencoded::parse(body);
    let (key, value) = pairs.next()?;
    let array = pairs.next().is_none() && !matches!(&*key, "msg" | "message") && {
        let mut rest = value.trim_start().strip_prefix('[')?.trim_start().chars();
        rest.next() == Some('{') && value.trim_end().ends_with(']')
    };
    array.then_some(value)
}

fn one_form(form: &[u8], arrived: i64) -> Result<Option<Record>, Refusal> {
    let pairs = form_urlencoded::parse(form).map(|(key, value)| (key, Value::Text(value)));
    let fields: Vec<Field<'_>> = pairs.take(MAX_FIELDS + 1).collect();
    finished(&fields, arrived)
}

/// An object, or an array of objects.
fn json(text: &[u8], arrived: i64) -> Result<Vec<Record>, Refusal> {
    if text.trim_ascii_start().first() != Some(&b'[') {
        return Ok(one_object(text, arrived)?.into_iter().collect());
    }
    let objects: Vec<&RawValue> = serde_json::from_slice(text).map_err(|error| not_json(&error))?;
    at_most_max_records(objects.len())?;
    let numbered = (1..).zip(objects);
    let records = numbered.map(|(number, object)| {
        let record = one_object(object.get().as_bytes(), arrived).map_err(|refusal| at("record", number, &refusal))?;
        record.ok_or_else(|| Refusal::bad_request(format!("record {number}: no fields")))
    });
    records.collect()
}

fn one_object(text: &[u8], arrived: i64) -> Result<Option<Record>, Refusal> {
    let Object(fields) = serde_json::from_slice(text).map_err(|error| not_json(&error))?;
    finished(&fields, arrived)
}

fn finished(fields: &[Field<'_>], arrived: i64) -> Result<Option<Record>, Refusal> {
    if fields.len() > MAX_FIELDS {
        return Err(Refusal::bad_request(format!("a record of more than {MAX_FIELDS} fields")));
    }
    Ok((!fields.is_empty()).then(|| Record::new(fields, arrived)))
}

/// A record a line; empty lines hold none.
fn lines(body: &[u8], decode: impl Fn(&[u8]) -> Result<Option<Record>, Refusal>) -> Result<Vec<Record>, Refusal> {
    let mut records = Vec::new();
    for (number, line) in (1..).zip(body.split(|&byte| byte == b'\n')) {
        if line.trim_ascii().is_empty() {
            continue;
        }
        at_most_max_records(records.len() + 1)?;
        records.extend(decode(line.trim_ascii_end()).map_err(|refusal| at("line", number, &refusal))?);
    }
    Ok(records)
}

fn at_most_max_records(count: usize) -> Result<(), Refusal> {
    if count > MAX_RECORDS {
        return Err(Refusal::too_large(format!("more than {MAX_RECORDS} records")));
    }
    Ok(())
}

fn at(what: &str, number: usize, refusal: &Refusal) -> Refusal {
    Refusal::new(refusal.status, format!("{what} {number}: {refusal}"))
}

fn not_json(error: &serde_json::Error) -> Refusal {
    Refusal::bad_request(format!("not the JSON of a record: {error}"))
}

/// An object whose keys keep their order, and may be there twice.
struct Object<'a>(Vec<Field<'a>>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Pairs)
    }
}

struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, Value<'de>>()? {
            fields.push((Cow::Owned(key), value));
            if fields.len() > MAX_FIELDS {
                return Err(de::Error::custom(format_args!("a record of more than {MAX_FIELDS} fields")));
            }
        }
        Ok(Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded";
    const FORM_LINES: &str = "application/x-www-form-urlencoded-lines";
    const JSON: &str = "application/json";
    const JSON_LINES: &str = "application/x-ndjson";

    fn messages(content_type: &str, body: &str) -> Vec<String> {
        let records = records(content_type, body.as_bytes(), 0).unwrap();
        records.into_iter().map(|record| record.message).collect()
    }

    fn refusal(content_type: &str, body: &str) -> (u16, String) {
        let refusal = records(content_type, body.as_bytes(), 0).unwrap_err();
        (refusal.status.as_u16(), refusal.reason)
    }

    #[test]
    fn every_encoding() {
        assert_eq!(messages(FORM, "name=a&msg=one+%26%0A%C3%BC"), ["one &\nü"]);
        assert_eq!(messages("Application/X-WWW-Form-Urlencoded; charset=utf-8", "msg=one"), ["one"]);
        assert_eq!(messages(FORM_LINES, "msg=one\nmsg=two%0Alines\r\n\n"), ["one", "two\nlines"]);
        assert_eq!(messages(JSON, r#"{"msg":"one"}"#), ["one"]);
        assert_eq!(messages(JSON, r#" [{"msg":"one"}, {"msg":"two","n":1.5,"o":{"x":[null]}}]"#), ["one", "two"]);
        assert_eq!(messages(JSON_LINES, "{\"msg\":\"one\"}\n{\"msg\":\"two\"}"), ["one", "two"]);
        assert_eq!(
            messages(FORM, "records=%5B%7B%22msg%22%3A%22one%22%7D%2C%7B%22msg%22%3A%22two%22%7D%5D"),
            ["one", "two"]
        );
    }

    #[test]
    fn a_message_that_looks_like_records_is_a_message() {
        assert_eq!(messages(FORM, "msg=[{}]"), ["[{}]"]);
        assert_eq!(messages(FORM, "records=[{}]&msg=x"), ["x"]);
        assert_eq!(messages(FORM, "note=[1]"), [""]);
    }

    #[test]
    fn what_is_no_record_is_refused_with_its_place() {
        assert_eq!(refusal(FORM, ""), (400, "no records in it".to_owned()));
        assert_eq!(refusal(JSON_LINES, "\n\n"), (400, "no records in it".to_owned()));
        assert_eq!(refusal(JSON, "[]"), (400, "no records in it".to_owned()));
        assert_eq!(refusal(JSON, r#"[{"msg":"x"},{}]"#), (400, "record 2: no fields".to_owned()));
        for (body, place) in [("{\"msg\":\"x\"}\n[1]", "line 2: not the JSON"), ("{\"msg\"", "line 1: not the JSON")] {
            let (status, reason) = refusal(JSON_LINES, body);
            assert!(status == 400 && reason.starts_with(place), "{reason}");
        }
        assert!(refusal(JSON, r#"[{"msg":"x"},7]"#).1.starts_with("record 2: not the JSON"));
        assert_eq!(refusal("", "msg=x").0, 415);
        assert_eq!(refusal("text/plain", "msg=x").0, 415);
    }

    #[test]
    fn more_than_is_reasonable_is_refused() {
        let pairs = "a=b&".repeat(MAX_FIELDS + 1);
        assert_eq!(refusal(FORM, &pairs), (400, format!("a record of more than {MAX_FIELDS} fields")));
        assert_eq!(refusal(FORM_LINES, &"a=b\n".repeat(MAX_RECORDS + 1)).0, 413);
        assert_eq!(refusal(JSON, &format!("[{}{{}}]", "{},".repeat(MAX_RECORDS))).0, 413);
        assert_eq!(refusal(JSON, &"[".repeat(100_000)).0, 400);
        assert_eq!(refusal(JSON, &format!("{{\"a\":{}", "[".repeat(100_000))).0, 400);
        let deep = format!("{{\"msg\":\"x\",\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(messages(JSON, &deep), ["x"]);
    }

    #[test]
    fn compressed_bodies_are_bounded_by_what_they_become() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&vec![b'a'; 1_000_000]).unwrap();
        let bomb = encoder.finish().unwrap();
        assert_eq!(gunzip(&bomb, 1_000_000).unwrap().len(), 1_000_000);
        assert_eq!(gunzip(&bomb, 999_999).unwrap_err().status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(gunzip(&bomb[..bomb.len() - 9], 1_000_000).unwrap_err().status, StatusCode::BAD_REQUEST);
        assert_eq!(gunzip(b"msg=x", 10).unwrap_err().status, StatusCode::BAD_REQUEST);
    }
}
