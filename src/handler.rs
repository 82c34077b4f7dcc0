//! Where records go: one attempt to deliver a batch, and what an attempt that failed says.

mod outcomes;

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use crate::error::Error;
use crate::record::LogRecord;

/// A destination of records: Python's `Handler`.
///
/// A handler makes one attempt. When to make the next one, what becomes of the records until then, and who is told, is
/// the business of the listener that owns it; the [`EmitError`] says which of these it should be.
///
/// It runs on the listener's thread, one call at a time, and may take its time: callers of `log::info!` never wait for
/// it. What is logged on that thread is ignored, as a handler's own records would come back to it. A panic is caught,
/// counted, and taken as a refusal of the records.
///
/// ```
/// use logpost::{EmitError, Handler, LogRecord};
///
/// struct Stdout;
///
/// impl Handler for Stdout {
///     fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
///         for record in records {
///             println!("{} {}", record.level(), record.message());
///         }
///         Ok(())
///     }
/// }
/// ```
#[doc(alias = "Appender")]
#[doc(alias = "LogWriter")]
#[doc(alias = "LogExporter")]
#[doc(alias = "Transport")]
pub trait Handler: Send {
    /// Makes one attempt to deliver `records`, which are never empty and in the order in which they were logged.
    ///
    /// # Errors
    ///
    /// An error means that none of the records may be taken as delivered: all of them will be offered again, unless the
    /// error is about their content ([`EmitError::payload`]), or says of each record what became of it
    /// ([`EmitError::each`]).
    #[doc(alias = "append")]
    #[doc(alias = "export")]
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError>;

    /// How many records `emit` takes at once, and how long to wait for them. Defaults to [`Batch::single`], so that an
    /// error is about one record. It is asked for once, before the first record.
    fn batch(&self) -> Batch {
        Batch::single()
    }

    /// How many of `records`, from the first, the next call of `emit` shall get. Defaults to all of them.
    ///
    /// For handlers that have a limit other than a number of records. What they do not take is offered in the next call.
    fn portion(&mut self, records: &[LogRecord]) -> usize {
        records.len()
    }

    /// Another handler for the same destination, with a connection of its own: for
    /// [`Pipeline::workers`](crate::Pipeline::workers), and for a [`QueueListener`](crate::QueueListener) that is started
    /// again after a stop that had this one [cut short](Self::cancel). Defaults to none: there can be one worker only, and
    /// no such start if it can be cut short.
    fn another(&self) -> Option<Box<dyn Handler>> {
        None
    }

    /// A function that cuts short a call of `emit` that is under way on another thread, and fails all that follow.
    /// Defaults to none.
    ///
    /// It is asked for before the first record, by a [`QueueListener`](crate::QueueListener) at each start, and called when
    /// [`Guard::stop`](crate::Guard::stop) or [`QueueListener::stop`](crate::QueueListener::stop) has come to its deadline.
    fn cancel(&self) -> Option<Cancel> {
        None
    }
}

/// Cuts short what a handler is doing: see [`Handler::cancel`].
pub type Cancel = Box<dyn Fn() + Send + Sync>;

impl<H: Handler + ?Sized> Handler for Box<H> {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        (**self).emit(records)
    }

    fn batch(&self) -> Batch {
        (**self).batch()
    }

    fn portion(&mut self, records: &[LogRecord]) -> usize {
        (**self).portion(records)
    }

    fn another(&self) -> Option<Box<dyn Handler>> {
        (**self).another()
    }

    fn cancel(&self) -> Option<Cancel> {
        (**self).cancel()
    }
}

/// How many records a handler takes at once, and how long to wait for them.
///
/// ```
/// use std::time::Duration;
/// use logpost::Batch;
///
/// let batch = Batch::default().max_records(1000).max_bytes(1024 * 1024).linger(Duration::from_millis(200));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a batch does nothing until it is given to a handler"]
#[doc(alias = "BatchConfig")]
#[doc(alias = "MemoryHandler")]
pub struct Batch {
    max_records: usize,
    max_bytes: usize,
    linger: Duration,
}

/// Records of a batch, unless [`Batch::max_records`] says otherwise: 512.
pub const DEFAULT_BATCH_RECORDS: usize = 512;
/// Bytes of a batch, unless [`Batch::max_bytes`] says otherwise: 96 KiB.
pub const DEFAULT_BATCH_BYTES: usize = 96 * 1024;
/// How long a batch waits for more records, unless [`Batch::linger`] says otherwise: 1 s.
pub const DEFAULT_LINGER: Duration = Duration::from_secs(1);

impl Default for Batch {
    fn default() -> Self {
        Self { max_records: DEFAULT_BATCH_RECORDS, max_bytes: DEFAULT_BATCH_BYTES, linger: DEFAULT_LINGER }
    }
}

impl Batch {
    /// One record at a time, at once.
    pub const fn single() -> Self {
        Self { max_records: 1, max_bytes: usize::MAX, linger: Duration::ZERO }
    }

    /// How many records a batch has at the most. Defaults to [`DEFAULT_BATCH_RECORDS`].
    #[doc(alias = "max_export_batch_size")]
    pub fn max_records(mut self, records: usize) -> Self {
        self.max_records = records;
        self
    }

    /// How many bytes a batch has at the most, as it is sent, before compression; a single record may have more.
    /// Defaults to [`DEFAULT_BATCH_BYTES`].
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// How long to wait for more records from when the first one was taken; a flush does not wait. Defaults to
    /// [`DEFAULT_LINGER`].
    #[doc(alias = "scheduled_delay")]
    #[doc(alias = "flush_interval")]
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    pub(crate) fn records(&self) -> usize {
        self.max_records
    }

    pub(crate) fn bytes(&self) -> usize {
        self.max_bytes
    }

    pub(crate) fn lingers(&self) -> Duration {
        self.linger
    }

    pub(crate) fn validate(&self) -> Result<(), Error> {
        for (setting, value) in [("max_records", self.max_records), ("max_bytes", self.max_bytes)] {
            if value == 0 {
                return Err(Error::invalid(setting, "a batch needs room for 1 at least, but it is 0"));
            }
        }
        Ok(())
    }
}

/// What kind of failure an [`EmitError`] is, which decides what becomes of the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
    /// It may work in a moment: the network, a time-out, an overloaded server. The records are kept, and offered again
    /// after a delay that grows with every failure.
    Transient,
    /// The destination does not take anything as things are: wrong credentials, wrong address, a bad certificate. The
    /// records are kept, and offered again after the longest delay.
    Endpoint,
    /// The destination refuses these very records, and would again. Of several, each half is offered by itself; a
    /// single one is rejected.
    Payload,
}

/// Why an attempt to deliver failed.
///
/// ```
/// use std::time::Duration;
/// use logpost::{EmitError, ErrorClass};
///
/// let error = EmitError::transient("the disk is full").retry_after(Duration::from_secs(60));
/// assert_eq!(error.class(), ErrorClass::Transient);
/// assert_eq!(error.to_string(), "the disk is full");
/// ```
#[derive(Debug)]
pub struct EmitError {
    class: ErrorClass,
    retry_after: Option<Duration>,
    not_arrived: bool,
    at_once: bool,
    address: Option<String>,
    cause: Box<dyn StdError + Send + Sync>,
    /// Of each record, in order; nothing where the error is about all of them.
    outcomes: Vec<Result<(), EmitError>>,
}

impl EmitError {
    /// It may work in a moment ([`ErrorClass::Transient`]).
    pub fn transient(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(ErrorClass::Transient, cause)
    }

    /// It won't work until somebody mends something ([`ErrorClass::Endpoint`]).
    pub fn endpoint(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(ErrorClass::Endpoint, cause)
    }

    /// These records are refused, and always will be ([`ErrorClass::Payload`]).
    pub fn payload(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(ErrorClass::Payload, cause)
    }

    /// An error of `class`.
    pub fn new(class: ErrorClass, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let cause = cause.into();
        Self {
            class,
            retry_after: None,
            not_arrived: false,
            at_once: false,
            address: None,
            cause,
            outcomes: Vec::new(),
        }
    }

    /// The destination has said of each record what became of it: `outcomes` has one for each, in order.
    ///
    /// Those that are `Ok` are delivered and not offered again. Those that are refused ([`ErrorClass::Payload`]) are
    /// rejected, each with its own error. The others are offered again, in order, after the backoff, and not before the
    /// longest delay that one of them [asks for](Self::retry_after); with
    /// [`Delivery::AtMostOnce`](crate::Delivery) only those that [cannot have arrived](Self::not_arrived). Where there
    /// are not as many outcomes as there were records, nobody knows whose they are, and all are offered again.
    ///
    /// ```
    /// use logpost::EmitError;
    ///
    /// let error = EmitError::each(vec![Ok(()), Err(EmitError::payload("no such field")), Ok(())]);
    /// assert_eq!(error.to_string(), "1 of 3 records: no such field");
    /// ```
    pub fn each(outcomes: Vec<Result<(), EmitError>>) -> Self {
        let failed = || outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
        let first = failed().find(|error| error.class != ErrorClass::Payload).or_else(|| failed().next());
        let text = first.map_or_else(|| "no record".to_owned(), ToString::to_string);
        let class = first.map_or(ErrorClass::Transient, Self::class);
        let text = format!("{} of {} records: {text}", failed().count(), outcomes.len());
        Self { outcomes, ..Self::new(class, text) }
    }

    /// The least time until the next attempt, where the destination asked for one.
    #[must_use = "the delay is part of the error that is returned"]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// Says that none of the records can have arrived, so that even [`Delivery::AtMostOnce`](crate::Delivery) may offer
    /// them again.
    #[must_use = "the promise is part of the error that is returned"]
    pub fn not_arrived(mut self) -> Self {
        self.not_arrived = true;
        self
    }

    /// Says that one more attempt may well succeed now.
    pub(crate) fn retry_at_once(mut self) -> Self {
        self.at_once = true;
        self
    }

    pub(crate) fn is_worth_a_retry_at_once(&self) -> bool {
        self.at_once
    }

    /// The same error, with the address that it is about before its text.
    pub(crate) fn at(mut self, address: &dyn fmt::Display) -> Self {
        self.address = Some(address.to_string());
        self.for_each(|error| error.at(address))
    }

    /// The same error, in the words that `retell` makes of it.
    pub(crate) fn retold(mut self, retell: &dyn Fn(&str) -> String) -> Self {
        let text = self.cause.to_string();
        let retold = retell(&text);
        if retold != text {
            self.cause = retold.into();
        }
        self.for_each(|error| error.retold(retell))
    }

    fn for_each(mut self, change: impl Fn(Self) -> Self) -> Self {
        self.outcomes = self.outcomes.into_iter().map(|outcome| outcome.map_err(&change)).collect();
        self
    }

    /// What kind of failure it is; where [each](Self::each) record has an outcome of its own, that of the first one
    /// that is offered again, or else of the first that failed.
    pub fn class(&self) -> ErrorClass {
        self.class
    }

    /// Whether it is certain that none of the records has arrived.
    pub fn cannot_have_arrived(&self) -> bool {
        self.not_arrived
    }

    /// The delay that the destination asked for.
    pub fn delay(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(address) = &self.address {
            write!(f, "{address}: ")?;
        }
        self.cause.fmt(f)
    }
}

impl StdError for EmitError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.source()
    }
}

/// Taken as transient.
impl From<io::Error> for EmitError {
    fn from(error: io::Error) -> Self {
        Self::transient(error)
    }
}
