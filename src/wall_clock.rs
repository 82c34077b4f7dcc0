//! The time of day, for a record's `created`, at a third of what asking the system costs.
//!
//! Each thread asks the system now and then, and in between adds what the processor's counter has advanced. That is
//! right within [`ANCHORED_FOR`] whatever happens: a counter that stands still, jumps, or differs between processors is
//! believed for no longer than that, and so is a clock that has been set since. (One case remains: a counter that stands
//! still while the machine is suspended, and a thread that logs less than a millisecond of running time before and
//! after. Its record has the time before.)
//!
//! This is the one file that knows quanta.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

use once_cell::sync::OnceCell;
use quanta::Clock;

/// How long a thread goes by the counter alone, in nanoseconds: a millisecond.
const ANCHORED_FOR: u64 = 1_000_000;
/// How long it may take to look at both clocks, in nanoseconds, for them to be taken for simultaneous.
const AT_ONCE: u64 = 10_000;

/// The counter, once it is known how fast it counts.
static COUNTER: OnceCell<Clock> = OnceCell::new();

/// When a thread last asked the system, by the counter and by the system.
#[derive(Clone, Copy)]
struct Anchor {
    counter: u64,
    time: u64,
}

/// Finds out how fast the counter counts; until that is done, the system is asked each time.
///
/// That takes a millisecond or so (quanta gives up after 200), so it is for a thread that nobody waits for.
pub(crate) fn calibrate() {
    COUNTER.get_or_init(Clock::new);
}

/// Nanoseconds since the epoch.
pub(crate) fn now() -> u64 {
    thread_local!(static ANCHOR: Cell<Anchor> = const { Cell::new(Anchor { counter: 0, time: 0 }) });
    let Some(clock) = COUNTER.get() else { return system_time() };
    ANCHOR.with(|anchor| {
        let (Anchor { counter, time }, now) = (anchor.get(), clock.raw());
        let since = |earlier, later| if later < earlier { u64::MAX } else { clock.delta_as_nanos(earlier, later) };
        let elapsed = since(counter, now);
        if elapsed < ANCHORED_FOR {
            return time + elapsed;
        }
        let time = system_time();
        // A thread that was interrupted in between has to look again.
        if since(now, clock.raw()) < AT_ONCE {
            anchor.set(Anchor { counter: now, time });
        }
        time
    })
}

fn system_time() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // Until the year 2554.
    since_epoch.as_secs().saturating_mul(1_000_000_000).saturating_add(since_epoch.subsec_nanos().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_than_a_millisecond_from_the_systems() {
        calibrate();
        for _ in 0..100_000 {
            let (before, now, after) = (system_time(), now(), system_time());
            assert!(now + ANCHORED_FOR >= before && now <= after + ANCHORED_FOR, "{before} {now} {after}");
        }
    }
}
