//! The running backend, and the handle on it that users keep.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::LevelFilter;

use crate::clock::after;
use crate::count::Records;
#[cfg(feature = "env-filter")]
use crate::error::Error;
use crate::error::FlushError;
#[cfg(feature = "env-filter")]
use crate::filter::Filter;
use crate::listener::{Crew, print};
use crate::logger::Gate;
use crate::process;
use crate::queue::{self, QueueHandler, on_listener_thread};
use crate::stats::{PipelineStats, Stats};
use crate::sync::{Mutex, lock};

/// What [`init`](crate::init) and [`Builder::build`](crate::Builder::build) return: flush, stop and statistics.
///
/// Dropping it flushes, for [`flush_timeout`](crate::Builder::flush_timeout) at the most, and stops nothing: logging goes
/// on as before.
#[must_use = "dropping the guard flushes at once, and waits for it; keep it in a variable until the end of main"]
#[doc(alias = "WorkerGuard")]
#[doc(alias = "LoggerHandle")]
pub struct Guard {
    backend: Arc<Backend>,
}

impl Guard {
    pub(crate) fn new(backend: Arc<Backend>) -> Self {
        Self { backend }
    }

    /// Waits until every record accepted before this call is delivered, or has another final outcome.
    ///
    /// It does not wait out a backoff: a listener that is waiting to try again tries at once. Any number of threads may
    /// flush at the same time. On a listener's own thread (in a handler, say) it does not wait.
    ///
    /// Then it has each [tee](crate::Builder::tee) flush, however long that takes.
    ///
    /// # Errors
    ///
    /// After `timeout`, says how many of the records are still pending. They are not lost: their delivery goes on. In a
    /// child made by `fork`, which delivers nothing, at once.
    #[doc(alias = "force_flush")]
    pub fn flush(&self, timeout: Duration) -> Result<(), FlushError> {
        self.backend.flush(timeout)
    }

    /// Delivers what has been accepted, abandons what could not be delivered within `timeout`, and ends the threads.
    ///
    /// Records logged from now on are dropped, and counted as such. Stopping again changes nothing but may shorten the
    /// first call's time. It returns within 100 ms of the timeout; a handler that hangs keeps its thread, and the records
    /// it is at stay pending. On a listener's own thread (in a handler, say) it does not wait.
    #[doc(alias = "shutdown")]
    #[doc(alias = "close")]
    pub fn stop(&self, timeout: Duration) -> Stats {
        self.backend.stop(timeout)
    }

    /// Where every record is, all handlers taken together.
    pub fn stats(&self) -> Stats {
        self.backend.stats()
    }

    /// Where every record of the pipeline is that is called `name`, by [`Pipeline::name`](crate::Pipeline::name) or by
    /// default; `None` if there is none.
    ///
    /// ```
    /// use logpost::{CaptureHandler, Pipeline};
    ///
    /// let slack = Pipeline::new(CaptureHandler::new()).name("slack");
    /// let (logger, guard) = logpost::builder().handler(CaptureHandler::new()).handler(slack).build()?;
    /// assert!(guard.stats_of("slack").is_some() && guard.stats_of("pipeline-1").is_some());
    /// assert!(guard.stats_of("pipeline-2").is_none());
    /// # Ok::<(), logpost::Error>(())
    /// ```
    pub fn stats_of(&self, name: &str) -> Option<Stats> {
        self.backend.outlets.iter().find(|outlet| outlet.name == name).map(Outlet::stats)
    }

    /// Where every record is, by pipeline, in the order of [`Builder::handler`](crate::Builder::handler), and then by
    /// [queue](crate::Builder::queue), as `queue-1` and so on.
    ///
    /// ```
    /// let (logger, guard) = logpost::builder().handler(logpost::CaptureHandler::new()).build()?;
    /// let lines: Vec<String> = guard.stats_by_pipeline().iter().map(ToString::to_string).collect();
    /// assert!(lines[0].starts_with("pipeline-1: accepted 0, delivered 0"));
    /// # Ok::<(), logpost::Error>(())
    /// ```
    pub fn stats_by_pipeline(&self) -> Vec<PipelineStats> {
        let outlets = self.backend.outlets.iter();
        outlets.map(|outlet| PipelineStats { name: outlet.name.clone(), stats: outlet.stats() }).collect()
    }

    /// Lets through what is at `level` or graver from now on, in place of the level or the filter that was set before.
    ///
    /// Any thread may call it, at any time; nothing is stopped, and what was accepted before stays accepted. Levels and
    /// filters of a [`Pipeline`](crate::Pipeline) stay as they are. Where the logger is the process's,
    /// [`log::set_max_level`] is set too, or the macros would not ask it; for a logger that was made by
    /// [`Builder::build`](crate::Builder::build), that is up to whoever calls it.
    ///
    /// ```
    /// use log::LevelFilter;
    /// use logpost::CaptureHandler;
    ///
    /// let guard = logpost::builder().handler(CaptureHandler::new()).init()?;
    /// assert_eq!(log::max_level(), LevelFilter::Info);
    /// guard.set_level(LevelFilter::Debug);
    /// assert_eq!(log::max_level(), LevelFilter::Debug);
    /// # Ok::<(), logpost::Error>(())
    /// ```
    #[doc(alias = "reload")]
    #[doc(alias = "setLevel")]
    #[doc(alias = "set_max_level")]
    pub fn set_level(&self, level: LevelFilter) {
        self.backend.gate.replace_filter(level.into());
    }

    /// Lets through what passes `directives` from now on, as [`set_level`](Self::set_level) does; their syntax is that
    /// of [`Builder::filter`](crate::Builder::filter).
    ///
    /// # Errors
    ///
    /// Directives that do not parse; the filter is the one before then.
    ///
    /// ```
    /// use logpost::CaptureHandler;
    ///
    /// let guard = logpost::builder().handler(CaptureHandler::new()).init()?;
    /// guard.set_filter("info,my_app::db=trace")?;
    /// assert_eq!(guard.set_filter("my_app=loud").unwrap_err().setting(), Some("filter"));
    /// # Ok::<(), logpost::Error>(())
    /// ```
    #[cfg(feature = "env-filter")]
    #[doc(alias = "set_new_spec")]
    #[doc(alias = "reload")]
    #[doc(alias = "parse_new_spec")]
    pub fn set_filter(&self, directives: &str) -> Result<(), Error> {
        let filter = Filter::parse(directives).map_err(|problem| Error::invalid("filter", problem))?;
        self.backend.gate.replace_filter(filter);
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !process::is_forked() {
            // Whoever wants to know has `flush`.
            let _ = self.backend.flush_at_drop();
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

/// All listeners of one logger.
#[derive(Debug)]
pub(crate) struct Backend {
    gate: Arc<Gate>,
    outlets: Vec<Outlet>,
    flush_timeout: Duration,
    /// The last of the flushes at a drop that ran into its deadline.
    in_vain: Mutex<Option<InVain>>,
}

/// One way out of the logger: a pipeline, or a queue that somebody else listens to.
#[derive(Debug)]
pub(crate) struct Outlet {
    pub(crate) name: String,
    pub(crate) handler: QueueHandler,
    /// Who listens, where that is ours.
    pub(crate) crew: Option<Crew>,
}

impl Outlet {
    fn stats(&self) -> Stats {
        self.handler.stats()
    }

    /// Takes no record from now on, and has ours who listens end by the deadline.
    fn close(&self, deadline: Instant) {
        self.handler.shut();
        if let Some(crew) = &self.crew {
            crew.close(deadline);
        }
    }
}

/// A flush that ran into its deadline: when that was, and how long it and those just before it had waited.
#[derive(Clone, Copy, Debug)]
struct InVain {
    until: Instant,
    waited: Duration,
}

/// Flushes with no more time than this between them belong to the same end of the program.
const SAME_EXIT: Duration = Duration::from_secs(1);

/// What a flush still waits that comes right behind one in vain.
const AFTER_VAIN: Duration = Duration::from_millis(100);

/// How long a stop waits beyond its deadline for listeners that are not stuck to put their books in order.
const GRACE: Duration = Duration::from_millis(100);

impl Backend {
    pub(crate) fn new(gate: Arc<Gate>, outlets: Vec<Outlet>, flush_timeout: Duration) -> Self {
        Self { gate, outlets, flush_timeout, in_vain: Mutex::new(None) }
    }

    /// That of the logger.
    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    fn handlers(&self) -> impl Iterator<Item = &QueueHandler> + Clone {
        self.outlets.iter().map(|outlet| &outlet.handler)
    }

    fn crews(&self) -> impl Iterator<Item = &Crew> {
        self.outlets.iter().filter_map(|outlet| outlet.crew.as_ref())
    }

    pub(crate) fn flush(&self, timeout: Duration) -> Result<(), FlushError> {
        let result = queue::flush(self.handlers(), after(timeout));
        if result.is_ok() {
            *lock(&self.in_vain) = None;
        }
        self.gate.flush_tees();
        result
    }

    pub(crate) fn stop(&self, timeout: Duration) -> Stats {
        if process::is_forked() {
            return Stats::default();
        }
        let deadline = after(timeout);
        self.outlets.iter().for_each(|outlet| outlet.close(deadline));
        // A listener's own thread is who has to deliver until then.
        if !on_listener_thread() {
            let is_late = |crew: &&Crew| !crew.has_ended_by(deadline);
            let late: Vec<_> = self.crews().filter(is_late).collect();
            for crew in &late {
                crew.give_up();
            }
            let grace = after(GRACE);
            for crew in late {
                crew.has_ended_by(grace);
            }
            // Their listeners are not ours to stop: what is not delivered by then stays with them.
            let elsewhere = self.outlets.iter().filter(|outlet| outlet.crew.is_none());
            let _ = queue::flush(elsewhere.map(|outlet| &outlet.handler), deadline);
        }
        self.stats()
    }

    pub(crate) fn stats(&self) -> Stats {
        self.outlets.iter().map(Outlet::stats).fold(Stats::default(), Stats::add)
    }

    /// Flushes before the program goes on, or ends. Where another guard has just waited in vain, that time counts: at exit
    /// the waits must not add up.
    fn flush_at_drop(&self) -> Result<(), FlushError> {
        let just_now = lock(&self.in_vain).filter(|in_vain| in_vain.until.elapsed() < SAME_EXIT);
        let before = just_now.map_or(Duration::ZERO, |in_vain| in_vain.waited);
        let began = Instant::now();
        // The server may be well again by now.
        let timeout = self.flush_timeout.saturating_sub(before).max(AFTER_VAIN).min(self.flush_timeout);
        let result = queue::flush(self.handlers(), after(timeout));
        let in_vain = InVain { until: Instant::now(), waited: before + began.elapsed() };
        *lock(&self.in_vain) = result.is_err().then_some(in_vain);
        // A panic in a destructor would end the process. The panic hook has told of it.
        let _ = catch_unwind(AssertUnwindSafe(|| self.gate.flush_tees())).map_err(std::mem::forget);
        result
    }

    /// Until when a flush that began now would wait.
    pub(crate) fn flush_deadline(&self) -> Instant {
        after(self.flush_timeout)
    }

    /// Perhaps the last flush of the process: says what is left undelivered.
    pub(crate) fn flush_before(&self, end: &str) {
        if process::is_forked() {
            return;
        }
        if let Err(error) = self.flush_at_drop() {
            print(format_args!("{} left undelivered at {end}", Records(error.pending())));
        }
    }

    /// Ends all listeners, which have nothing to do.
    pub(crate) fn dismantle(self) {
        self.stop(Duration::ZERO);
        self.outlets.into_iter().filter_map(|outlet| outlet.crew).for_each(Crew::join);
    }
}
