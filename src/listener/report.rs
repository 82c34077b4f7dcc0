//! Who is told of failures, and in which words.

use std::fmt;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::count::Records;
use crate::handler::EmitError;
use crate::record::LogRecord;
use crate::stats::Stats;

/// A failure to deliver, as [`Builder::on_error`](crate::Builder::on_error) is told of it: Python's `handleError`.
#[derive(Debug)]
#[doc(alias = "handleError")]
pub struct Failure<'a> {
    error: &'a EmitError,
    records: &'a [LogRecord],
    action: Action,
    stats: Stats,
}

/// What is done about a [`Failure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// The records are kept; the next attempt is made after this delay, or sooner if a flush asks for it.
    Retry(Duration),
    /// The records are refused for good: they are lost, and counted in [`Stats::rejected`](crate::Stats::rejected).
    Reject,
    /// The records are given up, by [`Retry`](crate::Retry)'s limits or by [`Delivery::AtMostOnce`](crate::Delivery):
    /// they are lost, and counted in [`Stats::abandoned`](crate::Stats::abandoned).
    Abandon,
}

impl<'a> Failure<'a> {
    pub(super) fn new(error: &'a EmitError, records: &'a [LogRecord], action: Action, stats: Stats) -> Self {
        Self { error, records, action, stats }
    }

    /// Why the attempt failed.
    pub fn error(&self) -> &'a EmitError {
        self.error
    }

    /// The records that it was about.
    pub fn records(&self) -> &'a [LogRecord] {
        self.records
    }

    /// What is done about it.
    pub fn action(&self) -> Action {
        self.action
    }

    /// How many records have no outcome yet, those of this failure included.
    pub fn pending(&self) -> u64 {
        self.stats.pending
    }
}

/// One line. Of the records' content it has nothing, unless the server repeats some of it in its answer.
impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (error, count, pending) = (self.error, Records(self.records.len()), Records(self.stats.pending));
        match self.action {
            Action::Retry(_) => write!(f, "delivery fails: {error} ({pending} waiting)"),
            Action::Reject => write!(f, "{count} rejected: {error}"),
            Action::Abandon => write!(f, "{count} abandoned: {error}"),
        }
    }
}

/// A user's function that is told of failures.
pub(crate) type OnError = Arc<dyn Fn(&Failure<'_>) + Send + Sync>;

/// While something goes on failing, a line in this time is enough.
const PAUSE: Duration = Duration::from_secs(60);

/// Tells the user of failures by a line on stderr when something changes.
#[derive(Debug, Default)]
pub(super) struct Reporter {
    failing: Option<Failing>,
    /// When a loss was last told of.
    lost: Option<Instant>,
    dropped: Option<Instant>,
    /// Lines that could not be printed yet.
    held: Vec<String>,
}

/// How many threads wait for the listeners while they may hold the lock of stderr.
static HUSHED: AtomicUsize = AtomicUsize::new(0);

/// Calls `wait`, which waits for listeners; meanwhile they leave stderr alone, which the calling thread may have locked.
pub(crate) fn hushed<T>(wait: impl FnOnce() -> T) -> T {
    HUSHED.fetch_add(1, Ordering::SeqCst);
    let result = wait();
    HUSHED.fetch_sub(1, Ordering::SeqCst);
    result
}

/// Lines that are kept while stderr is to be left alone; there are few, or none.
const MOST_HELD: usize = 16;

/// A run of failures.
#[derive(Debug)]
struct Failing {
    since: Instant,
    told: Instant,
    /// What had been lost before it.
    lost_before: u64,
}

impl Reporter {
    /// Prints a line, as soon as that can be done.
    fn say(&mut self, line: fmt::Arguments<'_>) {
        if self.held.len() < MOST_HELD {
            self.held.push(line.to_string());
        }
        self.say_held();
    }

    fn say_held(&mut self) {
        if HUSHED.load(Ordering::SeqCst) == 0 {
            self.held.drain(..).for_each(|line| print(format_args!("{line}")));
        }
    }

    /// An attempt failed.
    pub(super) fn failed(&mut self, failure: &Failure<'_>) {
        let now = Instant::now();
        if let Action::Retry(_) = failure.action {
            let is_new = self.failing.is_none();
            let lost_before = lost(&failure.stats);
            let failing = self.failing.get_or_insert(Failing { since: now, told: now, lost_before });
            if is_new || now.duration_since(failing.told) >= PAUSE {
                failing.told = now;
                self.say(format_args!("{failure}"));
            }
        } else if is_due(&mut self.lost) {
            self.say(format_args!("{failure}"));
        }
    }

    /// An attempt succeeded.
    pub(super) fn delivered(&mut self, stats: impl FnOnce() -> Stats) {
        if let Some(Failing { since, lost_before, .. }) = self.failing.take() {
            let seconds = since.elapsed().as_secs_f64();
            let lost = Records(lost(&stats()) - lost_before);
            self.say(format_args!("delivery works again after {seconds:.1} s; {lost} lost meanwhile"));
        }
        self.say_held();
    }

    /// Records found the queue full.
    pub(super) fn dropped(&mut self, count: u64, mean_attempt: Duration) {
        if is_due(&mut self.dropped) {
            self.say(format_args!(
                "{} dropped, the queue was full; a request takes {mean_attempt:.1?} on average, so batches, \
                 more workers, a larger capacity or fewer records are needed",
                Records(count)
            ));
        }
    }
}

fn is_due(last: &mut Option<Instant>) -> bool {
    let due = last.is_none_or(|last| last.elapsed() >= PAUSE);
    if due {
        *last = Some(Instant::now());
    }
    due
}

fn lost(stats: &Stats) -> u64 {
    stats.rejected + stats.abandoned + stats.dropped.total()
}

/// One line on stderr, never through `log`. If stderr is closed there is nobody to tell.
pub(crate) fn print(line: fmt::Arguments<'_>) {
    // In one write: stderr has no buffer, and what others print must not get in between.
    let _ = std::io::stderr().write_all(format!("logpost: {line}\n").as_bytes());
}
