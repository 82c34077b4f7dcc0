//! A `log::Record` made owned on the caller's thread, in one small allocation.

use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use log::kv;
use log::{Level, Record};

use crate::value::{Value, ValueKind};

/// Bytes of a message that are kept; the rest is cut off, and the record then says so in a field `truncated`.
pub const DEFAULT_MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// A log record that owns all it has, made where `log::info!` was called.
///
/// It is Python's `LogRecord`: the message is already formatted, the time is that of the call, and the thread is the
/// caller's. Strings that live for ever (a literal message, `file!()`, `module_path!()`) are not copied; all the others
/// share one allocation.
///
/// ```
/// let record = log::Record::builder().args(format_args!("hello")).level(log::Level::Warn).target("app").build();
/// let record = logpost::LogRecord::from(&record);
/// assert_eq!((record.level(), record.target(), record.message()), (log::Level::Warn, "app", "hello"));
/// ```
#[derive(Clone)]
pub struct LogRecord {
    /// Every text that is not static: message, target, module path, file, the pairs, then `pair_index`.
    text: Box<str>,
    message: Part,
    target: Part,
    module_path: Part,
    file: Part,
    line: Option<u32>,
    /// Its number in the queue, from 1; 0 for a record that has not been in one.
    sequence: u64,
    created: u64,
    thread: Option<Arc<Thread>>,
    /// Where in `text` the pairs begin, and where the index of their lengths does.
    pairs: u32,
    pair_index: u32,
    level: Level,
}

/// A text of the record: static, or a range of the record's own `text`.
#[derive(Clone, Copy)]
enum Part {
    Static(&'static str),
    Own { start: u32, end: u32 },
}

impl Part {
    const ABSENT: Self = Self::Own { start: u32::MAX, end: u32::MAX };
}

impl LogRecord {
    /// The level.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The target: the module path, unless the call named another (`log::info!(target: "audit", ..)`).
    pub fn target(&self) -> &str {
        self.part(self.target).unwrap_or_default()
    }

    /// The formatted message.
    pub fn message(&self) -> &str {
        self.part(self.message).unwrap_or_default()
    }

    /// The module path of the call.
    pub fn module_path(&self) -> Option<&str> {
        self.part(self.module_path)
    }

    /// The source file of the call, as rustc gives it.
    pub fn file(&self) -> Option<&str> {
        self.part(self.file)
    }

    /// The line of the call.
    pub fn line(&self) -> Option<u32> {
        self.line
    }

    /// When the call was made.
    pub fn created(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.created)
    }

    /// A number of the calling thread, unique in this process; absent where the thread was already being torn down.
    pub fn thread(&self) -> Option<u64> {
        self.thread.as_ref().map(|thread| thread.number)
    }

    /// The name of the calling thread, where it has one.
    pub fn thread_name(&self) -> Option<&str> {
        self.thread.as_ref()?.name.as_deref()
    }

    /// The key-values of the call, in its order; a key that was given twice comes twice.
    pub fn key_values(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        let (pairs, index) = self.text[self.pairs as usize..].split_at((self.pair_index - self.pairs) as usize);
        let mut rest = pairs;
        index.split_terminator(';').filter_map(move |entry| {
            let (kind, lengths) = entry.split_at_checked(1)?;
            let (key, value) = lengths.split_once(',')?;
            let (key, after) = rest.split_at_checked(key.parse().ok()?)?;
            let (value, after) = after.split_at_checked(value.parse().ok()?)?;
            rest = after;
            Some((key, Value::from_text(kind_of_letter(kind), value)))
        })
    }

    /// Captures `record`, keeping at most `max_message_bytes` of its message.
    pub(crate) fn capture(record: &Record<'_>, max_message_bytes: usize) -> Self {
        // A `Display` that logs comes here a second time, and finds the buffer in use; a thread-local's destructor that
        // logs finds it gone. Both get a buffer of their own.
        thread_local!(static SCRATCH: RefCell<Writer> = RefCell::default());
        SCRATCH
            .try_with(|scratch| {
                let mut writer = scratch.try_borrow_mut().ok()?;
                writer.clear();
                Some(Self::capture_with(&mut writer, record, max_message_bytes))
            })
            .ok()
            .flatten()
            .unwrap_or_else(|| Self::capture_with(&mut Writer::default(), record, max_message_bytes))
    }

    fn capture_with(writer: &mut Writer, record: &Record<'_>, max_message_bytes: usize) -> Self {
        let created = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
        let (message, cut_from) = writer.message(record, max_message_bytes);
        let module_path = writer.optional(record.module_path_static(), record.module_path());
        let target = match record.module_path_static() {
            Some(path) if path == record.target() => Part::Static(path),
            _ => writer.own(record.target()),
        };
        let file = writer.optional(record.file_static(), record.file());
        let (pairs, pair_index) = writer.pairs(&record.key_values(), cut_from);
        Self {
            text: writer.buffer.as_str().into(),
            message,
            target,
            module_path,
            file,
            line: record.line(),
            sequence: 0,
            created,
            thread: Thread::current(),
            pairs,
            pair_index,
            level: record.level(),
        }
    }

    /// Which record of its queue it is, from 1: the same at every attempt to deliver it. `None` for a record that has not
    /// been in a queue.
    pub fn sequence(&self) -> Option<u64> {
        self.identity().filter(|&number| number < NOTICE)
    }

    /// What tells it from all other records of its listener, if it has one.
    pub(crate) fn identity(&self) -> Option<u64> {
        (self.sequence > 0).then_some(self.sequence)
    }

    pub(crate) fn set_sequence(&mut self, sequence: u64) {
        self.sequence = sequence;
    }

    /// Makes it a record of the listener's own: sent like any other, but in nobody's books.
    pub(crate) fn set_notice(&mut self, number: u64) {
        self.sequence = NOTICE + number;
    }

    /// Bytes of memory that the record takes.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + self.text.len()
    }

    fn part(&self, part: Part) -> Option<&str> {
        match part {
            Part::Static(text) => Some(text),
            Part::Own { start, end } => self.text.get(start as usize..end as usize),
        }
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
            .field("level", &self.level)
            .field("target", &self.target())
            .field("message", &self.message())
            .field("module_path", &self.module_path())
            .field("file", &self.file())
            .field("line", &self.line)
            .field("thread", &self.thread())
            .field("thread_name", &self.thread_name())
            .field("key_values", &self.key_values().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Numbers from here on are those of notices.
const NOTICE: u64 = 1 << 63;

/// Bytes of a thread's scratch buffer that are kept from one record to the next.
const SCRATCH_KEPT: usize = 16 * 1024;

/// Lays out the texts of one record, one behind the other, in storage that serves the next record too.
#[derive(Default)]
struct Writer {
    buffer: String,
    index: String,
}

impl Writer {
    fn clear(&mut self) {
        for text in [&mut self.buffer, &mut self.index] {
            text.clear();
            text.shrink_to(SCRATCH_KEPT);
        }
    }

    /// The message, and its whole length where it had to be cut.
    fn message(&mut self, record: &Record<'_>, limit: usize) -> (Part, Option<usize>) {
        if let Some(literal) = record.args().as_str() {
            let kept = floor_char_boundary(literal, limit);
            return (Part::Static(&literal[..kept]), (kept < literal.len()).then_some(literal.len()));
        }
        let start = self.buffer.len();
        let whole = self.display(record.args(), limit);
        let kept = self.buffer.len() - start;
        (self.part_from(start), (kept < whole).then_some(whole))
    }

    fn optional(&mut self, fixed: Option<&'static str>, text: Option<&str>) -> Part {
        match (fixed, text) {
            (Some(fixed), _) => Part::Static(fixed),
            (None, Some(text)) => self.own(text),
            (None, None) => Part::ABSENT,
        }
    }

    fn own(&mut self, text: &str) -> Part {
        let start = self.buffer.len();
        self.display(&text, usize::MAX);
        self.part_from(start)
    }

    /// Writes the pairs, then the index of their kinds and lengths; returns where each begins.
    fn pairs(&mut self, source: &dyn kv::Source, cut_from: Option<usize>) -> (u32, u32) {
        let pairs = self.position();
        if let Some(whole) = cut_from {
            self.pair("truncated", &whole, ValueKind::Number);
        }
        // Our visitor never fails; a source of the user's that does has said all it could.
        let _ = source.visit(&mut PairVisitor(self));
        let pair_index = self.position();
        self.buffer.push_str(&self.index);
        (pairs, pair_index)
    }

    fn pair(&mut self, key: &str, value: &dyn fmt::Display, kind: ValueKind) {
        let start = self.buffer.len();
        self.display(&key, usize::MAX);
        let middle = self.buffer.len();
        self.display(value, usize::MAX);
        let (key, value) = (middle - start, self.buffer.len() - middle);
        // Writing to a String does not fail.
        let _ = write!(self.index, "{}{key},{value};", letter_of_kind(kind));
    }

    /// Writes what `value` displays, at most `limit` bytes of it; returns how many there were.
    fn display(&mut self, value: &dyn fmt::Display, limit: usize) -> usize {
        let start = self.buffer.len();
        // Offsets are 32 bits wide. The room left for the index is far more than any real call needs.
        let end = start.saturating_add(limit).min(u32::MAX as usize / 2);
        let mut capped = Capped { buffer: &mut self.buffer, end, whole: 0 };
        if write!(capped, "{value}").is_err() {
            // `format!` would panic here. Whoever reads the log should see that something is missing.
            let _ = capped.write_str(" [a Display implementation returned an error]");
        }
        capped.whole
    }

    fn position(&self) -> u32 {
        u32::try_from(self.buffer.len()).unwrap_or(u32::MAX)
    }

    fn part_from(&self, start: usize) -> Part {
        Part::Own { start: u32::try_from(start).unwrap_or(u32::MAX), end: self.position() }
    }
}

/// Writes to `buffer` up to `end`, cuts at a character boundary, and counts what there was.
struct Capped<'a> {
    buffer: &'a mut String,
    end: usize,
    whole: usize,
}

impl fmt::Write for Capped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.whole += text.len();
        let room = self.end.saturating_sub(self.buffer.len());
        let kept = floor_char_boundary(text, room);
        self.buffer.push_str(&text[..kept]);
        if kept < text.len() {
            // Nothing may follow a cut, even if it would fit.
            self.end = self.buffer.len();
        }
        Ok(())
    }
}

/// The largest index up to `limit` at which `text` may be cut.
fn floor_char_boundary(text: &str, limit: usize) -> usize {
    if limit >= text.len() {
        return text.len();
    }
    (0..=limit).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

struct PairVisitor<'a>(&'a mut Writer);

impl<'kvs> kv::VisitSource<'kvs> for PairVisitor<'_> {
    fn visit_pair(&mut self, key: kv::Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        self.0.pair(key.as_str(), &value, kind_of_value(&value));
        Ok(())
    }
}

fn kind_of_value(value: &kv::Value<'_>) -> ValueKind {
    struct Visitor(ValueKind);

    macro_rules! found {
        ($($visit:ident($value:ty) => $kind:ident),*) => {$(
            fn $visit(&mut self, _: $value) -> Result<(), kv::Error> {
                self.0 = ValueKind::$kind;
                Ok(())
            }
        )*};
    }

    impl kv::VisitValue<'_> for Visitor {
        found!(visit_any(kv::Value<'_>) => String, visit_bool(bool) => Bool);
        found!(visit_u64(u64) => Number, visit_i64(i64) => Number, visit_f64(f64) => Number);
        found!(visit_u128(u128) => Number, visit_i128(i128) => Number);

        fn visit_null(&mut self) -> Result<(), kv::Error> {
            self.0 = ValueKind::Null;
            Ok(())
        }
    }

    let mut visitor = Visitor(ValueKind::String);
    // The visitor never fails.
    let _ = value.visit(&mut visitor);
    visitor.0
}

fn letter_of_kind(kind: ValueKind) -> char {
    match kind {
        ValueKind::Null => '-',
        ValueKind::Bool => 'b',
        ValueKind::Number => 'n',
        ValueKind::String => 's',
    }
}

fn kind_of_letter(letter: &str) -> ValueKind {
    match letter {
        "-" => ValueKind::Null,
        "b" => ValueKind::Bool,
        "n" => ValueKind::Number,
        _ => ValueKind::String,
    }
}

/// What a record says of its thread, made once in each thread.
struct Thread {
    number: u64,
    name: Option<Box<str>>,
}

impl Thread {
    fn current() -> Option<Arc<Self>> {
        thread_local!(static CURRENT: Arc<Thread> = Arc::new(Thread::new()));
        CURRENT.try_with(Arc::clone).ok()
    }

    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { number: NEXT.fetch_add(1, Ordering::Relaxed), name: std::thread::current().name().map(Into::into) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(record.text.is_empty());
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
