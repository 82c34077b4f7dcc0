//! Who is told of failures, and in which words.

use std::fmt;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::handler::EmitError;
use crate::record::LogRecord;

/// A failure to deliver, as [`Builder::on_error`](crate::Builder::on_error) is told of it: Python's `handleError`.
#[derive(Debug)]
pub struct Failure<'a> {
    error: &'a EmitError,
    records: &'a [LogRecord],
    action: Action,
    pending: u64,
}

/// What is done about a [`Failure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// The records are kept; the next attempt is made after this delay, or sooner if a flush asks for it.
    Retry(Duration),
    /// The records are rejected: they are lost, and counted in [`Stats::rejected`](crate::Stats::rejected).
    Reject,
}

impl<'a> Failure<'a> {
    pub(super) fn new(error: &'a EmitError, records: &'a [LogRecord], action: Action, pending: u64) -> Self {
        Self {
            error,
            records,
            action,
            pending,
        }
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
        self.pending
    }
}

/// One line, without the records' content: that may be confidential.
impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { error, pending, .. } = self;
        match self.action {
            Action::Retry(_) => write!(f, "delivery fails: {error} ({pending} records waiting)"),
            Action::Reject => write!(f, "{} records rejected: {error}", self.records.len()),
        }
    }
}

/// A user's function that is told of failures.
pub(crate) type OnError = Arc<dyn Fn(&Failure<'_>) + Send + Sync>;

/// Tells the user of failures: by their function, or else by a line on stderr when something changes.
pub(super) struct Reporter {
    on_error: Option<OnError>,
    failing: bool,
}

impl Reporter {
    pub(super) fn new(on_error: Option<OnError>) -> Self {
        Self {
            on_error,
            failing: false,
        }
    }

    /// An attempt failed. Says whether the user's function panicked over it.
    pub(super) fn failed(&mut self, failure: &Failure<'_>) -> bool {
        let first = !std::mem::replace(&mut self.failing, true);
        if let Some(on_error) = &self.on_error {
            return catch_unwind(AssertUnwindSafe(|| on_error(failure))).is_err();
        }
        if first {
            print(format_args!("{failure}"));
        }
        false
    }

    /// An attempt succeeded.
    pub(super) fn delivered(&mut self) {
        let was_failing = std::mem::replace(&mut self.failing, false);
        if was_failing && self.on_error.is_none() {
            print(format_args!("delivery works again"));
        }
    }
}

/// One line on stderr, never through `log`. If stderr is closed there is nobody to tell.
pub(crate) fn print(line: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "logpost: {line}");
}
