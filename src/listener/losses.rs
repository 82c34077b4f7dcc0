//! Telling the destination what it did not get: one WARN record for many that found the queue full.

use std::time::{Duration, Instant};

use log::{Level, Record};

use crate::count::Records;
use crate::record::{DEFAULT_MAX_MESSAGE_BYTES, LogRecord};
use crate::stats::Dropped;

/// While records keep being dropped, one notice in this time is enough: it takes up room itself.
const PAUSE: Duration = Duration::from_secs(1);

/// What the destination has been told of.
#[derive(Debug, Default)]
pub(super) struct Losses {
    told: u64,
    last: Option<Instant>,
}

impl Losses {
    /// How many records have been dropped since the destination was last told, if it is time to tell it again.
    pub(super) fn to_tell(&self, dropped: Dropped, queue_is_empty: bool) -> Option<u64> {
        let untold = no_room(dropped) - self.told;
        let quiet = queue_is_empty || self.last.is_none_or(|last| last.elapsed() >= PAUSE);
        (untold > 0 && quiet).then_some(untold)
    }

    /// The record that tells the destination of so many more.
    pub(super) fn tell(&mut self, count: u64) -> LogRecord {
        self.told += count;
        self.last = Some(Instant::now());
        let mut notice = notice(count);
        notice.set_notice(self.told);
        notice
    }
}

/// Those that were lost because the queue was full; the others came when nothing more was wanted.
fn no_room(dropped: Dropped) -> u64 {
    dropped.total() - dropped.closed
}

fn notice(count: u64) -> LogRecord {
    let record = &mut Record::builder();
    record.level(Level::Warn).target("logpost").module_path_static(Some("logpost"));
    let count = Records(count);
    let text = format_args!("logpost: {count} dropped (queue full)");
    LogRecord::capture(&record.args(text).build(), DEFAULT_MAX_MESSAGE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(count: u64) -> Dropped {
        Dropped { full: count, ..Dropped::default() }
    }

    #[test]
    fn each_loss_is_told_once() {
        let mut losses = Losses::default();
        assert_eq!(losses.to_tell(full(0), true), None);
        assert_eq!(losses.to_tell(full(3), false), Some(3));
        losses.tell(3);
        assert_eq!(losses.to_tell(full(3), true), None);
        assert_eq!(losses.to_tell(full(5), true), Some(2));
    }

    #[test]
    fn while_the_queue_is_busy_losses_are_summed_up() {
        let mut losses = Losses::default();
        losses.tell(0);
        assert_eq!(losses.to_tell(full(5), false), None);
        losses.last = Instant::now().checked_sub(PAUSE);
        assert_eq!(losses.to_tell(full(9), false), Some(9));
    }

    #[test]
    fn records_after_a_stop_are_nobodys_loss() {
        let closed = Dropped { closed: 7, ..Dropped::default() };
        assert_eq!(Losses::default().to_tell(closed, true), None);
    }

    #[test]
    fn the_notice() {
        let record = Losses::default().tell(12);
        assert_eq!(record.sequence(), None);
        assert_eq!((record.level(), record.target()), (Level::Warn, "logpost"));
        assert_eq!(record.message(), "logpost: 12 records dropped (queue full)");
    }
}
