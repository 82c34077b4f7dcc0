//! The header `Idempotency-Key`: the same for every attempt at the same records, another for any others.
//!
//! A server that keeps the keys it has seen can tell a record that arrives twice from two records. The header is the one
//! of the IETF draft `draft-ietf-httpapi-idempotency-key-header`.

use ureq::http::HeaderValue;

use crate::random;
use crate::record::LogRecord;

/// Makes keys of the form `<instance>-<number>`.
#[derive(Debug)]
pub(super) struct Keys {
    /// Random, so that no other handler in no other process makes the same keys.
    instance: String,
    number: u64,
    last: Option<(u64, usize)>,
}

impl Keys {
    pub(super) fn new() -> Self {
        Self { instance: random::unique(), number: 0, last: None }
    }

    /// The key for these records.
    pub(super) fn key(&mut self, records: &[LogRecord]) -> HeaderValue {
        // Two batches with the same first record differ in length: one is a part of the other.
        let same = records.first().and_then(LogRecord::identity).map(|first| (first, records.len()));
        if same.is_none() || same != self.last {
            self.number += 1;
            self.last = same;
        }
        let key = format!("{}-{}", self.instance, self.number);
        HeaderValue::try_from(key).expect("hexadecimal digits, a hyphen and decimal digits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(sequences: &[u64]) -> Vec<LogRecord> {
        let record = LogRecord::from(&log::Record::builder().build());
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
        assert_ne!(keys.key(&records(&[3, 4])), first);
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
