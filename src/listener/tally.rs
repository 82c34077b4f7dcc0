//! What has become of each record of a batch, where there are several handlers that must be done with it.

use std::ops::Range;

use crate::ledger::{Ledger, Outcome};
use crate::record::LogRecord;

/// The outcomes of a batch so far.
#[derive(Debug)]
pub(super) struct Tally {
    handlers: usize,
    /// For each record: how many handlers are not done with it, and the worst outcome of the others.
    left: Vec<(usize, Outcome)>,
}

impl Tally {
    pub(super) fn new(handlers: usize) -> Self {
        Self { handlers, left: Vec::new() }
    }

    /// There is one more handler.
    pub(super) fn add_handler(&mut self) {
        self.handlers += 1;
    }

    /// The batch has so many records now.
    pub(super) fn resize(&mut self, records: usize) {
        // A single handler's outcome is the record's.
        if self.handlers > 1 {
            self.left.resize(records, (self.handlers, Outcome::Delivered));
        }
    }

    /// A handler is done with a part of the batch. A record has its outcome when all are: delivered if it was by each of
    /// them.
    pub(super) fn settle(&mut self, part: Range<usize>, outcome: Outcome, records: &[LogRecord], ledger: &Ledger) {
        let book = |part: Range<usize>, outcome| {
            ledger.settle(outcome, records[part].iter().filter_map(LogRecord::sequence));
        };
        if self.handlers == 1 {
            return book(part, outcome);
        }
        for place in part {
            let (handlers, worst) = &mut self.left[place];
            *handlers -= 1;
            if severity(outcome) > severity(*worst) {
                *worst = outcome;
            }
            if *handlers == 0 {
                book(place..place + 1, *worst);
            }
        }
    }
}

fn severity(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Delivered => 0,
        Outcome::Abandoned => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_outcome_counts_when_all_are_done() {
        let ledger = Ledger::default();
        let record = |_| {
            let mut record = LogRecord::from(&log::Record::builder().build());
            record.set_sequence(ledger.take_in());
            record
        };
        let records: Vec<_> = (0..3).map(record).collect();
        let mut tally = Tally::new(2);
        tally.resize(3);
        tally.settle(0..3, Outcome::Delivered, &records, &ledger);
        assert_eq!(ledger.snapshot().pending, 3);
        tally.settle(0..1, Outcome::Rejected, &records, &ledger);
        tally.settle(1..2, Outcome::Abandoned, &records, &ledger);
        tally.settle(2..3, Outcome::Delivered, &records, &ledger);
        let stats = ledger.snapshot();
        assert_eq!((stats.rejected, stats.abandoned, stats.delivered, stats.pending), (1, 1, 1, 0));
    }
}
