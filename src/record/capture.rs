//! From a `log::Record`, which borrows everything, to one that owns it.

use std::cell::RefCell;
use std::fmt::{self, Write as _};

use log::{Level, Record, kv};

use super::origin::ORIGIN;
use super::site::Site;
use super::text::{ENDS, Ends, Part, Text};
use super::thread::Thread;
use super::{Has, LogRecord};
use crate::value::ValueKind;
use crate::wall_clock;

impl LogRecord {
    /// Captures `record`, keeping at most `max_message_bytes` of its message.
    pub(crate) fn capture(record: &Record<'_>, max_message_bytes: usize) -> Self {
        // A `Display` that logs comes here a second time, and finds the buffer in use; a thread-local's destructor that
        // logs finds it gone. Both get a buffer of their own.
        thread_local!(static SCRATCH: RefCell<Writer> = const { RefCell::new(Writer::new()) });
        let shared = SCRATCH.try_with(|scratch| {
            let mut writer = scratch.try_borrow_mut().ok()?;
            writer.clear();
            Some(writer.record(record, max_message_bytes))
        });
        shared.ok().flatten().unwrap_or_else(|| Writer::new().record(record, max_message_bytes))
    }
}

/// Bytes of a thread's buffers that are kept from one record to the next.
const KEPT: usize = 16 * 1024;

/// Lays out the texts of one record, one behind the other, in storage that serves the next record too.
pub(super) struct Writer {
    buffer: String,
    index: String,
    ends: Ends,
}

impl Writer {
    pub(super) const fn new() -> Self {
        Self { buffer: String::new(), index: String::new(), ends: [0; ENDS] }
    }

    fn clear(&mut self) {
        for text in [&mut self.buffer, &mut self.index] {
            text.clear();
            if text.capacity() > KEPT {
                text.shrink_to(KEPT);
            }
        }
    }

    fn record(&mut self, record: &Record<'_>, max_message_bytes: usize) -> LogRecord {
        let created = wall_clock::now();
        let (literal, cut_from) = self.message(record.args(), max_message_bytes);
        self.end(Part::Message);
        let (thread, thread_name) = Thread::with_current(|thread| {
            self.own(thread.name.as_deref());
            (thread.number, thread.name.is_some())
        })
        .unwrap_or_default();
        self.end(Part::ThreadName);
        let site = Site::of(record.file_static(), record.module_path_static());
        let target = Some(record.target()).filter(|&target| site.static_module_path() != Some(target));
        self.own(target);
        self.end(Part::Target);
        let module_path = record.module_path().filter(|_| site.static_module_path().is_none());
        self.own(module_path);
        self.end(Part::ModulePath);
        let file = record.file().filter(|_| site.static_file().is_none());
        self.own(file);
        self.end(Part::File);
        self.pairs(&record.key_values(), cut_from);
        self.end(Part::Pairs);
        self.buffer.push_str(&self.index);
        LogRecord {
            text: Text::new(literal, &self.buffer, self.ends),
            site,
            thread,
            created,
            sequence: 0,
            line: record.line().unwrap_or_default(),
            has: Has {
                line: record.line().is_some(),
                thread_name,
                target: target.is_some(),
                module_path: module_path.is_some(),
                file: file.is_some(),
                origin: false,
            },
            level: record.level() as u8 - Level::Error as u8,
        }
    }

    /// The message if it is static, and its whole length where it had to be cut.
    fn message(&mut self, message: &fmt::Arguments<'_>, limit: usize) -> (Option<&'static str>, Option<usize>) {
        if let Some(literal) = message.as_str() {
            let kept = floor_char_boundary(literal, limit);
            return (Some(&literal[..kept]), (kept < literal.len()).then_some(literal.len()));
        }
        let whole = self.display(*message, limit);
        (None, (self.buffer.len() < whole).then_some(whole))
    }

    /// Lays out the texts of a record made of parts, behind its message: those between it and the pairs, in the order of
    /// [`Part`].
    pub(super) fn finish<'p>(
        mut self,
        literal: Option<&'static str>,
        texts: [Option<&str>; 4],
        origin: Option<&str>,
        pairs: impl Iterator<Item = (&'p str, ValueKind, &'p str)>,
    ) -> Text {
        self.end(Part::Message);
        for (text, part) in texts.into_iter().zip([Part::ThreadName, Part::Target, Part::ModulePath, Part::File]) {
            self.own(text);
            self.end(part);
        }
        if let Some(origin) = origin {
            self.pair("", &origin, ORIGIN);
        }
        for (key, kind, value) in pairs {
            self.pair(key, &value, letter_of_kind(kind));
        }
        self.end(Part::Pairs);
        self.buffer.push_str(&self.index);
        Text::new(literal, &self.buffer, self.ends)
    }

    pub(super) fn own(&mut self, text: Option<&str>) {
        if let Some(text) = text {
            Capped::new(&mut self.buffer, usize::MAX).push(text);
        }
    }

    /// What was written last was the end of this part.
    fn end(&mut self, part: Part) {
        self.ends[part as usize] = u32::try_from(self.buffer.len()).unwrap_or(u32::MAX);
    }

    /// Writes the pairs, and the index of their kinds and lengths.
    fn pairs(&mut self, source: &dyn kv::Source, cut_from: Option<usize>) {
        if let Some(whole) = cut_from {
            self.pair("truncated", &whole, letter_of_kind(ValueKind::Number));
        }
        // Our visitor never fails; a source of the user's that does has said all it could.
        let _ = source.visit(&mut PairVisitor(self));
    }

    fn pair(&mut self, key: &str, value: &dyn fmt::Display, letter: &str) {
        let start = self.buffer.len();
        self.own(Some(key));
        let middle = self.buffer.len();
        self.display(format_args!("{value}"), usize::MAX);
        let (key, value) = (middle - start, self.buffer.len() - middle);
        // Writing to a String does not fail.
        let _ = write!(self.index, "{letter}{key},{value};");
    }

    /// Writes what `value` displays, at most `limit` bytes of it; returns how many there were.
    fn display(&mut self, value: fmt::Arguments<'_>, limit: usize) -> usize {
        let mut capped = Capped::new(&mut self.buffer, limit);
        if capped.write_fmt(value).is_err() {
            // `format!` would panic here. Whoever reads the log should see that something is missing.
            capped.push(" [a Display implementation returned an error]");
        }
        capped.whole
    }
}

/// Writes to `buffer` up to `end`, cuts at a character boundary, and counts what there was.
struct Capped<'a> {
    buffer: &'a mut String,
    end: usize,
    whole: usize,
}

impl<'a> Capped<'a> {
    /// Writes at most `limit` bytes.
    fn new(buffer: &'a mut String, limit: usize) -> Self {
        // Offsets are 32 bits wide. The room left for the index is far more than any real call needs.
        let end = buffer.len().saturating_add(limit).min(u32::MAX as usize / 2);
        Self { buffer, end, whole: 0 }
    }

    fn push(&mut self, text: &str) {
        self.whole += text.len();
        let room = self.end.saturating_sub(self.buffer.len());
        if text.len() <= room {
            self.buffer.push_str(text);
        } else {
            self.buffer.push_str(&text[..floor_char_boundary(text, room)]);
            // Nothing may follow a cut, even if it would fit.
            self.end = self.buffer.len();
        }
    }
}

impl fmt::Write for Capped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text);
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
        self.0.pair(key.as_str(), &value, letter_of_kind(kind_of_value(&value)));
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

fn letter_of_kind(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Null => "-",
        ValueKind::Bool => "b",
        ValueKind::Number => "n",
        ValueKind::String => "s",
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
