//! Telling the destination what it did not get: one WARN record for many that found the queue full.

use std::time::{Duration, Instant};

use log::{Level, Record};

use crate::count::Records;
use crate::ledger::Ledger;
use crate::record::{DEFAULT_MAX_MESSAGE_BYTES, LogRecord};

/// While records keep being dropped, one notice in this time is enough: it takes up room itself.
const PAUSE: Duration = Duration::from_secs(1);

/// When the destination was last told. Of how many, the books know: listeners come and go.
#[derive(Debug, Default)]
pub(super) struct Losses {
    last: Option<Instant>,
}

impl Losses {
    /// If records have been dropped since the destination was last told, and it is time to tell it again: how many, and
    /// the record that says so.
    pub(super) fn notice(&mut self, ledger: &Ledger, queue_is_empty: bool) -> Option<(u64, LogRecord)> {
        let untold = ledger.untold();
        let quiet = queue_is_empty || self.last.is_none_or(|last| last.elapsed() >= PAUSE);
        if untold == 0 || !quiet {
            return None;
        }
        self.last = Some(Instant::now());
        let mut notice = notice(untold);
        notice.set_notice(ledger.tell(untold));
        Some((untold, notice))
    }
}

fn notice(count: u64) -> LogRecord {
    let record = &mut Record::builder();
    record.level(Level::Warn).target("logpost").module_path_static(Some("logpost"));
    let count = Records(count);
    // In one statement: before Rust 1.89, `format_args!` borrows for no longer.
    LogRecord::capture(
        &record.args(format_args!("logpost: {count} dropped (queue full)")).build(),
        DEFAULT_MAX_MESSAGE_BYTES,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::DropReason;

    fn lose(ledger: &Ledger, records: usize) {
        (0..records).for_each(|_| ledger.drop_at_door(DropReason::Full));
    }

    fn count(losses: &mut Losses, ledger: &Ledger, queue_is_empty: bool) -> Option<u64> {
        losses.notice(ledger, queue_is_empty).map(|(count, _)| count)
    }

    #[test]
    fn each_loss_is_told_once() {
        let (ledger, mut losses) = (Ledger::default(), Losses::default());
        assert_eq!(count(&mut losses, &ledger, true), None);
        lose(&ledger, 3);
        assert_eq!(count(&mut losses, &ledger, false), Some(3));
        assert_eq!(count(&mut losses, &ledger, true), None);
        lose(&ledger, 2);
        assert_eq!(count(&mut Losses::default(), &ledger, true), Some(2), "the next listener");
    }

    #[test]
    fn while_the_queue_is_busy_losses_are_summed_up() {
        let (ledger, mut losses) = (Ledger::default(), Losses { last: Some(Instant::now()) });
        lose(&ledger, 5);
        assert_eq!(count(&mut losses, &ledger, false), None);
        losses.last = Instant::now().checked_sub(PAUSE);
        lose(&ledger, 4);
        assert_eq!(count(&mut losses, &ledger, false), Some(9));
    }

    #[test]
    fn the_notice() {
        let ledger = Ledger::default();
        lose(&ledger, 12);
        let (_, record) = Losses::default().notice(&ledger, true).unwrap();
        assert_eq!(record.sequence(), None);
        assert_eq!((record.level(), record.target()), (Level::Warn, "logpost"));
        assert_eq!(record.message(), "logpost: 12 records dropped (queue full)");
    }
}
