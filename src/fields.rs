//! A record as an ordered dictionary, and the default way to make one of it.

use std::fmt::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use log::Level;
use once_cell::sync::Lazy;

use crate::record::LogRecord;
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
    /// Keys and values, one behind the other.
    text: String,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    key_start: usize,
    value_start: usize,
    end: usize,
    kind: ValueKind,
}

impl Fields {
    /// An empty dictionary.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field behind the others.
    pub fn push<'v>(&mut self, key: &str, value: impl Into<Value<'v>>) -> &mut Self {
        self.push_parts(&[key], value.into());
        self
    }

    /// All fields, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        self.entries.iter().map(|entry| {
            let key = &self.text[entry.key_start..entry.value_start];
            let value = &self.text[entry.value_start..entry.end];
            (key, Value::from_text(entry.kind, value))
        })
    }

    /// The first value of a key.
    pub fn get(&self, key: &str) -> Option<Value<'_>> {
        self.iter().find(|(found, _)| *found == key).map(|(_, value)| value)
    }

    /// The keys, where the values may be secret.
    pub(crate) fn keys(&self) -> Vec<&str> {
        self.iter().map(|(key, _)| key).collect()
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

    /// Adds a field that the core fields must not be confused with: where its key is one of theirs, or one that Python
    /// would have sent, it goes out as `extra_<key>`.
    pub(crate) fn push_extra(&mut self, key: &str, value: Value<'_>) {
        if RESERVED.contains(&key) {
            self.push_parts(&["extra_", key], value);
        } else {
            self.push_parts(&[key], value);
        }
    }

    fn push_optional<'v>(&mut self, key: &str, value: Option<impl Into<Value<'v>>>) {
        if let Some(value) = value {
            self.push(key, value);
        }
    }

    fn push_number(&mut self, key: &str, value: fmt::Arguments<'_>) {
        self.push_display(&[key], ValueKind::Number, value);
    }

    fn push_parts(&mut self, key: &[&str], value: Value<'_>) {
        self.push_display(key, value.kind(), format_args!("{value}"));
    }

    fn push_display(&mut self, key: &[&str], kind: ValueKind, value: fmt::Arguments<'_>) {
        let key_start = self.text.len();
        self.text.extend(key.iter().copied());
        let value_start = self.text.len();
        // What is displayed here is text, numbers and bools, and the target a String: neither fails.
        let _ = self.text.write_fmt(value);
        self.entries.push(Entry { key_start, value_start, end: self.text.len(), kind });
    }
}

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
/// | `processName`, `process` | the executable's file stem; the process id |
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
pub fn map_log_record(record: &LogRecord, fields: &mut Fields) {
    map_core(record, fields);
    map_key_values(record, fields);
}

/// The fields that every record has.
pub(crate) fn map_core(record: &LogRecord, fields: &mut Fields) {
    let (name, number) = python_level(record.level());
    fields.push("name", record.target()).push("msg", record.message());
    fields.push("levelname", name).push("levelno", number);
    fields.push_optional("pathname", record.file());
    fields.push_optional("filename", record.file().map(file_name));
    fields.push_optional("module", record.module_path());
    fields.push_optional("lineno", record.line());
    let since_epoch = record.created().duration_since(UNIX_EPOCH).unwrap_or_default();
    let since_start = record.created().duration_since(*STARTED).unwrap_or_default();
    let (seconds, micros) = (since_epoch.as_secs(), since_epoch.subsec_micros());
    fields.push_number("created", format_args!("{seconds}.{micros:06}"));
    fields.push("msecs", since_epoch.subsec_millis());
    let (millis, micros) = (since_start.as_millis(), since_start.subsec_micros() % 1000);
    fields.push_number("relativeCreated", format_args!("{millis}.{micros:03}"));
    fields.push_optional("thread", record.thread());
    fields.push_optional("threadName", record.thread_name());
    fields.push_optional("processName", PROCESS_NAME.as_deref());
    fields.push("process", std::process::id());
}

/// The record's key-values.
pub(crate) fn map_key_values(record: &LogRecord, fields: &mut Fields) {
    for (key, value) in record.key_values() {
        fields.push_extra(key, value);
    }
}

/// When logpost started, for `relativeCreated`.
static STARTED: Lazy<SystemTime> = Lazy::new(SystemTime::now);

/// Python's name has no counterpart in Rust; the program's does the same service.
static PROCESS_NAME: Lazy<Option<String>> = Lazy::new(|| {
    let path = std::env::current_exe().ok()?;
    Some(path.file_stem()?.to_string_lossy().into_owned())
});

/// Has `relativeCreated` count from now, unless it does already.
pub(crate) fn start_clock() {
    Lazy::force(&STARTED);
}

/// Python's names and numbers, which servers filter by. Python has no trace; 5 is where its users put it.
fn python_level(level: Level) -> (&'static str, u32) {
    match level {
        Level::Error => ("ERROR", 40),
        Level::Warn => ("WARNING", 30),
        Level::Info => ("INFO", 20),
        Level::Debug => ("DEBUG", 10),
        Level::Trace => ("TRACE", 5),
    }
}

/// The last component, on whichever system the file was compiled.
fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::Record;

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
        let expected = "name msg levelname levelno pathname filename module lineno created msecs relativeCreated thread \
                        threadName processName process b a";
        assert_eq!(fields.keys().join(" "), expected);
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

    #[test]
    fn duplicates_and_kinds_are_kept() {
        let mut fields = Fields::new();
        fields.push("k", "1").push("k", 2).push("", true).push("f", 0.5);
        let kinds: Vec<_> = fields.iter().map(|(_, value)| value.kind()).collect();
        assert_eq!(kinds, [ValueKind::String, ValueKind::Number, ValueKind::Bool, ValueKind::Number]);
        assert_eq!(fields.keys(), ["k", "k", "", "f"]);
        fields.clear();
        assert!(fields.is_empty());
    }
}
