//! The caller's path: what a log call costs the thread that makes it. All of this runs in a child, and each part
//! returns the logger, since dropping it may take long.

use std::hint::{black_box, spin_loop};
use std::mem;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use quanta::Clock;

use crate::backends::{Backend, Call, Running, Setup, Sink};
use crate::process::{self, report};

const PACE: Duration = Duration::from_micros(20);
const THREADS: usize = 4;
/// Long enough for a listener to have gone to sleep.
const QUIET: Duration = Duration::from_millis(200);
/// What has not arrived when nothing has for this long is lost.
const GIVEN_UP: Duration = Duration::from_secs(2);

/// How much is done; `smoke` is enough to see that it works.
#[derive(Clone, Copy)]
pub(crate) struct Amount {
    warm_up: usize,
    burst: usize,
    paced: usize,
    disabled: usize,
    held: usize,
    idle: Duration,
}

impl Amount {
    pub(crate) fn new(smoke: bool) -> Self {
        if smoke {
            Self { warm_up: 10, burst: 500, paced: 500, disabled: 1000, held: 10_000, idle: Duration::from_secs(1) }
        } else {
            Self {
                warm_up: 1000,
                burst: 10_000,
                paced: 10_000,
                disabled: 1_000_000,
                held: 100_000,
                idle: Duration::from_secs(10),
            }
        }
    }
}

/// Latencies in burst, paced, and from four threads; the disabled level; what the timer itself costs.
pub(crate) fn latencies(backend: &Backend, url: &str, scratch: PathBuf, amount: Amount) -> Running {
    let clock = Clock::new();
    let setup = Setup { sink: Sink::default(), url: url.to_owned(), scratch };
    let running = (backend.start)(&setup);
    let mut run = Run { clock, running, logged: 0, lost: None };

    run.report("timer", vec![Timings::measure(&run.clock, amount.burst, || {}, |_, _| {})]);
    match run.running.call {
        Call::Log => run.all(amount, log_call, disabled_log_call),
        Call::Tracing => run.all(amount, tracing_call, disabled_tracing_call),
    }
    run.running
}

/// The memory that a waiting record takes.
pub(crate) fn memory(backend: &Backend, scratch: PathBuf, amount: Amount) -> Running {
    // Its backlog takes connections, and nobody answers on them.
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/log", server.local_addr().expect("an address"));
    // To its end, the process has a server that is silent rather than one that is gone.
    mem::forget(server);
    let setup = Setup { sink: Sink::stalled(), url, scratch };
    // Queues that take their memory beforehand are to be seen, too.
    let before = process::resident();
    let running = (backend.start)(&setup);
    for id in 0..amount.held as u64 {
        match running.call {
            Call::Log => log_call(id, 7),
            Call::Tracing => tracing_call(id, 7),
        }
    }
    thread::sleep(QUIET);
    let grown = process::resident().saturating_sub(before);
    report("memory.bytes", grown as f64 / amount.held as f64);
    running
}

/// What one record costs in CPU when nothing else happens, and what happens when nothing does.
pub(crate) fn idle(backend: &Backend, url: &str, scratch: PathBuf, amount: Amount) -> Running {
    let setup = Setup { sink: Sink::default(), url: url.to_owned(), scratch };
    let running = (backend.start)(&setup);
    let call = match running.call {
        Call::Log => log_call,
        Call::Tracing => tracing_call,
    };
    call(0, 7);
    thread::sleep(Duration::from_secs(1));

    let cpu = process::process_cpu();
    call(1, 7);
    thread::sleep(Duration::from_secs(1));
    report("idle.record_us", process::process_cpu() - cpu);

    let switches = process::voluntary_switches();
    let cpu = process::process_cpu();
    thread::sleep(amount.idle);
    let cpu = process::process_cpu() - cpu;
    let switches = process::voluntary_switches().saturating_sub(switches);
    report("idle.wakeups", switches as f64 / amount.idle.as_secs_f64());
    report("idle.cpu_us", cpu / amount.idle.as_secs_f64());
    running
}

fn log_call(id: u64, micros: u64) {
    log::info!(target: "bench", "request {} took {} us from {}", id, micros, "10.0.0.1");
}

fn tracing_call(id: u64, micros: u64) {
    tracing::info!(target: "bench", "request {} took {} us from {}", id, micros, "10.0.0.1");
}

fn disabled_log_call(id: u64, micros: u64) {
    log::debug!(target: "bench", "request {} took {} us from {}", id, micros, "10.0.0.1");
}

fn disabled_tracing_call(id: u64, micros: u64) {
    tracing::debug!(target: "bench", "request {} took {} us from {}", id, micros, "10.0.0.1");
}

struct Run {
    clock: Clock,
    running: Running,
    logged: u64,
    /// Of these, what had not arrived when all was quiet.
    lost: Option<u64>,
}

impl Run {
    fn all<F: Fn(u64, u64) + Sync>(&mut self, amount: Amount, call: F, disabled: impl Fn(u64, u64)) {
        Timings::measure(&self.clock, amount.warm_up, || {}, &call);
        self.logged += amount.warm_up as u64;
        self.settle();
        self.lost = self.missing();

        // The memory that a burst takes is new in the first one.
        for mode in ["first", "burst"] {
            let burst = Timings::measure(&self.clock, amount.burst, || {}, &call);
            self.finish(mode, vec![burst]);
        }

        let clock = self.clock.clone();
        let mut next = Instant::now();
        let wait = || {
            next += PACE;
            while Instant::now() < next {
                spin_loop();
            }
        };
        let paced = Timings::measure(&clock, amount.paced, wait, &call);
        self.finish("paced", vec![paced]);

        let barrier = Barrier::new(THREADS);
        let threads = thread::scope(|scope| {
            let start = || {
                barrier.wait();
                Timings::measure(&clock, amount.burst, || {}, &call)
            };
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(start)).collect();
            threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
        });
        self.finish("threads", threads);

        let start = Instant::now();
        for id in 0..amount.disabled as u64 {
            disabled(black_box(id), black_box(7));
        }
        report("disabled.mean", start.elapsed().as_secs_f64() * 1e9 / amount.disabled as f64);
    }

    fn finish(&mut self, mode: &str, timings: Vec<Timings>) {
        let logged: usize = timings.iter().map(|timings| timings.0.len()).sum();
        self.report(mode, timings);
        let missing_before = self.lost;
        self.logged += logged as u64;
        self.settle();
        self.lost = self.missing();
        report(&format!("{mode}.logged"), logged as f64);
        if let (Some(before), Some(after)) = (missing_before, self.lost) {
            report(&format!("{mode}.delivered"), logged as f64 - (after as f64 - before as f64));
        }
    }

    fn report(&self, mode: &str, timings: Vec<Timings>) {
        let mut all: Vec<u64> = timings.into_iter().flat_map(|timings| timings.0).collect();
        all.sort_unstable();
        let nanos = |ticks: u64| self.clock.delta_as_nanos(0, ticks) as f64;
        let at = |per_mille: usize| nanos(all[(all.len() - 1) * per_mille / 1000]);
        report(&format!("{mode}.p50"), at(500));
        report(&format!("{mode}.p99"), at(990));
        report(&format!("{mode}.p999"), at(999));
        report(&format!("{mode}.mean"), nanos(all.iter().sum()) / all.len() as f64);
    }

    /// Waits until everything has arrived, or nothing does any more, and then until all is quiet.
    fn settle(&self) {
        (self.running.flush)();
        let mut last = (self.missing(), Instant::now());
        while last.0.is_some_and(|missing| missing > 0) && last.1.elapsed() < GIVEN_UP {
            thread::sleep(Duration::from_millis(5));
            let missing = self.missing();
            if missing != last.0 {
                last = (missing, Instant::now());
            }
        }
        thread::sleep(QUIET);
    }

    fn missing(&self) -> Option<u64> {
        self.running.delivered.as_ref().map(|delivered| self.logged.saturating_sub(delivered()))
    }
}

/// The time that each call took, in the counter's ticks.
struct Timings(Vec<u64>);

impl Timings {
    fn measure(clock: &Clock, calls: usize, mut before: impl FnMut(), call: impl Fn(u64, u64)) -> Self {
        // Written once, so that no page is touched for the first time while it counts.
        let mut ticks = vec![1; calls];
        for (id, ticks) in ticks.iter_mut().enumerate() {
            before();
            let id = black_box(id as u64);
            let start = clock.raw();
            call(id, id * 7919 % 10_000);
            *ticks = clock.raw() - start;
        }
        Self(ticks)
    }
}
