//! The default dictionary: Python's.

use std::borrow::Cow;

use log::Level;
use once_cell::sync::Lazy;

use super::{Fields, Form};
use crate::form::Known;
use crate::process;
use crate::record::{LogRecord, file_name};
use crate::value::{Value, ValueKind};

/// The keys of the fields that every record can have.
pub(crate) const CORE_KEYS: [&str; 15] = [
    "name",
    "msg",
    "levelname",
    "levelno",
    "pathname",
    "filename",
    "module",
    "lineno",
    "created",
    "msecs",
    "relativeCreated",
    "thread",
    "threadName",
    "processName",
    "process",
];

/// Keys that an extra must not have: those of Python's record, sent or not, and the two that its formatters add.
const RESERVED: [&str; 23] = [
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

/// The default dictionary: Python's `HTTPHandler.mapLogRecord`, with Python's keys in Python's order, so that a server
/// written for it works unchanged.
///
/// | key | value |
/// |---|---|
/// | `name` | the target |
/// | `msg` | the formatted message |
/// | `levelname`, `levelno` | `ERROR` 40, `WARNING` 30, `INFO` 20, `DEBUG` 10, `TRACE` 5 |
/// | `pathname`, `filename` | the file as rustc gives it; its last component, split at `/` and `\` |
/// | `module` | the module path |
/// | `lineno` | the line |
/// | `created` | seconds since the epoch, with microseconds |
/// | `msecs` | the whole milliseconds of `created` |
/// | `relativeCreated` | milliseconds since logpost started |
/// | `thread`, `threadName` | a number unique to the thread in this process; its name, where it has one |
/// | `processName`, `process` | the executable's file stem; the process id: of the process that logged it |
/// | then | the record's key-values, in order; a key of this table, or one of Python's that is not sent here, as `extra_<key>` |
///
/// What is absent is left out, and so are Python's keys that Rust has no value for: `args`, `exc_info`, `exc_text`,
/// `stack_info`, `funcName`, `taskName`.
///
/// Call it in a mapper of your own to add to the default, rather than to replace it:
///
/// ```
/// use logpost::{HttpHandler, map_log_record};
///
/// HttpHandler::builder("http://127.0.0.1:9020/log").map_log_record(|record, fields| {
///     map_log_record(record, fields);
///     fields.push("length", record.message().len());
/// });
/// ```
#[doc(alias = "mapLogRecord")]
pub fn map_log_record(record: &LogRecord, fields: &mut Fields) {
    map_core(record, fields);
    map_key_values(record, fields);
}

/// The fields that every record has.
pub(crate) fn map_core(record: &LogRecord, fields: &mut Fields) {
    let (level, number) = python_level(record.level());
    let (seconds, nanos) = (record.created_nanos() / 1_000_000_000, record.created_nanos() % 1_000_000_000);
    let origin = record.origin();
    let started = origin.as_ref().map_or_else(process::started, |origin| origin.started);
    let since_start = record.created_nanos().saturating_sub(started) / 1000;
    let (site, target_is_module_path) = record.site();
    let known_target = site.module_path.as_ref().filter(|_| target_is_module_path);
    fields.push_known("&name=", known_target, || Some(record.target()));
    fields.push_text("&msg=", Some(record.message()));
    fields.push_plain("&levelname=", ValueKind::String, |text| text.push_str(level));
    fields.push_integer("&levelno=", Some(number));
    fields.push_known("&pathname=", site.file.as_ref(), || record.file());
    fields.push_known("&filename=", site.file_name.as_ref(), || record.file().map(file_name));
    fields.push_known("&module=", site.module_path.as_ref(), || record.module_path());
    fields.push_integer("&lineno=", record.line().map(u64::from));
    fields.push_decimal("&created=", seconds, nanos / 1000, 6);
    fields.push_integer("&msecs=", Some(nanos / 1_000_000));
    fields.push_decimal("&relativeCreated=", since_start / 1000, since_start % 1000, 3);
    fields.push_integer("&thread=", record.thread());
    fields.push_text("&threadName=", record.thread_name());
    match &origin {
        None => fields.push_known("&processName=", PROCESS_NAME.as_ref(), || None),
        Some(origin) => fields.push_text("&processName=", origin.name),
    }
    fields.push_integer("&process=", Some(origin.map_or_else(process::id, |origin| origin.id).into()));
}

/// The record's key-values.
pub(crate) fn map_key_values(record: &LogRecord, fields: &mut Fields) {
    for (key, value) in record.key_values() {
        fields.push_extra(key, value);
    }
}

/// This process's, with its form.
static PROCESS_NAME: Lazy<Option<Known>> = Lazy::new(|| process::name().map(Known::new));

/// Has `relativeCreated` count from now, unless it does already.
pub(crate) fn start_clock() {
    process::started();
    process::id();
}

/// Python's names and numbers, which servers filter by. Python has no trace; 5 is where its users put it.
fn python_level(level: Level) -> (&'static str, u64) {
    match level {
        Level::Error => ("ERROR", 40),
        Level::Warn => ("WARNING", 30),
        Level::Info => ("INFO", 20),
        Level::Debug => ("DEBUG", 10),
        Level::Trace => ("TRACE", 5),
    }
}

/// What an extra of this name is called.
pub(crate) fn extra_key(key: &str) -> Cow<'_, str> {
    if is_reserved(key) { format!("extra_{key}").into() } else { key.into() }
}

pub(super) fn is_reserved(key: &str) -> bool {
    RESERVED.contains(&key)
}

/// The fields of the default dictionary. Their keys are plain, and given as they stand in a form: `&key=`.
impl Fields {
    fn push_text(&mut self, key: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.add_core(key, ValueKind::String, Form::PlainKey, |text| text.push_str(value));
        }
    }

    /// The known text, if there is one, else the other.
    fn push_known<'r>(
        &mut self,
        key: &'static str,
        known: Option<&'static Known>,
        other: impl FnOnce() -> Option<&'r str>,
    ) {
        let Some(Known { text, form }) = known else { return self.push_text(key, other()) };
        let form = form.as_deref().map_or(Form::Plain, Form::Known);
        self.add_core(key, ValueKind::String, form, |all| all.push_str(text));
    }

    fn push_integer(&mut self, key: &'static str, value: Option<u64>) {
        if let Some(value) = value {
            self.push_plain(key, ValueKind::Number, |text| text.push_str(itoa::Buffer::new().format(value)));
        }
    }

    /// A whole number and a fraction of so many digits, which is smaller than one.
    fn push_decimal(&mut self, key: &'static str, whole: u64, fraction: u64, digits: u32) {
        self.push_plain(key, ValueKind::Number, |text| {
            let mut buffer = itoa::Buffer::new();
            text.push_str(buffer.format(whole));
            // With a one in front, no zero is left out.
            let fraction = buffer.format(10_u64.pow(digits) + fraction);
            text.push('.');
            text.push_str(&fraction[1..]);
        });
    }

    fn push_plain(&mut self, key: &'static str, kind: ValueKind, append_value: impl FnOnce(&mut String)) {
        self.add_core(key, kind, Form::Plain, append_value);
    }

    /// Adds a field that the core fields must not be confused with: where its key is one of theirs, or one that Python
    /// would have sent, it goes out as `extra_<key>`.
    pub(crate) fn push_extra(&mut self, key: &str, value: Value<'_>) {
        let prefix = if is_reserved(key) { "extra_" } else { "" };
        self.add(&[prefix, key], value.kind(), Form::Unknown, |text| value.append_to(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::Record;
    use std::time::UNIX_EPOCH;

    #[test]
    fn the_default_in_order() {
        let mut fields = Fields::new();
        let pairs: &[_] = &[("b", 1), ("a", 2)];
        let record = Record::builder()
            .args(format_args!("hello"))
            .level(Level::Warn)
            .target("app::net")
            .module_path(Some("app::net"))
            .file(Some("src\\net/conn.rs"))
            .line(Some(7))
            .key_values(&pairs)
            .build();
        map_log_record(&LogRecord::from(&record), &mut fields);
        let mut expected = CORE_KEYS.to_vec();
        expected.extend(["b", "a"]);
        assert_eq!(fields.keys(), expected);
        let text = |key| fields.get(key).map(|value| value.to_string());
        assert_eq!(text("levelname").as_deref(), Some("WARNING"));
        assert_eq!(text("levelno").as_deref(), Some("30"));
        assert_eq!(text("filename").as_deref(), Some("conn.rs"));
        assert_eq!(text("process"), Some(std::process::id().to_string()));
    }

    #[test]
    fn created_keeps_microseconds_and_msecs_agrees() {
        let mut fields = Fields::new();
        let record = LogRecord::from(&Record::builder().args(format_args!("x")).build());
        map_log_record(&record, &mut fields);
        let number = |key| fields.get(key).unwrap().to_string();
        let micros = record.created().duration_since(UNIX_EPOCH).unwrap().as_micros();
        assert_eq!(number("created").replace('.', ""), micros.to_string());
        assert_eq!(number("msecs"), (micros / 1000 % 1000).to_string());
        assert!(number("relativeCreated").parse::<f64>().unwrap() >= 0.0);
    }

    #[test]
    fn absent_values_are_left_out() {
        let mut fields = Fields::new();
        map_log_record(&LogRecord::from(&Record::builder().build()), &mut fields);
        for key in ["pathname", "filename", "module", "lineno", "args", "funcName"] {
            assert!(!fields.keys().contains(&key), "{key}");
        }
    }

    #[test]
    fn nothing_overwrites_a_core_field() {
        let mut fields = Fields::new();
        let pairs: &[_] = &RESERVED.map(|key| (key, "evil"));
        let record = Record::builder().key_values(&pairs).build();
        map_key_values(&LogRecord::from(&record), &mut fields);
        assert_eq!(fields.keys(), RESERVED.map(|key| format!("extra_{key}")));
    }
}
