//! A `log::Record` made owned on the caller's thread, without an allocation if its text is short.

mod builder;
mod capture;
mod origin;
#[cfg(feature = "serde")]
mod serde;
mod site;
mod text;
mod thread;

pub use self::builder::LogRecordBuilder;
pub(crate) use self::site::file_name;

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use log::{Level, Record};

use self::capture::kind_of_letter;
use self::origin::{ORIGIN, Origin};
use self::site::Site;
use self::text::{Part, Text};
use crate::process;
use crate::value::Value;

/// Bytes of a message that are kept; the rest is cut off, and the record then says so in a field `truncated`.
pub const DEFAULT_MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// A log record that owns all it has, made where `log::info!` was called.
///
/// It is Python's `LogRecord`: the message is already formatted, the time is that of the call, and the thread is the
/// caller's. Strings that live for ever (a literal message, `file!()`, `module_path!()`) are not copied; all the others
/// are kept inside the record if they are short, else in one allocation.
///
/// [`LogRecord::builder`] makes one of parts. With the feature `serde` it is `Serialize` and `Deserialize`, to cross
/// processes: it stays the record of the process and the thread that logged it.
///
/// ```
/// let record = log::Record::builder().args(format_args!("hello")).level(log::Level::Warn).target("app").build();
/// let record = logpost::LogRecord::from(&record);
/// assert_eq!((record.level(), record.target(), record.message()), (log::Level::Warn, "app", "hello"));
/// ```
#[derive(Clone)]
#[doc(alias = "LogEvent")]
pub struct LogRecord {
    /// Its message, and every other text that is not static.
    text: Text,
    site: &'static Site,
    /// The thread's number; 0 where it was already being torn down.
    thread: u64,
    /// Nanoseconds since the epoch.
    created: u64,
    /// Its number in the queue, from 1; 0 for a record that has not been in one.
    sequence: u64,
    line: u32,
    has: Has,
    level: u8,
}

/// What a record has that is neither there always, nor in its site.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, in bytes that would be padding")]
struct Has {
    line: bool,
    thread_name: bool,
    target: bool,
    module_path: bool,
    file: bool,
    origin: bool,
}

/// Numbers from here on are those of notices.
const NOTICE: u64 = 1 << 63;
/// Behind so many bits of a number stands whose it is, while the record is in a queue that is not ours.
const BOOKS: u32 = 48;

impl LogRecord {
    /// The level.
    pub fn level(&self) -> Level {
        Level::iter().nth(usize::from(self.level)).unwrap_or(Level::Trace)
    }

    /// The target: the module path, unless the call named another (`log::info!(target: "audit", ..)`).
    pub fn target(&self) -> &str {
        if self.has.target { self.text.part(Part::Target) } else { self.site.static_module_path().unwrap_or_default() }
    }

    /// The formatted message.
    pub fn message(&self) -> &str {
        self.text.message()
    }

    /// The module path of the call.
    pub fn module_path(&self) -> Option<&str> {
        self.site.static_module_path().or_else(|| self.has.module_path.then(|| self.text.part(Part::ModulePath)))
    }

    /// The source file of the call, as rustc gives it.
    pub fn file(&self) -> Option<&str> {
        self.site.static_file().or_else(|| self.has.file.then(|| self.text.part(Part::File)))
    }

    /// The line of the call.
    pub fn line(&self) -> Option<u32> {
        self.has.line.then_some(self.line)
    }

    /// When the call was made.
    pub fn created(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.created)
    }

    /// The same, in nanoseconds since the epoch.
    pub(crate) fn created_nanos(&self) -> u64 {
        self.created
    }

    /// A number of the calling thread, unique in this process; absent where the thread was already being torn down.
    pub fn thread(&self) -> Option<u64> {
        (self.thread > 0).then_some(self.thread)
    }

    /// The name of the calling thread, where it has one.
    pub fn thread_name(&self) -> Option<&str> {
        self.has.thread_name.then(|| self.text.part(Part::ThreadName))
    }

    /// The id of the process that logged it: this one, unless the record has come from another one.
    pub fn process(&self) -> u32 {
        self.origin().map_or_else(process::id, |origin| origin.id)
    }

    /// What the process is called that logged it: the file stem of its executable.
    pub fn process_name(&self) -> Option<&str> {
        match self.origin() {
            Some(origin) => origin.name,
            None => process::name(),
        }
    }

    /// The key-values of the call, in its order; a key that was given twice comes twice.
    pub fn key_values(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        let pairs = self.pairs().filter(|&(kind, ..)| kind != ORIGIN);
        pairs.map(|(kind, key, value)| (key, Value::from_text(kind_of_letter(kind), value)))
    }

    /// The pairs as they are kept, each with the letter of its kind.
    fn pairs(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        let mut rest = self.text.part(Part::Pairs);
        self.text.part(Part::Index).split_terminator(';').filter_map(move |entry| {
            let (kind, lengths) = entry.split_at_checked(1)?;
            let (key, value) = lengths.split_once(',')?;
            let (key, after) = rest.split_at_checked(key.parse().ok()?)?;
            let (value, after) = after.split_at_checked(value.parse().ok()?)?;
            rest = after;
            Some((kind, key, value))
        })
    }

    /// Which process it comes from, if that is another one.
    pub(crate) fn origin(&self) -> Option<Origin<'_>> {
        if !self.has.origin {
            return None;
        }
        self.pairs().next().and_then(|(_, _, value)| Origin::parse(value))
    }

    /// Which record of its queue it is, from 1: the same at every attempt to deliver it. `None` for a record that has not
    /// been in a queue.
    pub fn sequence(&self) -> Option<u64> {
        self.identity().filter(|&number| number < NOTICE).map(|number| number % (1 << BOOKS))
    }

    /// What is known of its site beforehand: of its file and its module path, if they are static, and of its target, if
    /// that is the module path.
    pub(crate) fn site(&self) -> (&'static Site, bool) {
        (self.site, !self.has.target)
    }

    /// What tells it from all other records of its listener, if it has one.
    pub(crate) fn identity(&self) -> Option<u64> {
        (self.sequence > 0).then_some(self.sequence)
    }

    pub(crate) fn set_sequence(&mut self, sequence: u64) {
        self.sequence = sequence;
    }

    /// Gives it a number in these books, for the way through a queue that anybody may put records into, and take them out of.
    pub(crate) fn set_accepted(&mut self, books: u16, number: u64) {
        self.sequence = (u64::from(books) << BOOKS) + number;
    }

    /// Its number in these books, if it has one there.
    pub(crate) fn accepted_in(&self, books: u16) -> Option<u64> {
        (self.sequence >> BOOKS == u64::from(books)).then_some(self.sequence % (1 << BOOKS))
    }

    /// Makes it a record of the listener's own: sent like any other, but in nobody's books.
    pub(crate) fn set_notice(&mut self, number: u64) {
        self.sequence = NOTICE + number;
    }

    /// Bytes of memory that the record takes.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + self.text.allocated()
    }
}

impl From<&Record<'_>> for LogRecord {
    /// Captures a record as the logger does, with the thread and the time of this call.
    fn from(record: &Record<'_>) -> Self {
        Self::capture(record, DEFAULT_MAX_MESSAGE_BYTES)
    }
}

impl fmt::Debug for LogRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogRecord")
            .field("level", &self.level())
            .field("target", &self.target())
            .field("message", &self.message())
            .field("module_path", &self.module_path())
            .field("file", &self.file())
            .field("line", &self.line())
            .field("thread", &self.thread())
            .field("thread_name", &self.thread_name())
            .field("process", &self.process())
            .field("process_name", &self.process_name())
            .field("key_values", &self.key_values().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::ValueKind;
    use log::kv;

    fn captured(record: &Record<'_>) -> LogRecord {
        LogRecord::from(record)
    }

    /// `Record`s borrow their arguments, so they can't be returned: the test gets it in a closure.
    macro_rules! record {
        ($($setting:ident($value:expr)),*) => {
            captured(&Record::builder()$(.$setting($value))*.build())
        };
    }

    #[test]
    fn a_literal_message_is_not_copied() {
        let record = record!(args(format_args!("hello")), module_path_static(Some("app")), target("app"));
        assert_eq!((record.message(), record.target()), ("hello", "app"));
        assert_eq!(record.text.part(Part::Message), "");
    }

    #[test]
    fn everything_is_kept() {
        let thing = String::from("thing");
        let pairs: &[_] =
            &[("a", kv::Value::from(1)), ("a", kv::Value::from("b;1,2")), ("", kv::Value::null()), ("t", true.into())];
        let record = record!(
            args(format_args!("some {thing}")),
            level(Level::Trace),
            target(&thing),
            module_path(Some(&thing)),
            file(Some("")),
            line(Some(0)),
            key_values(&pairs)
        );
        assert_eq!(record.message(), "some thing");
        assert_eq!(record.target(), "thing");
        assert_eq!(record.module_path(), Some("thing"));
        assert_eq!((record.file(), record.line()), (Some(""), Some(0)));
        let pairs: Vec<_> = record.key_values().map(|(key, value)| (key, value.to_string(), value.kind())).collect();
        assert_eq!(
            pairs,
            [
                ("a", "1".to_owned(), ValueKind::Number),
                ("a", "b;1,2".to_owned(), ValueKind::String),
                ("", "None".to_owned(), ValueKind::Null),
                ("t", "true".to_owned(), ValueKind::Bool),
            ]
        );
    }

    #[test]
    fn absent_is_not_empty() {
        let record = record!(args(format_args!("")));
        assert_eq!((record.module_path(), record.file(), record.line()), (None, None, None));
        assert_eq!(record.key_values().count(), 0);
    }

    #[test]
    fn created_now_by_this_thread() {
        let before = SystemTime::now();
        let record = record!(args(format_args!("x")));
        assert!(record.created() >= before && record.created() <= SystemTime::now());
        assert_eq!(record.thread_name(), std::thread::current().name());
        let other = std::thread::spawn(|| record!(args(format_args!("x")))).join().unwrap();
        assert_ne!(record.thread(), other.thread());
        assert_eq!(other.thread_name(), None);
    }

    #[test]
    fn long_messages_are_cut_at_a_character_and_say_so() {
        let text = "aé".repeat(3);
        let builder = &mut Record::builder();
        let formatted = LogRecord::capture(&builder.args(format_args!("{text}!")).build(), 5);
        assert_eq!(formatted.message(), "aéa");
        assert_eq!(format!("{:?}", formatted.key_values().collect::<Vec<_>>()), r#"[("truncated", 10)]"#);
        let literal = LogRecord::capture(&Record::builder().args(format_args!("aéaéaé!")).build(), 5);
        assert_eq!(literal.message(), formatted.message());
        assert_eq!(literal.key_values().count(), 1);
        assert_eq!(LogRecord::capture(&Record::builder().args(format_args!("{text}")).build(), 9).message(), text);
    }

    #[test]
    fn a_display_that_captures_a_record_itself() {
        struct Nested;
        impl fmt::Display for Nested {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(record!(args(format_args!("inner {}", 1))).message())
            }
        }
        assert_eq!(record!(args(format_args!("outer {Nested} end"))).message(), "outer inner 1 end");
    }

    #[test]
    fn a_display_that_fails_or_panics() {
        struct Fails;
        impl fmt::Display for Fails {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("half")?;
                Err(fmt::Error)
            }
        }
        struct Panics;
        impl fmt::Display for Panics {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("half")?;
                panic!("in Display")
            }
        }
        let failed = record!(args(format_args!("{Fails}")));
        assert_eq!(failed.message(), "half [a Display implementation returned an error]");
        std::panic::catch_unwind(|| record!(args(format_args!("{Panics}")))).unwrap_err();
        assert_eq!(record!(args(format_args!("{}", 7))).message(), "7");
    }

    #[test]
    fn a_record_stays_small() {
        assert!(size_of::<LogRecord>() <= 128, "{}", size_of::<LogRecord>());
    }
}
