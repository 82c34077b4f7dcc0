//! A record made of parts: by a `prepare`, a test, or what another process has sent.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use log::Level;

use super::capture::Writer;
use super::origin::Origin;
use super::site::Site;
use super::{Has, LogRecord};
use crate::process;
use crate::value::{Value, ValueKind};
use crate::wall_clock;

/// Makes a [`LogRecord`] of parts; made by [`LogRecord::builder`], or of a record by [`LogRecord::to_builder`].
///
/// ```
/// use log::Level;
/// use logpost::LogRecord;
///
/// let record = LogRecord::builder().level(Level::Warn).target("app").message("disk nearly full").key_value("free", 3).build();
/// let shout = record.to_builder().message(record.message().to_uppercase()).build();
/// assert_eq!((shout.level(), shout.message()), (Level::Warn, "DISK NEARLY FULL"));
/// assert_eq!(shout.key_values().next().unwrap().1.to_string(), "3");
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
#[doc(alias = "makeLogRecord")]
pub struct LogRecordBuilder {
    level: Level,
    target: Target,
    message: Cow<'static, str>,
    /// Where it was logged, as far as that is known by static strings.
    site: &'static Site,
    module_path: Option<String>,
    file: Option<String>,
    line: Option<u32>,
    created: u64,
    thread: u64,
    thread_name: Option<String>,
    origin: Option<OwnedOrigin>,
    pairs: Vec<(String, ValueKind, String)>,
}

#[derive(Clone, Debug)]
enum Target {
    /// That of the site.
    ModulePath,
    Own(String),
}

#[derive(Clone, Debug)]
struct OwnedOrigin {
    id: u32,
    started: u64,
    name: Option<String>,
}

impl LogRecord {
    /// Makes a record of parts.
    pub fn builder() -> LogRecordBuilder {
        LogRecordBuilder {
            level: Level::Info,
            target: Target::Own(String::new()),
            message: Cow::Borrowed(""),
            site: Site::of(None, None),
            module_path: None,
            file: None,
            line: None,
            created: wall_clock::now(),
            thread: 0,
            thread_name: None,
            origin: None,
            pairs: Vec::new(),
        }
    }

    /// The parts of this record, to make another one of.
    pub fn to_builder(&self) -> LogRecordBuilder {
        let (site, has) = (self.site, self.has);
        let owned = |text: &str| text.to_owned();
        LogRecordBuilder {
            level: self.level(),
            target: if has.target { Target::Own(owned(self.target())) } else { Target::ModulePath },
            message: self.text.literal().map_or_else(|| owned(self.message()).into(), Cow::Borrowed),
            site,
            module_path: self.module_path().filter(|_| has.module_path).map(owned),
            file: self.file().filter(|_| has.file).map(owned),
            line: self.line(),
            created: self.created,
            thread: self.thread,
            thread_name: self.thread_name().map(owned),
            origin: self.origin().map(OwnedOrigin::from),
            pairs: self.key_values().map(|(key, value)| (owned(key), value.kind(), value.to_string())).collect(),
        }
    }
}

impl LogRecordBuilder {
    /// The level. Defaults to Info.
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// The target. Defaults to an empty one.
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = Target::Own(target.into());
        self
    }

    /// The message, whatever its length. Defaults to an empty one.
    pub fn message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.message = message.into();
        self
    }

    /// The module path. Defaults to none.
    pub fn module_path(mut self, module_path: impl Into<String>) -> Self {
        self.leave_site();
        self.module_path = Some(module_path.into());
        self
    }

    /// The source file. Defaults to none.
    pub fn file(mut self, file: impl Into<String>) -> Self {
        self.leave_site();
        self.file = Some(file.into());
        self
    }

    /// The line in it. Defaults to none.
    pub fn line(mut self, line: u32) -> Self {
        self.line = Some(line);
        self
    }

    /// When it was logged; what is before 1970 is taken for that. Defaults to when the builder was made.
    pub fn created(mut self, created: SystemTime) -> Self {
        let since_epoch = created.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.created = u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX);
        self
    }

    /// The number of the thread that logged it, from 1. Defaults to none.
    pub fn thread(mut self, thread: u64) -> Self {
        self.thread = thread;
        self
    }

    /// The name of that thread. Defaults to none.
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        self.thread_name = Some(name.into());
        self
    }

    /// The id of the process that logged it. Defaults to this one's.
    pub fn process(mut self, id: u32) -> Self {
        self.foreign_origin().id = id;
        self
    }

    /// What that process is called. Defaults to this one's name.
    pub fn process_name(mut self, name: impl Into<String>) -> Self {
        self.foreign_origin().name = Some(name.into());
        self
    }

    /// Adds a key-value behind the others. Defaults to none.
    pub fn key_value<'v>(mut self, key: impl Into<String>, value: impl Into<Value<'v>>) -> Self {
        let value = value.into();
        self.pairs.push((key.into(), value.kind(), value.to_string()));
        self
    }

    /// Keeps of the key-values those that `keep` says. Defaults to all.
    ///
    /// ```
    /// let record = logpost::LogRecord::builder().key_value("user", "u1").key_value("password", "hunter2").build();
    /// let safe = record.to_builder().retain_key_values(|key, _| key != "password").build();
    /// assert_eq!(safe.key_values().count(), 1);
    /// ```
    pub fn retain_key_values(mut self, mut keep: impl FnMut(&str, Value<'_>) -> bool) -> Self {
        self.pairs.retain(|(key, kind, value)| keep(key, Value::from_text(*kind, value)));
        self
    }

    /// Makes the record.
    pub fn build(self) -> LogRecord {
        let Self { site, line, created, thread, .. } = self;
        let mut writer = Writer::new();
        let literal = match &self.message {
            Cow::Borrowed(literal) => Some(*literal),
            Cow::Owned(message) => {
                writer.own(Some(message));
                None
            }
        };
        let target = match &self.target {
            Target::Own(target) if site.static_module_path() == Some(target) => None,
            Target::Own(target) => Some(&**target),
            Target::ModulePath => None,
        };
        let origin = self.origin.as_ref().map(|OwnedOrigin { id, started, name }| {
            Origin { id: *id, started: *started, name: name.as_deref() }.to_text()
        });
        let pairs = self.pairs.iter().map(|(key, kind, value)| (&**key, *kind, &**value));
        let has = Has {
            line: line.is_some(),
            thread_name: self.thread_name.is_some(),
            target: target.is_some(),
            module_path: self.module_path.is_some(),
            file: self.file.is_some(),
            origin: origin.is_some(),
        };
        let texts = [self.thread_name.as_deref(), target, self.module_path.as_deref(), self.file.as_deref()];
        let text = writer.finish(literal, texts, origin.as_deref(), pairs);
        let level = self.level as u8 - Level::Error as u8;
        LogRecord { text, site, thread, created, sequence: 0, line: line.unwrap_or_default(), has, level }
    }

    /// The process that logged it, and when logpost started there, in nanoseconds since the epoch.
    #[cfg(feature = "serde")]
    pub(super) fn other_process(mut self, id: u32, started: u64, name: Option<String>) -> Self {
        self.origin = Some(OwnedOrigin { id, started, name });
        self
    }

    #[cfg(feature = "serde")]
    pub(super) fn created_nanos(mut self, created: u64) -> Self {
        self.created = created;
        self
    }

    /// A key-value whose text is at hand.
    #[cfg(feature = "serde")]
    pub(super) fn pair(mut self, key: String, kind: ValueKind, value: String) -> Self {
        self.pairs.push((key, kind, value));
        self
    }

    fn foreign_origin(&mut self) -> &mut OwnedOrigin {
        self.origin.get_or_insert_with(|| OwnedOrigin {
            id: process::id(),
            started: process::started(),
            name: process::name().map(ToOwned::to_owned),
        })
    }

    /// Takes over what it has from its site, one half of which is about to change.
    fn leave_site(&mut self) {
        if let Target::ModulePath = self.target {
            self.target = Target::Own(self.site.static_module_path().unwrap_or_default().to_owned());
        }
        let old = std::mem::replace(&mut self.site, Site::of(None, None));
        self.module_path = self.module_path.take().or(old.static_module_path().map(ToOwned::to_owned));
        self.file = self.file.take().or(old.static_file().map(ToOwned::to_owned));
    }
}

impl From<Origin<'_>> for OwnedOrigin {
    fn from(Origin { id, started, name }: Origin<'_>) -> Self {
        Self { id, started, name: name.map(ToOwned::to_owned) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::Record;

    fn shown(record: &LogRecord) -> String {
        let origin = record.origin().map(Origin::to_text);
        format!("{record:?} {:?} {:?} {origin:?}", record.created(), record.process_name())
    }

    #[test]
    fn nothing_is_lost_on_the_way_through_a_builder() {
        let text = String::from("text");
        let pairs: &[_] = &[("a", log::kv::Value::from(1)), ("", log::kv::Value::null())];
        let all_owned = LogRecord::from(
            &Record::builder()
                .args(format_args!("some {text}"))
                .target(&text)
                .module_path(Some(&text))
                .file(Some(&text))
                .line(Some(7))
                .key_values(&pairs)
                .build(),
        );
        let all_static = LogRecord::from(
            &Record::builder()
                .args(format_args!("literal"))
                .target("app")
                .module_path_static(Some("app"))
                .file_static(Some("src/app.rs"))
                .build(),
        );
        for record in [all_owned, all_static, LogRecord::builder().build()] {
            let again = record.to_builder().build();
            assert_eq!(shown(&again), shown(&record));
            assert_eq!(again.size(), record.size());
            let elsewhere = again.to_builder().process(1).process_name("a/b").thread(9).build();
            assert_eq!((elsewhere.process(), elsewhere.process_name(), elsewhere.thread()), (1, Some("a/b"), Some(9)));
            assert_eq!(shown(&elsewhere.to_builder().build()), shown(&elsewhere));
            assert_eq!(elsewhere.key_values().count(), record.key_values().count());
        }
    }

    #[test]
    fn a_part_that_is_changed_leaves_the_others_alone() {
        let record = &mut Record::builder();
        let record = record.target("app").module_path_static(Some("app")).file_static(Some("src/app.rs"));
        let record = LogRecord::from(&record.args(format_args!("m")).build());
        let moved = record.to_builder().file("lib.rs").build();
        assert_eq!((moved.target(), moved.module_path(), moved.file()), ("app", Some("app"), Some("lib.rs")));
        let moved = record.to_builder().module_path("other").build();
        assert_eq!((moved.target(), moved.module_path(), moved.file()), ("app", Some("other"), Some("src/app.rs")));
        let renamed = record.to_builder().target("audit").build();
        assert_eq!((renamed.target(), renamed.module_path()), ("audit", Some("app")));
    }
}
