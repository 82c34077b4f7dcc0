//! A record as it is kept.

use std::borrow::Cow;

use crate::value::Value;

/// The keys of logpost's dictionary and of Python's records: what is not here is a record's own.
pub(crate) const CORE_KEYS: [&str; 23] = [
    "name",
    "msg",
    "args",
    "levelname",
    "levelno",
    "pathname",
    "filename",
    "module",
    "exc_info",
    "exc_text",
    "stack_info",
    "lineno",
    "funcName",
    "created",
    "msecs",
    "relativeCreated",
    "thread",
    "threadName",
    "processName",
    "process",
    "taskName",
    "message",
    "asctime",
];

/// The most fields that a record can have.
pub(crate) const MAX_FIELDS: usize = 2000;

/// A key and its value, in the order in which they came. A key can be there twice.
pub(crate) type Field<'a> = (Cow<'a, str>, Value<'a>);

/// What is searched and listed, and beside it all fields as they came.
#[derive(Debug, PartialEq)]
pub(crate) struct Record {
    /// Microseconds since 1970.
    pub(crate) created: i64,
    /// 1 to 5: error, warning, info, debug, trace.
    pub(crate) level: u8,
    pub(crate) target: String,
    pub(crate) message: String,
    /// A JSON array of `[key, value]`.
    pub(crate) fields: String,
}

impl Record {
    /// The record that has these fields. `arrived`, in microseconds since 1970, is its time if it has none of its own.
    pub(crate) fn new(fields: &[Field<'_>], arrived: i64) -> Self {
        let text = |keys: &[&str]| find(fields, keys).map(Value::text).unwrap_or_default().to_owned();
        Self {
            created: find(fields, &["created"]).and_then(microseconds).unwrap_or(arrived),
            level: level(fields),
            target: text(&["name", "target", "logger"]),
            // Python's `msg` is what is to be formatted; where it has been, `message` is the outcome.
            message: text(&["message", "msg"]),
            fields: serde_json::to_string(fields).expect("texts and JSON values can be written as JSON"),
        }
    }
}

/// The value of the first of `keys` that is there.
fn find<'a, 'f>(fields: &'a [Field<'f>], keys: &[&str]) -> Option<&'a Value<'f>> {
    keys.iter().find_map(|wanted| fields.iter().find(|(key, _)| key == wanted).map(|(_, value)| value))
}

/// Of seconds since 1970, up to the end of the year 9999.
fn microseconds(seconds: &Value<'_>) -> Option<i64> {
    let seconds = number(seconds)?;
    #[expect(clippy::cast_possible_truncation, reason = "within the range, by the condition")]
    (0.0..253_402_300_800.0).contains(&seconds).then_some((seconds * 1e6).round() as i64)
}

/// Of a JSON number and of a text alike.
fn number(value: &Value<'_>) -> Option<f64> {
    value.text().trim().parse().ok()
}

/// By Python's number, or else by name. What has neither is information.
fn level(fields: &[Field<'_>]) -> u8 {
    if let Some(number) = find(fields, &["levelno"]).and_then(number) {
        let reached = [40.0, 30.0, 20.0, 10.0].into_iter().zip(1..).find(|&(least, _)| number >= least);
        return reached.map_or(5, |(_, level)| level);
    }
    let name = find(fields, &["levelname", "level", "severity"]).map(Value::text).unwrap_or_default();
    match name.to_ascii_lowercase().as_str() {
        "critical" | "fatal" | "error" => 1,
        "warning" | "warn" => 2,
        "debug" => 4,
        "trace" => 5,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Of keys and of values that are JSON.
    fn record(fields: &[(&str, serde_json::Value)]) -> Record {
        let texts: Vec<_> = fields.iter().map(|(key, value)| (*key, value.to_string())).collect();
        let fields: Vec<_> =
            texts.iter().map(|(key, value)| (Cow::Borrowed(*key), serde_json::from_str(value).unwrap())).collect();
        Record::new(&fields, 7)
    }

    #[test]
    fn levels_by_number_and_by_name() {
        let levels = [("50", 1), ("40", 1), ("35", 2), ("30", 2), ("20", 3), ("10", 4), ("5", 5), ("0", 5), ("-1", 5)];
        for (number, level) in levels {
            assert_eq!(record(&[("levelno", json!(number)), ("levelname", json!("ERROR"))]).level, level, "{number}");
        }
        assert_eq!(record(&[("levelno", json!(30))]).level, 2);
        for (name, level) in [("CRITICAL", 1), ("Warn", 2), ("INFO", 3), ("debug", 4), ("TRACE", 5), ("Level 7", 3)] {
            assert_eq!(record(&[("levelno", json!("NaN?")), ("levelname", json!(name))]).level, level, "{name}");
        }
        assert_eq!(record(&[]).level, 3);
    }

    #[test]
    fn a_time_that_is_none_is_the_time_of_arrival() {
        assert_eq!(record(&[("created", json!("1795332533.046758"))]).created, 1_795_332_533_046_758);
        assert_eq!(record(&[("created", json!(1.5))]).created, 1_500_000);
        for nonsense in [json!("inf"), json!("NaN"), json!("-1"), json!("1e300"), json!(null), json!("yesterday")] {
            assert_eq!(record(&[("created", nonsense.clone())]).created, 7, "{nonsense}");
        }
        assert_eq!(record(&[]).created, 7);
    }

    #[test]
    fn python_s_message_goes_before_what_was_to_be_formatted() {
        let fields = [("msg", json!("%d of %d")), ("args", json!("(1, 2)")), ("message", json!("1 of 2"))];
        assert_eq!(record(&fields).message, "1 of 2");
        assert_eq!(record(&fields[..2]).message, "%d of %d");
    }

    #[test]
    fn fields_keep_their_order_and_come_twice() {
        let kept = record(&[("z", json!("1")), ("a", json!(2)), ("z", json!(null))]).fields;
        assert_eq!(kept, r#"[["z","1"],["a",2],["z",null]]"#);
    }
}
