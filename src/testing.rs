//! A handler that keeps what it gets, for tests of programs that log.

use std::sync::Arc;
use std::time::Duration;

use crate::handler::{Batch, EmitError, Handler};
use crate::record::LogRecord;
use crate::sync::{Mutex, lock};

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
#[derive(Clone, Debug, Default)]
pub struct CaptureHandler {
    records: Arc<Mutex<Vec<LogRecord>>>,
}

impl CaptureHandler {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// All records so far, in order.
    pub fn records(&self) -> Vec<LogRecord> {
        lock(&self.records).clone()
    }

    /// The messages of all records so far, in order.
    pub fn messages(&self) -> Vec<String> {
        lock(&self.records).iter().map(|record| record.message().to_owned()).collect()
    }
}

impl Handler for CaptureHandler {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        lock(&self.records).extend_from_slice(records);
        Ok(())
    }

    fn batch(&self) -> Batch {
        Batch::default().linger(Duration::ZERO)
    }

    fn another(&self) -> Option<Box<dyn Handler>> {
        Some(Box::new(self.clone()))
    }
}
