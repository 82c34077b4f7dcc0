//! Records on their way to another process.

use std::borrow::Cow;

use log::Level;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::LogRecord;
use super::origin::Origin;
use crate::process;
use crate::value::ValueKind;

/// Raised when a reader of the version before would misunderstand a record, and not when there is more in it.
const VERSION: u32 = 1;

/// A record as it is written. What may be absent has a default, so that an older sender is understood; names that are not here
/// are passed over, so that a newer one is.
#[derive(Serialize, Deserialize)]
#[serde(rename = "LogRecord")]
struct Wire<'a> {
    #[serde(default = "first")]
    version: u32,
    #[serde(borrow)]
    level: Cow<'a, str>,
    #[serde(borrow, default)]
    target: Cow<'a, str>,
    #[serde(borrow)]
    message: Cow<'a, str>,
    #[serde(borrow, default)]
    module_path: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    file: Option<Cow<'a, str>>,
    #[serde(default)]
    line: Option<u32>,
    /// Nanoseconds since the epoch.
    created: u64,
    #[serde(default)]
    thread: Option<u64>,
    #[serde(borrow, default)]
    thread_name: Option<Cow<'a, str>>,
    /// 0 where it is not known.
    #[serde(default)]
    process: u32,
    #[serde(borrow, default)]
    process_name: Option<Cow<'a, str>>,
    /// When logpost started there, in nanoseconds since the epoch.
    #[serde(default)]
    process_started: u64,
    /// Each with the kind of its value, and the value's text, so that no format can change it.
    #[serde(borrow, default)]
    key_values: Vec<(Cow<'a, str>, Cow<'a, str>, Cow<'a, str>)>,
}

fn first() -> u32 {
    1
}

/// Everything that it has, and which process it comes from; not its number in the queue.
///
/// The form is made for other processes that have logpost, of this version or another one: a self-describing format (JSON,
/// `MessagePack` with names, CBOR) lets a newer sender add what an older listener passes over. It is no JSON for log servers;
/// [`HttpHandlerBuilder::encoding`](crate::HttpHandlerBuilder::encoding) is about that.
impl Serialize for LogRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let here = Origin { id: process::id(), started: process::started(), name: process::name() };
        let origin = self.origin().unwrap_or(here);
        let key_values = self.key_values().map(|(key, value)| {
            let text = value.as_str().map_or_else(|| value.to_string().into(), Cow::Borrowed);
            (key.into(), name_of_kind(value.kind()).into(), text)
        });
        let wire = Wire {
            version: VERSION,
            level: self.level().as_str().into(),
            target: self.target().into(),
            message: self.message().into(),
            module_path: self.module_path().map(Into::into),
            file: self.file().map(Into::into),
            line: self.line(),
            created: self.created,
            thread: self.thread(),
            thread_name: self.thread_name().map(Into::into),
            process: origin.id,
            process_name: origin.name.map(Into::into),
            process_started: origin.started,
            key_values: key_values.collect(),
        };
        wire.serialize(serializer)
    }
}

/// From this version of logpost or another one. Where something is unknown, it is passed over; a level that is none, and a
/// version whose records would be misunderstood, are errors.
impl<'de> Deserialize<'de> for LogRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        if wire.version > VERSION {
            let problem = format!("a record of version {}, but this logpost reads up to {VERSION}", wire.version);
            return Err(D::Error::custom(problem));
        }
        let level = wire.level.parse::<Level>();
        let level = level.map_err(|_| {
            D::Error::custom(format!("level: must be ERROR, WARN, INFO, DEBUG or TRACE, but is {:?}", wire.level))
        })?;
        let mut record = Self::builder().level(level).target(wire.target).message(wire.message.into_owned());
        record = record.created_nanos(wire.created).thread(wire.thread.unwrap_or_default());
        // Each is left alone where it is absent.
        if let Some(module_path) = wire.module_path {
            record = record.module_path(module_path);
        }
        if let Some(file) = wire.file {
            record = record.file(file);
        }
        if let Some(line) = wire.line {
            record = record.line(line);
        }
        if let Some(name) = wire.thread_name {
            record = record.thread_name(name);
        }
        // A record that comes home is one of this process again.
        let is_ours = wire.process == process::id() && wire.process_started == process::started();
        if wire.process > 0 && !is_ours {
            record = record.other_process(wire.process, wire.process_started, wire.process_name.map(Cow::into_owned));
        }
        for (key, kind, text) in wire.key_values {
            record = record.pair(key.into_owned(), kind_of(&kind, &text), text.into_owned());
        }
        Ok(record.build())
    }
}

fn name_of_kind(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Null => "null",
        ValueKind::Bool => "bool",
        ValueKind::Number => "number",
        ValueKind::String => "string",
    }
}

/// A kind that is not known yet is text, which every value has; and so is what is not written as Rust writes that kind:
/// encodings take the text as it is.
fn kind_of(name: &str, text: &str) -> ValueKind {
    match name {
        "null" => ValueKind::Null,
        "bool" if matches!(text, "true" | "false") => ValueKind::Bool,
        "number" if is_number(text) => ValueKind::Number,
        _ => ValueKind::String,
    }
}

/// Whether it is a number as `Display` writes it.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let has_one_zero = whole == "0" || !whole.starts_with('0');
    matches!(text, "NaN" | "inf" | "-inf") || are_digits(whole) && are_digits(fraction) && has_one_zero
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::kv;
    use serde_json::{Value as Json, json};

    fn shown(record: &LogRecord) -> String {
        format!("{record:?} {} {:?} {:?}", record.process(), record.process_name(), record.created())
    }

    fn record() -> LogRecord {
        let pairs: &[_] = &[
            ("n", kv::Value::from(u128::MAX)),
            ("nan", kv::Value::from(f64::NAN)),
            ("b", kv::Value::from(true)),
            ("", kv::Value::null()),
            ("s", kv::Value::from("line\n\u{0}\"")),
            ("s", kv::Value::from("twice")),
        ];
        LogRecord::from(
            &log::Record::builder()
                .args(format_args!("some {}", "text"))
                .level(Level::Warn)
                .target("app")
                .module_path_static(Some("app::net"))
                .file(Some("src/net.rs"))
                .line(Some(7))
                .key_values(&pairs)
                .build(),
        )
    }

    #[test]
    fn a_record_comes_back_as_it_was() {
        for record in
            [record(), LogRecord::builder().build(), record().to_builder().process(1).process_name("x").build()]
        {
            let text = serde_json::to_string(&record).unwrap();
            let again: LogRecord = serde_json::from_str(&text).unwrap();
            assert_eq!(shown(&again), shown(&record));
            assert_eq!(serde_json::from_reader::<_, LogRecord>(text.as_bytes()).unwrap().message(), record.message());
            assert_eq!(serde_json::to_string(&again).unwrap(), text);
        }
    }

    #[test]
    fn what_is_unknown_is_passed_over_and_what_is_absent_has_a_default() {
        let newer = json!({
            "version": 1, "level": "INFO", "message": "m", "created": 5, "span": {"id": [1, 2]},
            "key_values": [["k", "decimal128", "1.5"]],
        });
        let newer: LogRecord = serde_json::from_value(newer).unwrap();
        let (key, value) = newer.key_values().next().unwrap();
        assert_eq!((key, value.kind(), value.as_str()), ("k", ValueKind::String, Some("1.5")));
        let older: LogRecord = serde_json::from_str(r#"{"level":"warn","message":"m","created":0}"#).unwrap();
        assert_eq!((older.level(), older.target(), older.line(), older.thread()), (Level::Warn, "", None, None));
    }

    /// Who sends records may be anybody.
    #[test]
    fn what_is_no_number_is_text() {
        let kind = |name: &str, text: &str| {
            let wire = json!({"level": "INFO", "message": "m", "created": 5, "key_values": [["k", name, text]]});
            let record: LogRecord = serde_json::from_value(wire).unwrap();
            let (_, value) = record.key_values().next().unwrap();
            assert_eq!(value.as_str(), Some(text));
            value.kind()
        };
        for number in ["0", "-1", "0.5", "-0", "-12.050", "10", "NaN", "inf", "-inf", &u128::MAX.to_string()] {
            assert_eq!(kind("number", number), ValueKind::Number, "{number}");
        }
        for text in ["1,\"evil\":1", "", "-", "--1", "+1", ".5", "5.", "01", "1.-5", "1e5", "infinity", "1.2.3", " 1"] {
            assert_eq!(kind("number", text), ValueKind::String, "{text}");
        }
        assert_eq!([kind("bool", "true"), kind("bool", "yes")], [ValueKind::Bool, ValueKind::String]);
    }

    #[test]
    fn what_would_be_misunderstood_is_an_error_that_says_so() {
        let problem = |change: (&str, Json)| {
            let mut wire = json!({"level": "INFO", "message": "m", "created": 5});
            wire[change.0] = change.1;
            serde_json::from_value::<LogRecord>(wire).unwrap_err().to_string()
        };
        assert_eq!(problem(("version", json!(2))), "a record of version 2, but this logpost reads up to 1");
        assert_eq!(
            problem(("level", json!("LOUD"))),
            "level: must be ERROR, WARN, INFO, DEBUG or TRACE, but is \"LOUD\""
        );
        assert!(problem(("created", json!(-1))).contains("-1"));
    }
}
