//! 64 threads log into a full queue: what a log call costs then, and that every record that is lost is told of.
//!
//! `cargo test --release --test overload -- 5`: so many seconds for each case. Without them, 1 second.

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use log::{Level, info};
use logpost::{EmitError, Handler, LogRecord, Overflow, Pipeline};
use logpost_test_support::{LONG, wait_until};

const THREADS: usize = 64;
const CAPACITY: usize = 256;

/// What the listener is at while the queue is full.
#[derive(Clone, Copy, Debug)]
enum Load {
    /// One record, all the time.
    Stalled,
    /// A millisecond for each.
    Slow,
}

const CASES: [(&str, Overflow, Load); 4] = [
    ("drop_newest_stalled", Overflow::DropNewest, Load::Stalled),
    ("drop_newest_slow", Overflow::DropNewest, Load::Slow),
    ("drop_oldest_stalled", Overflow::DropOldest, Load::Stalled),
    ("drop_oldest_slow", Overflow::DropOldest, Load::Slow),
];

/// libtest's.
const OPTIONS_WITH_VALUES: [&str; 3] = ["--format", "--test-threads", "--color"];

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let given = |option: &str| arguments.iter().any(|argument| argument == option);
    let is_value = |place: usize| place > 0 && OPTIONS_WITH_VALUES.contains(&arguments[place - 1].as_str());
    let plain = arguments.iter().enumerate().filter(|(place, text)| !text.starts_with('-') && !is_value(*place));
    let (numbers, filters): (Vec<_>, Vec<_>) =
        plain.map(|(_, text)| text).partition(|text| text.parse::<u64>().is_ok());
    let seconds = numbers.first().and_then(|number| number.parse().ok()).unwrap_or(1);
    let fits = |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()));
    let wanted: Vec<_> = CASES.into_iter().filter(|(name, ..)| !given("--ignored") && fits(name)).collect();
    if given("--list") {
        for (name, ..) in &wanted {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} tests", wanted.len());
    let (began, mut failed) = (Instant::now(), 0);
    for &(name, overflow, load) in &wanted {
        let test = || overload(name, overflow, load, Duration::from_secs(seconds));
        let outcome = catch_unwind(AssertUnwindSafe(test));
        failed += usize::from(outcome.is_err());
        println!("test {name} ... {}", if outcome.is_ok() { "ok" } else { "FAILED" });
    }
    println!(
        "\ntest result: {}. {} passed; {failed} failed; 0 ignored; 0 measured; {} filtered out; finished in {:.2}s\n",
        if failed == 0 { "ok" } else { "FAILED" },
        wanted.len() - failed,
        CASES.len() - wanted.len(),
        began.elapsed().as_secs_f64(),
    );
    ExitCode::from(u8::from(failed > 0))
}

/// Counts what it gets, as slowly as it is told to.
struct Counts {
    load: Load,
    /// Until this is closed, the queue is to be full.
    overloaded: Receiver<()>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    arrived: AtomicBool,
    records: AtomicU64,
    /// The records that the listener's own say were dropped.
    told_of: AtomicU64,
}

impl Handler for Counts {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        self.seen.arrived.store(true, Ordering::SeqCst);
        let _ = match self.load {
            Load::Stalled => self.overloaded.recv().is_ok(),
            Load::Slow => self.overloaded.recv_timeout(Duration::from_millis(1)).is_ok(),
        };
        for record in records {
            if record.target() != "logpost" {
                self.seen.records.fetch_add(1, Ordering::SeqCst);
                continue;
            }
            let message = record.message();
            let count = message.strip_prefix("logpost: ").and_then(|rest| {
                rest.strip_suffix(" records dropped (queue full)")
                    .or_else(|| rest.strip_suffix(" record dropped (queue full)"))
            });
            let count: u64 = count.and_then(|count| count.parse().ok()).expect("a notice of drops");
            assert_eq!(record.level(), Level::Warn);
            self.seen.told_of.fetch_add(count, Ordering::SeqCst);
        }
        Ok(())
    }
}

fn overload(name: &str, overflow: Overflow, load: Load, duration: Duration) {
    let (calm_down, overloaded) = mpsc::channel();
    let seen = Arc::new(Seen::default());
    let handler = Counts { load, overloaded, seen: Arc::clone(&seen) };
    let (logger, guard) = logpost::builder()
        .handler(Pipeline::new(handler).capacity(CAPACITY).overflow(overflow))
        .on_error(|failure| eprintln!("{failure}"))
        .build()
        .unwrap();
    // From here on the queue is full: with the listener at its first record, nothing that is measured finds room.
    info!(logger: logger, "first");
    wait_until("the listener is at it", || seen.arrived.load(Ordering::SeqCst));
    for _ in 0..CAPACITY {
        info!(logger: logger, "filling");
    }
    let (start, stop) = (Barrier::new(THREADS + 1), AtomicBool::new(false));
    let mut latencies = Latencies::default();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (logger, start, stop) = (&logger, &start, &stop);
                scope.spawn(move || {
                    let mut latencies = Latencies::default();
                    start.wait();
                    for number in 0_u64.. {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        let before = Instant::now();
                        info!(logger: logger, "{thread} {number}");
                        latencies.add(before.elapsed());
                    }
                    latencies
                })
            })
            .collect();
        start.wait();
        let end = Instant::now() + duration;
        while Instant::now() < end {
            let stats = guard.stats();
            assert_eq!(stats.accepted, stats.delivered + stats.rejected + stats.abandoned + stats.pending, "{stats}");
            assert!(stats.pending <= (CAPACITY + THREADS + 1) as u64, "{stats}");
            thread::sleep(Duration::from_millis(1));
        }
        stop.store(true, Ordering::Relaxed);
        for thread in threads {
            latencies.merge(&thread.join().unwrap());
        }
    });
    drop(calm_down);
    guard.flush(LONG).unwrap();
    let offered = latencies.count() + 1 + CAPACITY as u64;
    let stats = guard.stats();
    assert_eq!(stats.accepted + stats.dropped.total(), offered, "{stats}");
    assert_eq!((stats.delivered, stats.pending), (stats.accepted, 0), "{stats}");
    let lost = match overflow {
        Overflow::DropOldest => stats.dropped.oldest,
        _ => stats.dropped.full,
    };
    assert_eq!((stats.dropped.total(), lost > 0), (lost, true), "{stats}");
    assert_eq!(seen.records.load(Ordering::SeqCst), stats.delivered, "{stats}");
    wait_until("all drops are told of", || seen.told_of.load(Ordering::SeqCst) >= lost);
    assert_eq!(guard.stop(LONG).pending, 0);
    assert_eq!(seen.told_of.load(Ordering::SeqCst), lost, "told of once each: {stats}");
    println!(
        "{name}: {THREADS} threads, {offered} records, {lost} dropped; a call takes {:.1?} (p50), {:.1?} (p99), \
         {:.1?} (p99.9), {:.1?} at most",
        latencies.quantile(0.5),
        latencies.quantile(0.99),
        latencies.quantile(0.999),
        latencies.quantile(1.0),
    );
}

/// How many calls took how long: to a sixteenth, so that a long run needs no more memory than a short one.
struct Latencies([u64; 64 * STEPS]);

const STEPS: usize = 16;

impl Default for Latencies {
    fn default() -> Self {
        Self([0; 64 * STEPS])
    }
}

impl Latencies {
    fn add(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX).max(STEPS as u64);
        let power = nanoseconds.ilog2();
        let step = usize::try_from(nanoseconds >> (power - STEPS.ilog2())).unwrap_or_default() % STEPS;
        self.0[power as usize * STEPS + step] += 1;
    }

    fn merge(&mut self, others: &Self) {
        self.0.iter_mut().zip(&others.0).for_each(|(count, more)| *count += more);
    }

    fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The time that this share of all calls did not exceed.
    #[allow(clippy::cast_precision_loss, clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a share")]
    fn quantile(&self, share: f64) -> Duration {
        let wanted = ((self.count() as f64 * share).ceil() as u64).max(1);
        let mut sum = 0;
        for (place, count) in self.0.iter().enumerate() {
            sum += count;
            if sum >= wanted {
                let (power, step) = (place / STEPS, place % STEPS);
                // The end of the step.
                return Duration::from_nanos(((STEPS + step + 1) as u64) << (power - STEPS.ilog2() as usize));
            }
        }
        Duration::ZERO
    }
}
