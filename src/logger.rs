//! The `log::Log`: filters, and hands each record to the queues.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use log::{LevelFilter, Log, Metadata, Record};

use crate::clock::after;
use crate::filter::{Filter, LiveFilter, Verdict};
use crate::queue::{self, DEFAULT_FLUSH_TIMEOUT, QueueHandler, on_listener_thread};
use crate::record::{DEFAULT_MAX_MESSAGE_BYTES, LogRecord};
use crate::tees::Tees;

/// The level of a logger that was given none: Info.
pub const DEFAULT_LEVEL: LevelFilter = LevelFilter::Info;

/// What is set for the logger as a whole.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) max_message_bytes: usize,
    pub(crate) flush_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_message_bytes: DEFAULT_MAX_MESSAGE_BYTES, flush_timeout: DEFAULT_FLUSH_TIMEOUT }
    }
}

/// The logger that [`Builder::build`](crate::Builder::build) makes, and [`Builder::init`](crate::Builder::init)
/// installs.
///
/// Its [`flush`](Log::flush) waits, for [`flush_timeout`](crate::Builder::flush_timeout) at the most, until every record
/// accepted before the call has its outcome.
#[derive(Debug)]
pub struct Logger {
    gate: Arc<Gate>,
    handlers: Vec<QueueHandler>,
    max_message_bytes: usize,
    flush_timeout: Duration,
}

impl Logger {
    /// A logger that hands what passes the gate to these.
    pub(crate) fn new(gate: Arc<Gate>, handlers: Vec<QueueHandler>, settings: &Settings) -> Self {
        let &Settings { max_message_bytes, flush_timeout } = settings;
        Self { gate, handlers, max_message_bytes, flush_timeout }
    }
}

/// Nobody is left who could log.
impl Drop for Logger {
    fn drop(&mut self) {
        self.handlers.iter().for_each(QueueHandler::retire);
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.gate.filter.verdict(metadata) != Verdict::Refused
            && (self.handlers.iter().any(|handler| handler.wants(metadata)) || self.gate.tees.enabled(metadata))
            && !on_listener_thread()
    }

    fn log(&self, record: &Record<'_>) {
        let metadata = record.metadata();
        let verdict = self.gate.filter.verdict(metadata);
        if verdict == Verdict::Refused || on_listener_thread() {
            return;
        }
        let mut handlers = self.handlers.iter().filter(|handler| handler.wants(metadata));
        match handlers.next() {
            Some(first) => {
                // Once for all handlers, and before any lock: formatting runs code of the user's.
                let captured = LogRecord::capture(record, self.max_message_bytes);
                if verdict == Verdict::UpToMessage && !self.gate.takes(metadata, &captured) {
                    return;
                }
                // The last of them needs no copy.
                let mut handler = first;
                for next in handlers {
                    if handler.takes(metadata, &captured) {
                        handler.put(captured.clone());
                    }
                    handler = next;
                }
                if handler.takes(metadata, &captured) {
                    handler.put(captured);
                }
            }
            None if self.gate.tees.is_empty() => return,
            None => {
                if verdict == Verdict::UpToMessage
                    && !self.gate.takes(metadata, &LogRecord::capture(record, self.max_message_bytes))
                {
                    return;
                }
            }
        }
        self.gate.tees.log(record);
    }

    fn flush(&self) {
        // `Log::flush` has no result; who wants one has `Guard::flush`.
        let _ = queue::flush(self.handlers.iter(), after(self.flush_timeout));
        self.gate.flush_tees();
    }
}

/// The logger's own filter, which every record has to pass, and the tees right behind it. The guard has them too: to
/// replace the one, and to flush the others.
#[derive(Debug)]
pub(crate) struct Gate {
    filter: LiveFilter,
    tees: Tees,
    /// What `log::set_max_level` shall let through at first.
    initial_level: LevelFilter,
    /// The most detailed level that anybody behind the gate wants.
    wanted: LevelFilter,
    /// Whether the process's logger is the one with this gate.
    installed: AtomicBool,
}

impl Gate {
    /// Without a filter it is all open, and `log::set_max_level` decides.
    pub(crate) fn new(filter: Option<Filter>, handlers_want: LevelFilter, tees: Tees) -> Self {
        let wanted = if tees.is_empty() { handlers_want } else { LevelFilter::Trace };
        let initial_level = filter.as_ref().map_or(DEFAULT_LEVEL, Filter::widest).min(wanted);
        let filter = LiveFilter::new(filter.unwrap_or(LevelFilter::Trace.into()));
        Self { filter, tees, initial_level, wanted, installed: AtomicBool::new(false) }
    }

    /// Whether a record of which its filter could not tell may pass, now that there is its message.
    #[cold]
    fn takes(&self, metadata: &Metadata<'_>, record: &LogRecord) -> bool {
        self.filter.takes_message(metadata, record.message())
    }

    /// The level for `log::set_max_level` until the filter is replaced: what is more detailed would go nowhere.
    pub(crate) fn initial_level(&self) -> LevelFilter {
        self.initial_level
    }

    /// From now on the process's level is this gate's to set.
    pub(crate) fn install(&self) {
        log::set_max_level(self.initial_level);
        self.installed.store(true, Ordering::Release);
    }

    /// Has the tees flush, in a flush of ours. What a tee panics with goes to the caller.
    pub(crate) fn flush_tees(&self) {
        // A listener's thread must not wait for whatever they wait for, and nothing of its own has come to them.
        if !on_listener_thread() {
            self.tees.flush();
        }
    }

    pub(crate) fn replace_filter(&self, filter: Filter) {
        let level = filter.widest().min(self.wanted);
        self.filter.replace(filter, || {
            // A logger that somebody else calls has no say in what the process logs.
            if self.installed.load(Ordering::Acquire) {
                log::set_max_level(level);
            }
        });
    }
}
