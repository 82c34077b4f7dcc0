//! Telling the destination what it did not get: one WARN record for many that found the queue full.

use std::time::{Duration, Instant};

use log::{Level, Record};

use crate::count::Records;
use crate::record::{DEFAULT_MAX_MESSAGE_BYTES, LogRecord};

/// While records keep being dropped, one notice in this time is enough: it takes up room itself.
const PAUSE: Duration = Duration::from_secs(1);

/// What the destination has been told of.
#[derive(Debug, Default)]
pub(super) struct Losses {
    told: u64,
    last: Option<Instant>,
}

impl Losses {
    /// If records have been dropped since the destination was last told, and it is time to tell it again: how many, and
    /// the record that says so.
    pub(super) fn notice(&mut self, found_no_room: u64, queue_is_empty: bool) -> Option<(u64, LogRecord)> {
        let untold = found_no_room.saturating_sub(self.told);
        let quiet = queue_is_empty || self.last.is_none_or(|last| last.elapsed() >= PAUSE);
        if untold == 0 || !quiet {
            return None;
        }
        self.told += untold;
        self.last = Some(Instant::now());
        let mut notice = notice(untold);
        notice.set_notice(self.told);
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

    fn count(losses: &mut Losses, found_no_room: u64, queue_is_empty: bool) -> Option<u64> {
        losses.notice(found_no_room, queue_is_empty).map(|(count, _)| count)
    }

    #[test]
    fn each_loss_is_told_once() {
        let mut losses = Losses::default();
        assert_eq!(count(&mut losses, 0, true), None);
        assert_eq!(count(&mut losses, 3, false), Some(3));
        assert_eq!(count(&mut losses, 3, true), None);
        assert_eq!(count(&mut losses, 5, true), Some(2));
    }

    #[test]
    fn while_the_queue_is_busy_losses_are_summed_up() {
        let mut losses = Losses { told: 0, last: Some(Instant::now()) };
        assert_eq!(count(&mut losses, 5, false), None);
        losses.last = Instant::now().checked_sub(PAUSE);
        assert_eq!(count(&mut losses, 9, false), Some(9));
    }

    #[test]
    fn the_notice() {
        let (_, record) = Losses::default().notice(12, true).unwrap();
        assert_eq!(record.sequence(), None);
        assert_eq!((record.level(), record.target()), (Level::Warn, "logpost"));
        assert_eq!(record.message(), "logpost: 12 records dropped (queue full)");
    }
}
