//! One destination: its settings, until its threads are started.

use std::fmt;

use log::LevelFilter;

use crate::error::Error;
use crate::filter::Filter;
use crate::handler::Handler;
use crate::listener::{Delivery, Policy, Retry};
use crate::queue::{Limits, Overflow};

/// The most workers that a pipeline can have.
const MAX_WORKERS: usize = 64;

/// One handler with its own queue and listener.
///
/// [`Builder::handler`](crate::Builder::handler) makes one of any handler; with a `Pipeline` its queue and level can be set.
///
/// ```
/// use logpost::{CaptureHandler, Overflow, Pipeline};
///
/// let errors = Pipeline::new(CaptureHandler::new())
///     .level(log::LevelFilter::Error)
///     .capacity(256)
///     .overflow(Overflow::DropOldest);
/// let (logger, guard) = logpost::builder().handler(errors).build()?;
/// # Ok::<(), logpost::Error>(())
/// ```
#[must_use = "a pipeline does nothing until it is given to a builder"]
#[doc(alias = "QueueHandler")]
#[doc(alias = "QueueListener")]
#[doc(alias = "NonBlocking")]
#[doc(alias = "BatchLogProcessor")]
pub struct Pipeline {
    name: Option<String>,
    handler: Box<dyn Handler>,
    filter: Result<Filter, Error>,
    limits: Limits,
    policy: Policy,
    workers: usize,
}

impl Pipeline {
    /// A pipeline with all the defaults.
    pub fn new(handler: impl Handler + 'static) -> Self {
        Self {
            name: None,
            handler: Box::new(handler),
            filter: Ok(LevelFilter::Trace.into()),
            limits: Limits::default(),
            policy: Policy::default(),
            workers: 1,
        }
    }

    /// What it is called in [`Guard::stats_of`](crate::Guard::stats_of) and
    /// [`Guard::stats_by_pipeline`](crate::Guard::stats_by_pipeline). Defaults to `pipeline-1` for the first that is
    /// given to the builder, `pipeline-2` for the second, and so on.
    ///
    /// Two of the same name are an error of [`build`](crate::Builder::build), as is an empty one.
    ///
    /// ```
    /// use logpost::{CaptureHandler, Pipeline};
    ///
    /// let slack = Pipeline::new(CaptureHandler::new()).name("slack");
    /// let (logger, guard) = logpost::builder().handler(slack).handler(CaptureHandler::new()).build()?;
    /// for pipeline in guard.stats_by_pipeline() {
    ///     println!("{pipeline}");
    /// }
    /// assert_eq!(guard.stats_of("slack").unwrap().accepted, 0);
    /// # Ok::<(), logpost::Error>(())
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The most detailed level that this handler gets, of what the logger lets through. Defaults to `Trace`: all of it.
    ///
    /// Of a level and a filter, the one that is set last holds.
    #[doc(alias = "setLevel")]
    #[doc(alias = "respect_handler_level")]
    pub fn level(mut self, level: LevelFilter) -> Self {
        self.filter = Ok(level.into());
        self
    }

    /// What this handler gets, of what the logger lets through, by [directives](crate::Builder::filter) as in
    /// `RUST_LOG`. Defaults to none.
    ///
    /// A record has to pass the logger's own level or filter first; with that one's default, nothing below Info does. Of
    /// a level and a filter, the one that is set last holds. Directives that do not parse are an error of
    /// [`build`](crate::Builder::build).
    ///
    /// ```
    /// use logpost::{CaptureHandler, Pipeline};
    ///
    /// let audit = Pipeline::new(CaptureHandler::new()).filter("audit=trace");
    /// let all = CaptureHandler::new();
    /// let (logger, guard) = logpost::builder().filter("info,audit=trace").handler(audit).handler(all).build()?;
    /// # Ok::<(), logpost::Error>(())
    /// ```
    #[cfg(feature = "env-filter")]
    pub fn filter(mut self, directives: &str) -> Self {
        self.filter = Filter::parse(directives).map_err(|problem| Error::invalid("filter", problem));
        self
    }

    /// How many records may wait, besides those being sent: from 1 to 8,388,608. Defaults to
    /// [`DEFAULT_CAPACITY`](crate::DEFAULT_CAPACITY). Beyond what is [preallocated](Self::preallocate), the memory is
    /// taken as records come.
    #[doc(alias = "maxsize")]
    #[doc(alias = "buffered_lines_limit")]
    #[doc(alias = "max_queue_size")]
    pub fn capacity(mut self, records: usize) -> Self {
        self.limits.records = records;
        self
    }

    /// How many bytes the waiting records may take, their own memory included: from 1 to 512 GiB. Defaults to
    /// [`DEFAULT_CAPACITY_BYTES`](crate::DEFAULT_CAPACITY_BYTES).
    pub fn capacity_bytes(mut self, bytes: usize) -> Self {
        self.limits.bytes = bytes;
        self
    }

    /// How many records the queue has memory for from the beginning, 128 bytes for each, as far as its capacity goes.
    /// Defaults to [`DEFAULT_PREALLOCATED`](crate::DEFAULT_PREALLOCATED).
    ///
    /// A burst of so many does not have to wait for memory; a larger one does, some microseconds for every 4 KiB, once:
    /// the queue keeps what it has had. 0 suits a program that is short of memory.
    pub fn preallocate(mut self, records: usize) -> Self {
        self.limits.preallocated = records;
        self
    }

    /// What happens to a record when the queue is full. Defaults to [`Overflow::DropNewest`].
    #[doc(alias = "lossy")]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.limits.overflow = overflow;
        self
    }

    /// When a failed attempt is made again. Defaults to [`Retry::default`]: for ever.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.policy.retry = retry;
        self
    }

    /// Whether a record may arrive twice, or rather not at all. Defaults to [`Delivery::AtLeastOnce`].
    pub fn delivery(mut self, delivery: Delivery) -> Self {
        self.policy.delivery = delivery;
        self
    }

    /// How many threads deliver, each with a connection of its own: from 1 to 64. Defaults to 1.
    ///
    /// A worker has one request under way at a time, so at 100 ms a request one of them makes ten a second, and n make n
    /// times as many. With more than one, records may overtake each other: each worker keeps the order of those it
    /// takes, and no more than that. A flush and a stop are for all of them.
    #[doc(alias = "max_concurrent_exports")]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Checks all settings, and makes a handler for each worker. `place` is that in the builder, from 1.
    pub(crate) fn prepare(self, place: usize) -> Result<Prepared, Error> {
        self.validate()?;
        let Self { name, handler, filter, limits, policy, workers } = self;
        let name = name.unwrap_or_else(|| format!("pipeline-{place}"));
        let missing =
            || Error::invalid("workers", format!("of {workers}, but the handler can't make another of itself"));
        let others: Result<Vec<_>, _> = (1..workers).map(|_| handler.another().ok_or_else(missing)).collect();
        let workers = others?.into_iter().chain([handler]).collect();
        Ok(Prepared { name, workers, filter: filter?, limits, policy })
    }

    pub(crate) fn validate(&self) -> Result<(), Error> {
        if self.name.as_deref() == Some("") {
            return Err(Error::invalid("name", "must not be empty"));
        }
        self.limits.validate()?;
        let workers = self.workers;
        if workers == 0 || workers > MAX_WORKERS {
            return Err(Error::invalid("workers", format!("must be from 1 to {MAX_WORKERS}, but is {workers}")));
        }
        self.handler.batch().validate()?;
        self.policy.retry.validate()
    }
}

impl<H: Handler + 'static> From<H> for Pipeline {
    fn from(handler: H) -> Self {
        Self::new(handler)
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("name", &self.name)
            .field("filter", &self.filter)
            .field("limits", &self.limits)
            .field("policy", &self.policy)
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}

/// A pipeline whose settings are right.
pub(crate) struct Prepared {
    pub(crate) name: String,
    /// A handler for each.
    pub(crate) workers: Vec<Box<dyn Handler>>,
    pub(crate) filter: Filter,
    pub(crate) limits: Limits,
    pub(crate) policy: Policy,
}

impl Prepared {
    /// Whoever asks for a pipeline by its name means one, and no queue.
    pub(crate) fn check_names(all: &[Self], queues: &[String]) -> Result<(), Error> {
        for (place, Self { name, .. }) in all.iter().enumerate() {
            if queues.contains(name) {
                return Err(Error::invalid("name", format!("{name:?} is the name of a queue")));
            }
            if all[..place].iter().any(|before| before.name == *name) {
                return Err(Error::invalid("name", format!("two pipelines are called {name:?}")));
            }
        }
        Ok(())
    }
}
