//! What a listener does when there is nothing to do.

use std::time::{Duration, Instant};

use crate::queue::Source;

/// The naps of a quiet spell, in milliseconds. They grow, since every look into an empty queue costs a little, and stay
/// short, since they are how long a record may have to wait. After the last one the listener asks to be woken.
const NAPS: [u64; 4] = [1, 2, 4, 8];

/// Records that come after a sleep as long as this come rarely: there is no nap for the next one.
const LONG_SLEEP: Duration = Duration::from_millis(100);

/// A quiet spell.
#[derive(Debug)]
pub(super) struct Idle {
    naps: &'static [u64],
    slept: Option<Duration>,
}

impl Default for Idle {
    fn default() -> Self {
        Self { naps: &NAPS, slept: None }
    }
}

impl Idle {
    /// A record came: the spell is over. A nap costs as much as being woken, so after a sleep there are fewer of them in
    /// the next spell, or none.
    pub(super) fn reset(&mut self) {
        let naps = match self.slept.take() {
            None => NAPS.len(),
            Some(slept) if slept < LONG_SLEEP => 1,
            Some(_) => 0,
        };
        self.naps = &NAPS[..naps];
    }

    /// Waits for something to do, a little longer each time.
    pub(super) fn wait(&mut self, source: &mut Source) {
        if let Some((&nap, later)) = self.naps.split_first() {
            self.naps = later;
            source.nap(Duration::from_millis(nap));
        } else {
            let began = Instant::now();
            source.sleep();
            self.slept = Some(began.elapsed());
        }
    }
}
