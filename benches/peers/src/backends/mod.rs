//! The loggers whose caller's path is measured. Each is started once, in a process of its own.

mod env_log;
mod fast;
mod flexi;
mod floor;
mod forth;
mod ft;
pub(crate) mod otel;
mod slogs;
mod spd;
mod tracings;
pub(crate) mod us;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

/// More than any run keeps waiting: no queue may drop, or block, for being full.
pub(crate) const CAPACITY: usize = 131_072;

/// What a backend is given.
pub(crate) struct Setup {
    /// Where a peer writes to.
    pub(crate) sink: Sink,
    /// Where logpost posts to: a real server.
    pub(crate) url: String,
    /// A directory for those that insist on a file.
    pub(crate) scratch: PathBuf,
}

/// The call that is measured.
#[derive(Clone, Copy)]
pub(crate) enum Call {
    Log,
    Tracing,
}

/// A logger that has been installed.
pub(crate) struct Running {
    pub(crate) call: Call,
    pub(crate) flush: Box<dyn Fn()>,
    /// Records that arrived: in the sink, or at the server, acknowledged. The floor delivers nothing.
    pub(crate) delivered: Option<Box<dyn Fn() -> u64>>,
}

impl Running {
    /// For a peer that writes into the sink. `keep` is what must live as long as the logger, its guard for instance.
    fn new<K: 'static>(sink: &Sink, keep: K, flush: impl Fn(&K) + 'static) -> Self {
        let sink = sink.clone();
        Self { call: Call::Log, flush: Box::new(move || flush(&keep)), delivered: Some(Box::new(move || sink.count())) }
    }
}

pub(crate) struct Backend {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Whether records wait in it: what is synchronous needs no memory for them.
    pub(crate) queues: bool,
    pub(crate) start: fn(&Setup) -> Running,
}

const fn backend(name: &'static str, about: &'static str, start: fn(&Setup) -> Running) -> Backend {
    Backend { name, about, queues: true, start }
}

const fn synchronous(name: &'static str, about: &'static str, start: fn(&Setup) -> Running) -> Backend {
    Backend { name, about, queues: false, start }
}

pub(crate) const NOOP: &str = "noop";
pub(crate) const FLOOR: &str = "fmtdrop";

pub(crate) const BACKENDS: &[Backend] = &[
    synchronous(NOOP, "no-op logger", floor::noop),
    synchronous(FLOOR, "**floor: format to a String, drop it**", floor::fmtdrop),
    backend("us", "**logpost**, as it comes: a record a request", us::form),
    backend("us-lines", "**logpost**, `FormLines`, `preallocate(65_536)`", us::lines),
    backend("flexi", "flexi_logger async", flexi::start),
    backend("fast_log", "fast_log", fast::start),
    backend("logforth", "logforth async", forth::start),
    backend("slog", "slog-async (slog-stdlog)", slogs::start),
    backend("spdlog", "spdlog-rs through log, async pool", spd::start),
    backend("ftlog", "ftlog", ft::start),
    backend("tracing", "tracing-appender non_blocking", tracings::native),
    backend("tracing-log", "the same through tracing-log", tracings::through_log),
    backend("otel", "OpenTelemetry log bridge + batch processor", otel::start),
    synchronous("env_logger", "env_logger, synchronous", env_log::start),
];

pub(crate) fn find(name: &str) -> Option<&'static Backend> {
    BACKENDS.iter().find(|backend| backend.name == name)
}

/// Discards what is written, counts the lines, and can be stopped up.
#[derive(Clone, Default, Debug)]
pub(crate) struct Sink(Arc<SinkState>);

#[derive(Default, Debug)]
struct SinkState {
    records: AtomicU64,
    stalled: Mutex<bool>,
    opened: Condvar,
}

impl Sink {
    /// One in which the first record gets stuck.
    pub(crate) fn stalled() -> Self {
        let sink = Self::default();
        *sink.0.stalled.lock().expect("no thread panics with it") = true;
        sink
    }

    pub(crate) fn is_stalled(&self) -> bool {
        *self.0.stalled.lock().expect("no thread panics with it")
    }

    pub(crate) fn add(&self, records: usize) {
        let stalled = self.0.stalled.lock().expect("no thread panics with it");
        drop(self.0.opened.wait_while(stalled, |stalled| *stalled));
        self.0.records.fetch_add(records as u64, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.records.load(Ordering::Relaxed)
    }
}

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.add(newlines(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[expect(clippy::naive_bytecount, reason = "fast enough for the few bytes of a record")]
pub(crate) fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}
