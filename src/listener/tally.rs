//! What has become of each record of a batch, where there are several handlers that must be done with it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::ledger::{Ledger, Outcome};
use crate::record::LogRecord;

/// The outcomes of a batch so far.
#[derive(Debug)]
pub(super) struct Tally {
    handlers: usize,
    /// For each record, by its number: how many handlers are not done with it, and the worst outcome of the others.
    open: HashMap<u64, (usize, Outcome)>,
}

impl Tally {
    pub(super) fn new(handlers: usize) -> Self {
        Self { handlers, open: HashMap::new() }
    }

    /// There is one more handler.
    pub(super) fn add_handler(&mut self) {
        self.handlers += 1;
    }

    /// All handlers are about to get these records.
    pub(super) fn begin(&mut self, records: &[LogRecord]) {
        // A single handler's outcome is the record's.
        if self.handlers > 1 {
            let numbers = records.iter().filter_map(LogRecord::sequence);
            self.open.extend(numbers.map(|number| (number, (self.handlers, Outcome::Delivered))));
        }
    }

    /// A handler is done with these records. A record has its outcome when all are: delivered if it was by each of them.
    pub(super) fn settle(&mut self, records: &[LogRecord], outcome: Outcome, ledger: &Ledger) {
        let numbers = records.iter().filter_map(LogRecord::sequence);
        if self.handlers == 1 {
            return ledger.settle(outcome, numbers);
        }
        for number in numbers {
            let Entry::Occupied(mut entry) = self.open.entry(number) else { continue };
            let (handlers, worst) = entry.get_mut();
            *handlers -= 1;
            if severity(outcome) > severity(*worst) {
                *worst = outcome;
            }
            if *handlers == 0 {
                let (_, worst) = entry.remove();
                ledger.settle(worst, [number].into_iter());
            }
        }
    }

    /// How many records some handler is not done with, where there are several.
    pub(super) fn open(&self) -> usize {
        self.open.len()
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
        tally.begin(&records);
        tally.settle(&records, Outcome::Delivered, &ledger);
        assert_eq!((ledger.snapshot().pending, tally.open()), (3, 3));
        tally.settle(&records[..1], Outcome::Rejected, &ledger);
        tally.settle(&records[1..2], Outcome::Abandoned, &ledger);
        tally.settle(&records[2..], Outcome::Delivered, &ledger);
        let stats = ledger.snapshot();
        assert_eq!((stats.rejected, stats.abandoned, stats.delivered, stats.pending), (1, 1, 1, 0));
        assert_eq!(tally.open(), 0);
    }
}
