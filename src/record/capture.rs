//! From a `log::Record`, which borrows everything, to one that owns it.

use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use log::{Level, Record, kv};

use super::site::Site;
use super::thread::Thread;
use super::{Has, LogRecord};
use crate::value::ValueKind;

/// Where each part of a record's text ends. Each begins where the one before it ends, and is empty if the record has no
/// such part: the message, the target, the module path, the file, the pairs, and behind them the index of the pairs.
#[derive(Clone, Copy, Default)]
pub(super) struct Ends {
    pub(super) message: u32,
    pub(super) target: u32,
    pub(super) module_path: u32,
    pub(super) file: u32,
    pub(super) pairs: u32,
}

impl LogRecord {
    /// Captures `record`, keeping at most `max_message_bytes` of its message.
    pub(crate) fn capture(record: &Record<'_>, max_message_bytes: usize) -> Self {
        // A `Display` that logs comes here a second time, and finds the buffer in use; a thread-local's destructor that
        // logs finds it gone. Both get a buffer of their own.
        thread_local!(static SCRATCH: RefCell<Writer> = RefCell::default());
        let shared = SCRATCH.try_with(|scratch| {
            let mut writer = scratch.try_borrow_mut().ok()?;
            writer.clear();
            Some(writer.record(record, max_message_bytes))
        });
        shared.ok().flatten().unwrap_or_else(|| Writer::default().record(record, max_message_bytes))
    }
}

/// Bytes of a thread's buffers that are kept from one record to the next.
const KEPT: usize = 16 * 1024;

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
            text.shrink_to(KEPT);
        }
    }

    fn record(&mut self, record: &Record<'_>, max_message_bytes: usize) -> LogRecord {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut ends = Ends::default();
        let (literal, cut_from) = self.message(record, max_message_bytes);
        ends.message = self.position();
        let site = Site::of(record.file_static(), record.module_path_static());
        let has = Has {
            line: record.line().is_some(),
            target: site.module_path != Some(record.target()),
            module_path: site.module_path.is_none() && record.module_path().is_some(),
            file: site.file.is_none() && record.file().is_some(),
        };
        ends.target = self.own(has.target.then_some(record.target()));
        ends.module_path = self.own(record.module_path().filter(|_| has.module_path));
        ends.file = self.own(record.file().filter(|_| has.file));
        ends.pairs = self.pairs(&record.key_values(), cut_from);
        self.buffer.push_str(&self.index);
        LogRecord {
            text: self.buffer.as_str().into(),
            literal,
            site,
            thread: Thread::current(),
            created: u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX),
            sequence: 0,
            ends,
            line: record.line().unwrap_or_default(),
            has,
            level: record.level() as u8 - Level::Error as u8,
        }
    }

    /// The message if it is static, and its whole length where it had to be cut.
    fn message(&mut self, record: &Record<'_>, limit: usize) -> (Option<&'static str>, Option<usize>) {
        if let Some(literal) = record.args().as_str() {
            let kept = floor_char_boundary(literal, limit);
            return (Some(&literal[..kept]), (kept < literal.len()).then_some(literal.len()));
        }
        let whole = self.display(record.args(), limit);
        (None, (self.buffer.len() < whole).then_some(whole))
    }

    fn own(&mut self, text: Option<&str>) -> u32 {
        if let Some(text) = text {
            self.display(&text, usize::MAX);
        }
        self.position()
    }

    /// Writes the pairs, and the index of their kinds and lengths.
    fn pairs(&mut self, source: &dyn kv::Source, cut_from: Option<usize>) -> u32 {
        if let Some(whole) = cut_from {
            self.pair("truncated", &whole, ValueKind::Number);
        }
        // Our visitor never fails; a source of the user's that does has said all it could.
        let _ = source.visit(&mut PairVisitor(self));
        self.position()
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

pub(super) fn kind_of_letter(letter: &str) -> ValueKind {
    match letter {
        "-" => ValueKind::Null,
        "b" => ValueKind::Bool,
        "n" => ValueKind::Number,
        _ => ValueKind::String,
    }
}
