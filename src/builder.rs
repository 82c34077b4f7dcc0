//! Defaults and wiring.

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use log::{LevelFilter, Log};

use crate::error::Error;
use crate::fields;
use crate::filter::Filter;
use crate::global;
use crate::guard::{Backend, Guard, Outlet};
use crate::listener::{Crew, Failure, OnError};
use crate::logger::{Gate, Logger, Settings};
use crate::panics;
use crate::pipeline::{Pipeline, Prepared};
use crate::queue::{Queue, QueueHandler};
use crate::tees::Tees;

/// The most bytes of a message that can be asked for: 1 GiB.
const MAX_MESSAGE_BYTES: usize = 1 << 30;

/// Configures a logger; made by [`builder`](crate::builder).
#[derive(Default)]
#[must_use = "a builder does nothing until `init` or `build` is called"]
#[doc(alias = "Dispatch")]
#[doc(alias = "LoggerBuilder")]
pub struct Builder {
    filter: Option<Result<Filter, Error>>,
    settings: Settings,
    pipelines: Vec<Pipeline>,
    queues: Vec<QueueHandler>,
    tees: Tees,
    on_error: Option<OnError>,
    log_panics: bool,
}

impl Builder {
    /// The most detailed level that is logged. Defaults to [`DEFAULT_LEVEL`](crate::DEFAULT_LEVEL).
    ///
    /// `init` hands it to [`log::set_max_level`], which also decides what a disabled `log::trace!` costs: nothing. With
    /// the default, a later call of `log::set_max_level` may let more through; a level set here is the last word, until
    /// [`Guard::set_level`].
    ///
    /// Of a level and a `filter`, the one that is set last holds.
    #[doc(alias = "filter_level")]
    #[doc(alias = "max_level")]
    pub fn level(self, level: LevelFilter) -> Self {
        self.own_filter(level.into())
    }

    pub(crate) fn own_filter(mut self, filter: Filter) -> Self {
        self.filter = Some(Ok(filter));
        self
    }

    /// What is logged, by directives as in `RUST_LOG`. Defaults to none: [`level`](Self::level) decides.
    ///
    /// Directives are separated by commas. Each is a level, for every target that no other directive is about
    /// (`info`); a target and its level (`my_app::db=debug`, for all targets that begin so); or a target alone, for all
    /// its levels. The longest target that fits decides, and what no directive fits is not logged. The levels are `off`,
    /// `error`, `warn`, `info`, `debug` and `trace`. Behind them, after a slash, there may be a text that a message must
    /// contain (`info/timeout`); with the feature `regex`, or where another crate has the feature `regex` of
    /// `env_filter` on, a regular expression that it must match (as far as
    /// [`max_message_bytes`](Self::max_message_bytes) has kept it). Beware that `inof` is the target of that name.
    ///
    /// Of a level and a filter, the one that is set last holds: a level is a filter without targets. The most detailed
    /// level in it goes to [`log::set_max_level`]. Directives that do not parse are an error of `build` and `init`, as
    /// are none at all. [`Guard::set_filter`] replaces them later.
    ///
    /// ```
    /// use std::time::Duration;
    /// use logpost::CaptureHandler;
    ///
    /// let capture = CaptureHandler::new();
    /// let (logger, guard) = logpost::builder().filter("info,my_app::db=debug").handler(capture.clone()).build()?;
    /// log::debug!(logger: logger, target: "my_app::db", "connected");
    /// log::debug!(logger: logger, target: "my_app", "not logged");
    /// guard.flush(Duration::from_secs(5))?;
    /// assert_eq!(capture.messages(), ["connected"]);
    ///
    /// let error = logpost::builder().filter("my_app=loud").handler(capture).build().unwrap_err();
    /// assert_eq!(error.setting(), Some("filter"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "env-filter")]
    #[doc(alias = "parse_filters")]
    #[doc(alias = "filter_module")]
    #[doc(alias = "level_for")]
    pub fn filter(mut self, directives: &str) -> Self {
        self.filter = Some(Filter::parse(directives).map_err(|problem| Error::invalid("filter", problem)));
        self
    }

    /// What is logged, by [directives](Self::filter) in the environment variable `name`, which is read at once. Where it
    /// is unset or empty, it is as if this had not been called.
    ///
    /// Directives that do not parse are an error of `build` and `init`, which names the variable.
    ///
    /// ```
    /// use logpost::CaptureHandler;
    ///
    /// // Info, unless RUST_LOG has something else to say.
    /// let builder = logpost::builder().level(log::LevelFilter::Info).filter_env("RUST_LOG");
    /// let (logger, guard) = builder.handler(CaptureHandler::new()).build()?;
    /// # Ok::<(), logpost::Error>(())
    /// ```
    #[cfg(feature = "env-filter")]
    #[doc(alias = "RUST_LOG")]
    #[doc(alias = "parse_env")]
    #[doc(alias = "parse_default_env")]
    pub fn filter_env(mut self, name: &str) -> Self {
        let Some(value) = std::env::var_os(name).filter(|value| !value.is_empty()) else {
            return self;
        };
        // What is not Unicode is shown as such, and does not parse.
        let parsed = value.to_str().ok_or_else(|| format!("{value:?} is not UTF-8")).and_then(Filter::parse);
        self.filter = Some(parsed.map_err(|problem| Error::invalid("filter_env", format!("{name}: {problem}"))));
        self
    }

    /// Adds a destination: a handler, or a [`Pipeline`] around one; any number of them. Each has a queue and threads of
    /// its own, so one that fails or hangs does not delay another. A caller that waits for room, by
    /// [`Overflow::Block`](crate::Overflow::Block), has given its record to all others before.
    #[doc(alias = "addHandler")]
    pub fn handler(mut self, pipeline: impl Into<Pipeline>) -> Self {
        self.pipelines.push(pipeline.into());
        self
    }

    /// Adds a queue whose listener is somebody else's, in place of a [`Pipeline`]: a queue of one's own, or a [`QueueHandler`]
    /// with one. There may be any number of them, also beside pipelines. Defaults to none.
    ///
    /// Its records pass the logger's own [level](Self::level) or filter, and then the handler's. In
    /// [`Guard::stats_by_pipeline`] it is `queue-1`, `queue-2` and so on. [`Guard::flush`] and the flush at the end of the
    /// process wait for delivery where the [listener is known](QueueHandler::listener), or the queue is a
    /// [`BoundedQueue`](crate::BoundedQueue), started or not; otherwise for [`Enqueue::flush`](crate::Enqueue::flush).
    /// [`Guard::stop`] puts nothing more in, flushes, and leaves the listener to who has started it. Of its failures
    /// [`QueueListener::on_error`](crate::QueueListener::on_error) is told, not [`on_error`](Self::on_error).
    ///
    /// ```
    /// use std::time::Duration;
    /// use logpost::{BoundedQueue, CaptureHandler, QueueListener};
    ///
    /// let queue = BoundedQueue::new();
    /// let (logger, guard) = logpost::builder().queue(queue.clone()).build()?;
    /// log::info!(logger: logger, "early"); // waits for a listener
    ///
    /// let listener = QueueListener::new(queue).handler(CaptureHandler::new());
    /// listener.start()?;
    /// guard.flush(Duration::from_secs(5))?;
    /// assert_eq!(guard.stats().delivered, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "QueueHandler")]
    pub fn queue(mut self, queue: impl Into<QueueHandler>) -> Self {
        self.queues.push(queue.into().of_logger());
        self
    }

    /// Adds another backend of `log`, `env_logger` for the console say, which is called in place: on the caller's thread,
    /// while the caller waits. There may be any number of them. Defaults to none.
    ///
    /// It gets each record that passes the logger's own [level](Self::level) or `filter`, after the queues
    /// have it, and may refuse what it does not want; the levels and filters of pipelines are not about it. So the
    /// logger's own has to let through what either side wants:
    /// `.filter("debug").handler(Pipeline::new(http).level(LevelFilter::Info))`. A flush flushes it, without a deadline;
    /// [`Guard::stop`] does not concern it.
    ///
    /// What it logs itself goes to the queues but not to the tees, which would never end. Where it panics, the queues and
    /// the other tees have their record, and the caller has the panic, as without us. What is logged on a listener's
    /// thread does not come to it, since HTTP clients log secrets.
    ///
    /// ```
    /// use log::{Log, Metadata, Record};
    /// use logpost::CaptureHandler;
    ///
    /// struct Console;
    ///
    /// impl Log for Console {
    ///     fn enabled(&self, _: &Metadata) -> bool {
    ///         true
    ///     }
    ///     fn log(&self, record: &Record) {
    ///         eprintln!("{:5} {}", record.level(), record.args());
    ///     }
    ///     fn flush(&self) {}
    /// }
    ///
    /// let guard = logpost::builder().handler(CaptureHandler::new()).tee(Console).init()?;
    /// log::info!("here and there");
    /// # Ok::<(), logpost::Error>(())
    /// ```
    #[doc(alias = "chain")]
    #[doc(alias = "duplicate_to_stderr")]
    pub fn tee(mut self, other: impl Log + 'static) -> Self {
        self.tees.push(other);
        self
    }

    /// Who is told of every attempt that fails, instead of stderr. Defaults to a line there when delivery starts to fail,
    /// one a minute while it does, and one when it works again; and at most one a minute each for records that were
    /// rejected or abandoned, and for records that found the queue full. Those last are in
    /// [`Stats::dropped`](crate::Stats::dropped) and in a WARN record to the destination; this function is not called for
    /// them, nor for what a [queue](Self::queue)'s listener meets: with queues alone it is an error of `build`.
    ///
    /// It runs on a listener's thread and holds up delivery while it does; what it logs is ignored, and its panics are
    /// caught and counted.
    #[doc(alias = "handleError")]
    #[doc(alias = "error_channel")]
    pub fn on_error(mut self, on_error: impl Fn(&Failure<'_>) + Send + Sync + 'static) -> Self {
        self.on_error = Some(Arc::new(on_error));
        self
    }

    /// Whether panics are logged, on whichever thread: as a record at level Error, with target `panic` and the panic's file
    /// and line. Defaults to `false`.
    ///
    /// `init` puts a hook in front of the one that there is ([`std::panic::set_hook`]). It logs the panic, flushes for
    /// [`flush_timeout`](Self::flush_timeout) at the most, and then calls the hook that was there; so the record gets out
    /// also where a panic ends the process, by `panic = "abort"` say. A hook that is set later has to call it. Where the
    /// environment asks for backtraces (`RUST_BACKTRACE`), the record has one, as the key-value `backtrace`. Levels and
    /// filters are for panics too: directives that name no level for all targets need a `panic=error`.
    ///
    /// Not logged are the panics on a listener's thread, of a handler say, which are caught, counted and told of anyway;
    /// and those in a forked process. [`build`](Self::build) leaves the hook alone. A [tee](Self::tee) gets the record as
    /// any other, but one that panics over it ends the process, as each panic in a hook does.
    ///
    /// ```
    /// let guard = logpost::builder().handler(logpost::CaptureHandler::new()).log_panics(true).init()?;
    /// # Ok::<(), logpost::Error>(())
    /// ```
    #[doc(alias = "panic_hook")]
    pub fn log_panics(mut self, yes: bool) -> Self {
        self.log_panics = yes;
        self
    }

    /// How much of a message is kept: from 1 byte to 1 GiB. What is longer is cut off, at a character, and the record
    /// gets a field `truncated` with the number of bytes that it had. Defaults to
    /// [`DEFAULT_MAX_MESSAGE_BYTES`](crate::DEFAULT_MAX_MESSAGE_BYTES).
    pub fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_message_bytes = bytes;
        self
    }

    /// How long the flushes wait that have no time-out of their own: `log::logger().flush()`, a dropped [`Guard`], the
    /// end of the process. Defaults to [`DEFAULT_FLUSH_TIMEOUT`](crate::DEFAULT_FLUSH_TIMEOUT).
    #[doc(alias = "shutdown_timeout")]
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
    /// A setting that is wrong, neither a handler nor a queue, or a thread that could not be started.
    pub fn build(self) -> Result<(Logger, Guard), Error> {
        let (logger, backend) = self.start()?;
        let level = backend.gate().initial_level();
        if log::max_level() < level {
            log::set_max_level(level);
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
    /// is left behind then. And [`log_panics`](Self::log_panics), on a thread that is panicking.
    pub fn init(self) -> Result<Guard, Error> {
        if global::is_installed() {
            return Err(Error::already_initialized());
        }
        let log_panics = self.log_panics;
        if log_panics && thread::panicking() {
            return Err(Error::invalid("log_panics", "can't be set up on a thread that is panicking"));
        }
        let (logger, backend) = self.start()?;
        let backend = Arc::new(backend);
        if let Err(error) = global::install(logger, &backend) {
            if let Some(backend) = Arc::into_inner(backend) {
                backend.dismantle();
            }
            return Err(error);
        }
        if log_panics {
            panics::log_them(Arc::clone(&backend));
        }
        Ok(Guard::new(backend))
    }

    fn start(self) -> Result<(Logger, Backend), Error> {
        if self.pipelines.is_empty() && self.queues.is_empty() {
            return Err(Error::invalid("handler", "a logger needs at least one, or a queue"));
        }
        if self.pipelines.is_empty() && self.on_error.is_some() {
            let problem =
                "hears of handlers, but there are queues only: who listens to them has an `on_error` of its own";
            return Err(Error::invalid("on_error", problem));
        }
        let filter = self.filter.transpose()?;
        let Settings { max_message_bytes, flush_timeout } = self.settings;
        if max_message_bytes == 0 || max_message_bytes > MAX_MESSAGE_BYTES {
            let problem = format!("must be from 1 to {MAX_MESSAGE_BYTES} bytes, but is {max_message_bytes}");
            return Err(Error::invalid("max_message_bytes", problem));
        }
        fields::start_clock();
        let prepared = self.pipelines.into_iter().zip(1..).map(|(pipeline, place)| pipeline.prepare(place));
        let prepared = prepared.collect::<Result<Vec<_>, _>>()?;
        let queue_names: Vec<_> = (1..=self.queues.len()).map(|place| format!("queue-{place}")).collect();
        Prepared::check_names(&prepared, &queue_names)?;
        let of_pipelines = prepared.iter().map(|pipeline| pipeline.filter.widest());
        let wanted = of_pipelines.chain(self.queues.iter().map(QueueHandler::widest)).max().unwrap_or(LevelFilter::Off);
        let gate = Arc::new(Gate::new(filter, wanted, self.tees));
        let (mut handlers, mut waited_for) = (Vec::new(), Vec::new());
        let mut outlets = Vec::new();
        for pipeline in prepared {
            let Prepared { name, workers, filter, limits, policy } = pipeline;
            let queue = Arc::new(Queue::new(limits, workers.len()));
            let handler = QueueHandler::of_pipeline(Arc::clone(&queue), filter);
            let group = if handler.may_block() { &mut waited_for } else { &mut handlers };
            group.push(handler.clone());
            match Crew::start(queue, workers, policy, self.on_error.clone()) {
                Ok(crew) => outlets.push(Outlet { name, handler, crew: Some(crew) }),
                Err(error) => {
                    Backend::new(gate, outlets, flush_timeout).dismantle();
                    return Err(Error::thread(error));
                }
            }
        }
        for (handler, name) in self.queues.into_iter().zip(queue_names) {
            let group = if handler.may_block() { &mut waited_for } else { &mut handlers };
            group.push(handler.clone());
            outlets.push(Outlet { name, handler, crew: None });
        }
        // Last, so that no other pipeline's record waits for room in these.
        handlers.append(&mut waited_for);
        let logger = Logger::new(Arc::clone(&gate), handlers, &self.settings);
        Ok((logger, Backend::new(gate, outlets, flush_timeout)))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("filter", &self.filter)
            .field("settings", &self.settings)
            .field("pipelines", &self.pipelines)
            .field("tees", &self.tees)
            .field("log_panics", &self.log_panics)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::HttpHandler;
    use log::info;
    use std::sync::mpsc;
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
