//! Defaults and wiring.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use log::LevelFilter;

use crate::error::Error;
use crate::fields;
use crate::global;
use crate::guard::{Backend, Guard};
use crate::listener::{Failure, OnError, QueueListener};
use crate::logger::{Logger, Settings};
use crate::pipeline::{Pipeline, Prepared};
use crate::queue::{Queue, QueueHandler};

/// The most bytes of a message that can be asked for: 1 GiB.
const MAX_MESSAGE_BYTES: usize = 1 << 30;
/// Configures a logger; made by [`builder`](crate::builder).
#[derive(Default)]
#[must_use = "a builder does nothing until `init` or `build` is called"]
pub struct Builder {
    settings: Settings,
    pipelines: Vec<Pipeline>,
    on_error: Option<OnError>,
}

impl Builder {
    /// The most detailed level that is logged. Defaults to [`DEFAULT_LEVEL`](crate::DEFAULT_LEVEL).
    ///
    /// `init` hands it to [`log::set_max_level`], which also decides what a disabled `log::trace!` costs: nothing. With
    /// the default, a later call of `log::set_max_level` may let more through; a level set here is the last word.
    pub fn level(mut self, level: LevelFilter) -> Self {
        self.settings.level = Some(level);
        self
    }

    /// Adds a destination: a handler, or a [`Pipeline`] around one. Each has a queue and threads of its own, so one
    /// that fails does not delay another.
    pub fn handler(mut self, pipeline: impl Into<Pipeline>) -> Self {
        self.pipelines.push(pipeline.into());
        self
    }

    /// Who is told of every attempt that fails, instead of stderr. Defaults to a line there when delivery starts to fail,
    /// one a minute while it does, and one when it works again; and at most one a minute each for records that were
    /// rejected or abandoned, and for records that found the queue full. Those last are in [`Stats::dropped`](crate::Stats::dropped) and in a
    /// WARN record to the destination; this function is not called for them.
    ///
    /// It runs on a listener's thread and holds up delivery while it does; what it logs is ignored, and its panics are
    /// caught and counted.
    pub fn on_error(mut self, on_error: impl Fn(&Failure<'_>) + Send + Sync + 'static) -> Self {
        self.on_error = Some(Arc::new(on_error));
        self
    }

    /// How much of a message is kept: from 1 byte to 1 GiB. What is longer is cut off, at a character, and the record
    /// gets a field `truncated` with the number of bytes that it had. Defaults to [`DEFAULT_MAX_MESSAGE_BYTES`](crate::DEFAULT_MAX_MESSAGE_BYTES).
    pub fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_message_bytes = bytes;
        self
    }

    /// How long the flushes wait that have no time-out of their own: `log::logger().flush()`, a dropped [`Guard`], the
    /// end of the process. Defaults to [`DEFAULT_FLUSH_TIMEOUT`](crate::DEFAULT_FLUSH_TIMEOUT).
    pub fn flush_timeout(mut self, timeout: Duration) -> Self {
        self.settings.flush_timeout = timeout;
        self
    }

    /// Starts the listeners, and makes the logger without installing it: for tests, or to be called by a logger of your
    /// own.
    ///
    /// The `log` macros look at [`log::max_level`] even when they are given a logger, so it is raised to this logger's
    /// level where it is lower.
    ///
    /// # Errors
    ///
    /// A setting that is wrong, no handler at all, or a thread that could not be started.
    pub fn build(self) -> Result<(Logger, Guard), Error> {
        let (logger, backend) = self.start()?;
        if log::max_level() < logger.max_level() {
            log::set_max_level(logger.max_level());
        }
        Ok((logger, Guard::new(Arc::new(backend))))
    }

    /// Starts the listeners, makes the logger the process's, and sets [`log::set_max_level`].
    ///
    /// On Unix the calling thread (main, as a rule) flushes when it ends, by whatever way: return, panic, or
    /// [`std::process::exit`] called on it.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build); and if the process already has a logger, [`Error::is_already_initialized`]. No thread
    /// is left behind then.
    pub fn init(self) -> Result<Guard, Error> {
        if global::is_installed() {
            return Err(Error::already_initialized());
        }
        let (logger, backend) = self.start()?;
        let backend = Arc::new(backend);
        if let Err(error) = global::install(logger, &backend) {
            if let Some(backend) = Arc::into_inner(backend) {
                backend.dismantle();
            }
            return Err(error);
        }
        Ok(Guard::new(backend))
    }

    fn start(self) -> Result<(Logger, Backend), Error> {
        if self.pipelines.is_empty() {
            return Err(Error::invalid("handler", "a logger needs at least one"));
        }
        let Settings { max_message_bytes, flush_timeout, .. } = self.settings;
        if max_message_bytes == 0 || max_message_bytes > MAX_MESSAGE_BYTES {
            let problem = format!("must be from 1 to {MAX_MESSAGE_BYTES} bytes, but is {max_message_bytes}");
            return Err(Error::invalid("max_message_bytes", problem));
        }
        fields::start_clock();
        let prepared: Result<Vec<_>, _> = self.pipelines.into_iter().map(Pipeline::prepare).collect();
        let mut handlers = Vec::new();
        let mut listeners = Vec::new();
        for Prepared { workers, level, limits, policy } in prepared? {
            let queue = Arc::new(Queue::new(limits, workers.len()));
            handlers.push(QueueHandler::new(Arc::clone(&queue), level));
            match QueueListener::start(queue, workers, policy, self.on_error.clone()) {
                Ok(listener) => listeners.push(listener),
                Err(error) => {
                    Backend::new(listeners, flush_timeout).dismantle();
                    return Err(Error::thread(error));
                }
            }
        }
        let logger = Logger::new(handlers, self.settings);
        Ok((logger, Backend::new(listeners, flush_timeout)))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("settings", &self.settings)
            .field("pipelines", &self.pipelines)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::HttpHandler;
    use log::info;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Instant;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(50);

    /// What `tests/` can't do: it has no resolver that hangs.
    #[test]
    fn flush_and_stop_end_in_time_while_a_name_is_looked_up() {
        let (asked, is_asked) = mpsc::channel();
        let (answer, answered) = mpsc::channel::<()>();
        let answered = std::sync::Mutex::new(answered);
        let handler = HttpHandler::new("http://logs.example/").unwrap().resolving(move |_| {
            asked.send(()).unwrap();
            let _ = answered.lock().unwrap().recv();
            Err(std::io::Error::other("no such name"))
        });
        let (logger, guard) = Builder::default().on_error(|_| {}).handler(handler).build().unwrap();
        info!(logger: logger, "one");
        info!(logger: logger, "two");
        is_asked.recv_timeout(LONG).unwrap();
        assert_eq!(guard.flush(SHORT).unwrap_err().pending(), 2);
        let stats = guard.stop(SHORT);
        assert_eq!((stats.abandoned, stats.pending), (1, 1), "the lookup can't be cut short: {stats}");
        drop(answer);
        let since = Instant::now();
        while guard.stats().pending > 0 {
            assert!(since.elapsed() < LONG, "{}", guard.stats());
            thread::yield_now();
        }
        assert_eq!(guard.stats().abandoned, 2);
    }
}
