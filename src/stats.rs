//! Where every record is: the counts, as users read them.

use std::fmt;
use std::time::SystemTime;

/// Where every record is, at one moment.
///
/// A record that reaches the queue is either accepted or dropped at its door, and an accepted one stays pending until it
/// is delivered, rejected or abandoned: at every moment `accepted = delivered + rejected + abandoned + pending`.
///
/// `Display` puts it all in one line:
///
/// ```
/// let stats = logpost::Stats::default();
/// assert_eq!(
///     stats.to_string(),
///     "accepted 0, delivered 0, pending 0, rejected 0, abandoned 0, dropped 0, attempts 0, retries 0, panics 0, idle",
/// );
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "ErrorCounter")]
pub struct Stats {
    /// Taken into the queue, and not pushed out of it again by [`Overflow::DropOldest`](crate::Overflow::DropOldest).
    pub accepted: u64,
    /// Taken by the server, or by the handler of your own.
    pub delivered: u64,
    /// Accepted, and still without an outcome: in the queue, or being sent.
    pub pending: u64,
    /// Refused for good: the server will never take this very record.
    pub rejected: u64,
    /// Given up: the logger was stopped before they could be delivered, or a limit of [`Retry`](crate::Retry) was
    /// reached, or they may have arrived and [`Delivery::AtMostOnce`](crate::Delivery) forbids another attempt.
    pub abandoned: u64,
    /// Never accepted, or pushed out again.
    pub dropped: Dropped,
    /// Attempts to deliver, successful or not: for an HTTP handler about as many as requests.
    pub attempts: u64,
    /// Attempts that were made again because one before had failed.
    pub retries: u64,
    /// Panics that were caught: of a handler, of a mapper, of `on_error`.
    pub panics: u64,
    /// What is going on.
    pub state: State,
    /// The last attempt that failed, however long ago.
    pub last_error: Option<LastError>,
}

/// The [`Stats`] of one pipeline, with its name: what [`Guard::stats_by_pipeline`](crate::Guard::stats_by_pipeline)
/// lists.
///
/// `Display` puts it in one line: the name, a colon, and the stats.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PipelineStats {
    /// As given to [`Pipeline::name`](crate::Pipeline::name), or `pipeline-1` and so on.
    pub name: String,
    /// Where every record of this pipeline is.
    pub stats: Stats,
}

/// What a logger is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Nothing is pending.
    #[default]
    Idle,
    /// Records are pending, and the last attempt has not failed. It is the same while the queue's listener is not started.
    Delivering,
    /// Records are pending, the last attempt failed, and so did all others since the time given.
    Failing {
        /// When the first of these attempts failed.
        since: SystemTime,
    },
}

/// An attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastError {
    /// What was wrong, and where.
    pub text: String,
    /// When it failed.
    pub at: SystemTime,
}

/// Records that were dropped at the queue's door, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "dropped_lines")]
pub struct Dropped {
    /// No room: the queue held as many records as its capacity allows.
    pub full: u64,
    /// No room: the queue held as many bytes as its limit allows, or the record alone is larger than that.
    pub full_bytes: u64,
    /// Pushed out by a newer record ([`Overflow::DropOldest`](crate::Overflow::DropOldest)).
    pub oldest: u64,
    /// Logged after the logger was stopped.
    pub closed: u64,
}

impl Dropped {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.full + self.full_bytes + self.oldest + self.closed
    }
}

impl Stats {
    /// How many records have their outcome.
    pub(crate) fn settled(&self) -> u64 {
        self.delivered + self.rejected + self.abandoned
    }

    /// The stats of two queues taken together.
    pub(crate) fn add(self, other: Self) -> Self {
        let state = match (self.state, other.state) {
            (State::Failing { since: a }, State::Failing { since: b }) => State::Failing { since: a.min(b) },
            (failing @ State::Failing { .. }, _) | (_, failing @ State::Failing { .. }) => failing,
            (State::Idle, State::Idle) => State::Idle,
            _ => State::Delivering,
        };
        Self {
            accepted: self.accepted + other.accepted,
            delivered: self.delivered + other.delivered,
            pending: self.pending + other.pending,
            rejected: self.rejected + other.rejected,
            abandoned: self.abandoned + other.abandoned,
            dropped: Dropped {
                full: self.dropped.full + other.dropped.full,
                full_bytes: self.dropped.full_bytes + other.dropped.full_bytes,
                oldest: self.dropped.oldest + other.dropped.oldest,
                closed: self.dropped.closed + other.dropped.closed,
            },
            attempts: self.attempts + other.attempts,
            retries: self.retries + other.retries,
            panics: self.panics + other.panics,
            state,
            last_error: [self.last_error, other.last_error].into_iter().flatten().max_by_key(|error| error.at),
        }
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dropped {}", self.total())?;
        let reasons = [
            ("queue full", self.full),
            ("queue full in bytes", self.full_bytes),
            ("oldest", self.oldest),
            ("stopped", self.closed),
        ];
        let mut separator = " (";
        for (reason, count) in reasons.into_iter().filter(|&(_, count)| count > 0) {
            write!(f, "{separator}{reason} {count}")?;
            separator = ", ";
        }
        if self.total() > 0 { f.write_str(")") } else { Ok(()) }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle => f.write_str("idle"),
            Self::Delivering => f.write_str("delivering"),
            Self::Failing { since } => write!(f, "failing for {}", Since(*since)),
        }
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accepted, delivered, pending, rejected, abandoned, dropped, .. } = self;
        let Self { attempts, retries, panics, state, .. } = self;
        write!(f, "accepted {accepted}, delivered {delivered}, pending {pending}, rejected {rejected}, ")?;
        write!(
            f,
            "abandoned {abandoned}, {dropped}, attempts {attempts}, retries {retries}, panics {panics}, {state}"
        )?;
        match &self.last_error {
            Some(error) => write!(f, ", last error {} ago: {}", Since(error.at), error.text),
            None => Ok(()),
        }
    }
}

impl fmt::Display for PipelineStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.stats)
    }
}

/// How long ago something was, in whole seconds.
struct Since(SystemTime);

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0.elapsed().unwrap_or_default().as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stats_of_two_queues_add_up() {
        let earlier = SystemTime::UNIX_EPOCH;
        let failing = |since| Stats { accepted: 1, state: State::Failing { since }, ..Stats::default() };
        let sum = failing(SystemTime::now()).add(failing(earlier)).add(Stats::default());
        assert_eq!((sum.accepted, sum.state), (2, State::Failing { since: earlier }));
    }
}
