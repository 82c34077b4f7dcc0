//! The room in a queue, in records and in bytes, held in one word so that one atomic operation takes both.

use std::sync::atomic::{AtomicU64, Ordering};

const BYTE_BITS: u32 = 40;
const ONE_RECORD: u64 = 1 << BYTE_BITS;
const BYTES: u64 = ONE_RECORD - 1;

/// The most records that a queue can be given room for: 8,388,608.
pub(super) const MAX_RECORDS: usize = 1 << 23;
/// The most bytes that a queue can be given room for: 512 GiB (or all that the machine can address).
pub(super) const MAX_BYTES: usize = if usize::BITS > 39 { 1 << 39 } else { usize::MAX };

/// What is taken of the room for records and for bytes.
#[derive(Debug)]
pub(super) struct Budget {
    used: AtomicU64,
    /// How many records are a reason to end a listener's nap: more than half of all, or what it lacks for a full batch.
    alarm: AtomicU64,
    max_records: u64,
    max_bytes: u64,
}

/// Which limit stands in the way of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// All records that the queue may hold are there.
    Records,
    /// The record would take the queue over its limit in bytes.
    Bytes,
    /// The record alone is over the limit in bytes.
    Ever,
}

impl Budget {
    pub(super) fn new(max_records: usize, max_bytes: usize) -> Self {
        debug_assert!(max_records <= MAX_RECORDS && max_bytes <= MAX_BYTES);
        let (max_records, max_bytes) = (max_records as u64, max_bytes as u64);
        Self { used: AtomicU64::new(0), alarm: AtomicU64::new(max_records / 2 + 1), max_records, max_bytes }
    }

    /// Has so many records in the queue be a reason to end a nap, where that is sooner than usual; says whether there are
    /// as many already. `None` for the usual: over half of what there is room for.
    pub(super) fn set_alarm(&self, records: Option<usize>) -> bool {
        let usual = self.max_records / 2 + 1;
        let alarm = records.map_or(usual, |records| usual.min(records as u64));
        self.alarm.store(alarm, Ordering::SeqCst);
        self.used.load(Ordering::SeqCst) >> BYTE_BITS >= alarm
    }

    /// Takes room for one record of `size` bytes; says whether that is a reason to end a listener's nap.
    pub(super) fn reserve(&self, size: usize) -> Result<bool, NoRoom> {
        let size = size as u64;
        if size > self.max_bytes {
            return Err(NoRoom::Ever);
        }
        // Sequentially consistent, as a producer that is about to wait for room must either see what was released or be
        // seen waiting by who releases it.
        let mut used = self.used.load(Ordering::SeqCst);
        loop {
            let (records, bytes) = ((used >> BYTE_BITS) + 1, (used & BYTES) + size);
            if records > self.max_records {
                return Err(NoRoom::Records);
            }
            if bytes > self.max_bytes {
                return Err(NoRoom::Bytes);
            }
            let taken = used + ONE_RECORD + size;
            match self.used.compare_exchange_weak(used, taken, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return Ok(records >= self.alarm.load(Ordering::SeqCst) || bytes > self.max_bytes / 2),
                Err(now) => used = now,
            }
        }
    }

    /// Gives back the room of `records` records of `bytes` bytes in all.
    pub(super) fn release(&self, records: usize, bytes: usize) {
        let freed = records as u64 * ONE_RECORD + bytes as u64;
        self.used.fetch_sub(freed, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_limits_are_exact() {
        let budget = Budget::new(2, 100);
        assert_eq!(budget.reserve(101), Err(NoRoom::Ever));
        assert_eq!(budget.reserve(60), Ok(true));
        assert_eq!(budget.reserve(41), Err(NoRoom::Bytes));
        assert_eq!(budget.reserve(40), Ok(true));
        assert_eq!(budget.reserve(0), Err(NoRoom::Records));
        budget.release(2, 100);
        assert_eq!(budget.reserve(0), Ok(false));
    }

    #[test]
    fn the_alarm_is_half_of_the_room_unless_set_lower() {
        let budget = Budget::new(10, 1000);
        assert!(!budget.set_alarm(Some(2)));
        assert_eq!(budget.reserve(1), Ok(false));
        assert_eq!(budget.reserve(1), Ok(true));
        assert!(budget.set_alarm(Some(2)));
        assert!(!budget.set_alarm(Some(100)));
        assert!(!budget.set_alarm(None));
        for _ in 2..5 {
            assert_eq!(budget.reserve(1), Ok(false));
        }
        assert_eq!(budget.reserve(1), Ok(true), "more than half");
    }

    #[test]
    fn the_largest_limits_fit_the_word() {
        let budget = Budget::new(MAX_RECORDS, MAX_BYTES);
        assert_eq!(budget.reserve(MAX_BYTES), Ok(true));
        assert_eq!(budget.reserve(1), Err(NoRoom::Bytes));
        budget.release(1, MAX_BYTES);
        for _ in 0..MAX_RECORDS {
            budget.reserve(1).unwrap();
        }
        assert_eq!(budget.reserve(1), Err(NoRoom::Records));
    }
}
