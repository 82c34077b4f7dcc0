//! The back half: the thread that takes records out of a queue and offers them to handlers until they are delivered.

mod carrier;
mod crew;
mod idle;
mod losses;
mod queue_listener;
mod report;
mod retry;
mod runs;
mod tally;
mod worker;

pub(crate) use self::crew::Crew;
pub use self::queue_listener::{Drained, QueueListener};
pub use self::report::{Action, Failure};
pub(crate) use self::report::{OnError, hushed, print};
pub use self::retry::{DEFAULT_FIRST_DELAY, DEFAULT_MAX_DELAY, MAX_RETRY_AFTER, Retry};

use self::losses::Losses;
use self::report::Reporter;
use crate::sync::Mutex;

/// What debuggers and `top` show.
const THREAD_NAME: &str = "logpost";

/// Whether a record may arrive twice, or rather not at all, where an answer was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "at_least_once")]
#[doc(alias = "at_most_once")]
pub enum Delivery {
    /// Records are offered again until they are certainly delivered. Where an attempt failed after they had been sent
    /// (a lost answer, a time-out), they may have been delivered by both. This is the default.
    #[default]
    AtLeastOnce,
    /// Records are offered again only where they certainly have not arrived: the connection could not be made, or the
    /// server said that it does not take them (3xx, 4xx). Otherwise they are abandoned.
    AtMostOnce,
}

/// How a listener delivers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Policy {
    pub(crate) retry: Retry,
    pub(crate) delivery: Delivery,
}

/// What the listeners of one queue do together.
struct Shared {
    /// One for each handler that may fail by itself.
    reporters: Vec<Mutex<Reporter>>,
    on_error: Option<OnError>,
    losses: Mutex<Losses>,
}

impl Shared {
    fn new(on_error: Option<OnError>, reporters: usize) -> Self {
        Self { reporters: (0..reporters).map(|_| Mutex::default()).collect(), on_error, losses: Mutex::default() }
    }

    /// For another start: what has been told a moment ago is not told again.
    fn start_over(&mut self, on_error: Option<OnError>, reporters: usize) {
        self.on_error = on_error;
        self.reporters.resize_with(reporters, Mutex::default);
    }

    fn reporter(&self, of: usize) -> &Mutex<Reporter> {
        &self.reporters[of]
    }
}
