//! A handler that keeps what it gets.

use std::sync::Arc;
use std::time::Duration;

use super::wait::{WaitError, Watched};
use crate::fields::{Fields, map_log_record};
use crate::handler::{Batch, EmitError, Handler};
use crate::record::LogRecord;

/// Keeps all records; its clones share them.
///
/// ```
/// use std::time::Duration;
/// use logpost::CaptureHandler;
///
/// let capture = CaptureHandler::new();
/// let (logger, guard) = logpost::builder().handler(capture.clone()).build()?;
/// log::info!(logger: logger, "hello");
/// guard.flush(Duration::from_secs(5))?;
/// assert_eq!(capture.messages(), ["hello"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It tests a mapper too ([`fields_with`](Self::fields_with)). What is sent of that is for
#[cfg_attr(feature = "testing", doc = "[`Server`](super::Server)")]
#[cfg_attr(not(feature = "testing"), doc = "`testing::Server` (feature `testing`)")]
/// to show.
#[doc(alias = "MemoryHandler")]
#[doc(alias = "assertLogs")]
#[doc(alias = "mock")]
#[derive(Clone, Debug, Default)]
pub struct CaptureHandler {
    records: Arc<Watched<Vec<LogRecord>>>,
}

impl CaptureHandler {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// All records so far, in order.
    pub fn records(&self) -> Vec<LogRecord> {
        self.records.look().clone()
    }

    /// The messages of all records so far, in order.
    pub fn messages(&self) -> Vec<String> {
        self.records.look().iter().map(|record| record.message().to_owned()).collect()
    }

    /// The default dictionaries of all records so far, in order: what [`map_log_record`] makes of each. The static
    /// fields of an [`HttpHandler`](crate::HttpHandler) are not among them.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let capture = logpost::CaptureHandler::new();
    /// # let (logger, guard) = logpost::builder().handler(capture.clone()).build()?;
    /// log::warn!(logger: logger, order = 17; "late");
    /// guard.flush(Duration::from_secs(5))?;
    /// let fields = &capture.fields()[0];
    /// assert_eq!(fields.get("levelname").unwrap().as_str(), Some("WARNING"));
    /// assert_eq!(fields.get("order").unwrap().as_str(), Some("17"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "mapLogRecord")]
    pub fn fields(&self) -> Vec<Fields> {
        self.fields_with(map_log_record)
    }

    /// The dictionaries that `mapper` makes of all records so far, in order: the test of a function that is given to
    /// [`HttpHandlerBuilder::map_log_record`](crate::HttpHandlerBuilder::map_log_record).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let capture = logpost::CaptureHandler::new();
    /// # let (logger, guard) = logpost::builder().handler(capture.clone()).build()?;
    /// use logpost::{Fields, LogRecord};
    ///
    /// fn notification(record: &LogRecord, fields: &mut Fields) {
    ///     let priority = if record.level() == log::Level::Error { 1 } else { 0 };
    ///     fields.push("text", record.message()).push("priority", priority);
    /// }
    ///
    /// log::error!(logger: logger, "disk full");
    /// guard.flush(Duration::from_secs(5))?;
    /// let fields = capture.fields_with(notification);
    /// assert_eq!(format!("{fields:?}"), r#"[{"text": "disk full", "priority": 1}]"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fields_with(&self, mapper: impl Fn(&LogRecord, &mut Fields)) -> Vec<Fields> {
        // Not under the lock: a mapper may do anything, and so may who looks at this handler meanwhile.
        let fields_of = |record| {
            let mut fields = Fields::new();
            mapper(record, &mut fields);
            fields
        };
        self.records().iter().map(fields_of).collect()
    }

    /// Waits until there are `count` records or more, and returns all; for tests that have no guard to flush.
    ///
    /// # Errors
    ///
    /// If they have not come when `timeout` is over.
    ///
    /// ```
    /// use std::time::Duration;
    /// use logpost::CaptureHandler;
    ///
    /// let capture = CaptureHandler::new();
    /// let (logger, _guard) = logpost::builder().handler(capture.clone()).build()?;
    /// std::thread::spawn(move || log::info!(logger: logger, "hello"));
    /// let records = capture.wait_for(1, Duration::from_secs(5))?;
    /// assert_eq!(records[0].message(), "hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_for(&self, count: usize, timeout: Duration) -> Result<Vec<LogRecord>, WaitError> {
        let records = self.records.wait_until(timeout, |records| records.len() >= count);
        if records.len() >= count {
            return Ok(records.clone());
        }
        let seen =
            records.iter().map(|record| format!("{} {}: {:?}", record.level(), record.target(), record.message()));
        Err(WaitError::new((count, "record"), records.len(), timeout, seen))
    }
}

impl Handler for CaptureHandler {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        self.records.change(|kept| kept.extend_from_slice(records));
        Ok(())
    }

    fn batch(&self) -> Batch {
        Batch::default().linger(Duration::ZERO)
    }

    fn another(&self) -> Option<Box<dyn Handler>> {
        Some(Box::new(self.clone()))
    }
}
