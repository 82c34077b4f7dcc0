//! What a listener does when there is nothing to do.

use std::time::Duration;

use crate::queue::Queue;

/// The naps of a quiet spell, in milliseconds. They grow, since every look into an empty queue costs a little, and stay
/// short, since they are how long a record may have to wait. After the last one the listener asks to be woken.
const NAPS: [u64; 4] = [1, 2, 4, 8];

/// A quiet spell.
#[derive(Debug, Default)]
pub(super) struct Idle {
    naps: usize,
    asleep: bool,
    /// The last record came while the listener was asleep. Unless another follows soon, it goes back to sleep: a nap
    /// costs as much as being woken.
    woken: bool,
}

impl Idle {
    /// A record came: the spell is over.
    pub(super) fn reset(&mut self) {
        *self = Self { woken: self.asleep, ..Self::default() };
    }

    /// Waits for something to do, a little longer each time.
    pub(super) fn wait(&mut self, queue: &Queue, seat: usize) {
        let naps = if self.woken { &NAPS[..1] } else { &NAPS };
        if let Some(&nap) = naps.get(self.naps) {
            self.naps += 1;
            queue.nap(seat, Duration::from_millis(nap));
        } else {
            self.asleep = true;
            queue.sleep(seat);
        }
    }
}
