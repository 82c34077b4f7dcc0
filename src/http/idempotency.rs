//! The header `Idempotency-Key`: the same for every attempt at the same records, another for any others.
//!
//! A server that keeps the keys it has seen can tell a record that arrives twice from two records. The header is the one
//! of the IETF draft `draft-ietf-httpapi-idempotency-key-header`.

use std::time::SystemTime;

use ureq::http::HeaderValue;

use crate::random;
use crate::record::LogRecord;

/// Which records something was made of. Those that have been in no queue can't be told apart.
#[derive(Clone, Debug, Default)]
pub(super) struct MadeOf(Vec<(u64, SystemTime)>);

impl MadeOf {
    /// Whether it was made of exactly these.
    pub(super) fn is(&self, records: &[LogRecord]) -> bool {
        !self.0.is_empty() && self.0.iter().copied().map(Some).eq(records.iter().map(mark))
    }

    /// It is made of these now.
    pub(super) fn set(&mut self, records: &[LogRecord]) {
        self.0.clear();
        if records.iter().all(|record| record.identity().is_some()) {
            self.0.extend(records.iter().filter_map(mark));
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// The number in its queue, and the time, which also tells apart the records of several queues: a handler of the user's
/// may hand over what it likes.
fn mark(record: &LogRecord) -> Option<(u64, SystemTime)> {
    Some((record.identity()?, record.created()))
}

/// Makes keys of the form `<instance>-<number>`.
#[derive(Debug)]
pub(super) struct Keys {
    /// Random, so that no other handler in no other process makes the same keys.
    instance: String,
    number: u64,
    last: MadeOf,
}

impl Keys {
    pub(super) fn new() -> Self {
        Self { instance: random::unique(), number: 0, last: MadeOf::default() }
    }

    /// The key for these records.
    pub(super) fn key(&mut self, records: &[LogRecord]) -> HeaderValue {
        if !self.last.is(records) {
            self.number += 1;
            self.last.set(records);
        }
        let key = format!("{}-{}", self.instance, self.number);
        HeaderValue::try_from(key).expect("hexadecimal digits, a hyphen and decimal digits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use once_cell::sync::Lazy;

    fn records(sequences: &[u64]) -> Vec<LogRecord> {
        static RECORD: Lazy<LogRecord> = Lazy::new(|| LogRecord::from(&log::Record::builder().build()));
        numbered(&RECORD, sequences)
    }

    fn numbered(record: &LogRecord, sequences: &[u64]) -> Vec<LogRecord> {
        let numbered = |&sequence| {
            let mut record = record.clone();
            record.set_sequence(sequence);
            record
        };
        sequences.iter().map(numbered).collect()
    }

    #[test]
    fn the_same_for_the_same_records_only() {
        let mut keys = Keys::new();
        let first = keys.key(&records(&[1, 2]));
        assert_eq!(keys.key(&records(&[1, 2])), first);
        let half = keys.key(&records(&[1]));
        assert_ne!(half, first);
        assert_ne!(keys.key(&records(&[2])), half);
        let other = keys.key(&records(&[3, 4]));
        assert_ne!(other, first);
        assert_ne!(keys.key(&records(&[3, 5])), other);
    }

    #[test]
    fn records_of_two_queues_never_share_a_key() {
        let mut keys = Keys::new();
        let key = keys.key(&records(&[1]));
        let mut other = LogRecord::from(&log::Record::builder().build());
        while other.created() == records(&[1])[0].created() {
            other = LogRecord::from(&log::Record::builder().build());
        }
        assert_ne!(keys.key(&numbered(&other, &[1])), key);
    }

    #[test]
    fn records_that_were_in_no_queue_never_share_a_key() {
        let mut keys = Keys::new();
        let unnumbered = records(&[0]);
        assert_ne!(keys.key(&unnumbered), keys.key(&unnumbered));
    }

    #[test]
    fn no_two_handlers_share_a_key() {
        assert_ne!(Keys::new().key(&records(&[1])), Keys::new().key(&records(&[1])));
    }
}
