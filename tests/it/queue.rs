//! The queue between the callers and the listener: full, blocked, flushed, stopped.

use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use log::{Log, info};
use logpost::{CaptureHandler, EmitError, Handler, LogRecord, Overflow, Pipeline};
use logpost_test_support::{LONG, wait_until};

/// What was captured, but for the listener's own notices of drops.
fn logged(capture: &CaptureHandler) -> Vec<String> {
    let records = capture.records().into_iter().filter(|record| record.target() != "logpost");
    records.map(|record| record.message().to_owned()).collect()
}

/// A handler that waits at each record until the test lets it go on.
struct Gate {
    arrived: SyncSender<()>,
    released: Receiver<()>,
    capture: CaptureHandler,
}

/// The test's side of a `Gate`. Dropping `release` opens it for good.
struct GateKeeper {
    arrived: Receiver<()>,
    release: SyncSender<()>,
    capture: CaptureHandler,
}

fn gate() -> (Gate, GateKeeper) {
    let (arrive, arrived) = mpsc::sync_channel(1);
    let (release, released) = mpsc::sync_channel(1);
    let capture = CaptureHandler::new();
    let gate = Gate { arrived: arrive, released, capture: capture.clone() };
    let keeper = GateKeeper { arrived, release, capture };
    (gate, keeper)
}

impl Handler for Gate {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        let _ = self.arrived.try_send(());
        let _ = self.released.recv();
        self.capture.emit(records)
    }
}

const CAPACITY: usize = 100;
const THREADS: usize = 8;
const EACH: usize = 200;

/// Fills a queue of `CAPACITY` from 8 threads, with the listener stuck at a first record of its own; returns what came
/// out in the end.
fn overfill(overflow: Overflow) -> (logpost::Stats, Vec<String>) {
    let (gate, keeper) = gate();
    let pipeline = Pipeline::new(gate).capacity(CAPACITY).overflow(overflow);
    let (logger, guard) = logpost::builder().handler(pipeline).build().unwrap();
    info!(logger: logger, "first");
    keeper.arrived.recv_timeout(LONG).unwrap();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let logger = &logger;
            scope.spawn(move || {
                for number in 0..EACH {
                    info!(logger: logger, "{thread} {number}");
                }
            });
        }
    });
    let stats = guard.stats();
    assert_eq!(stats.accepted, stats.pending, "{stats}");
    assert_eq!(stats.pending, CAPACITY as u64 + 1, "{stats}");
    drop(keeper.release);
    guard.flush(LONG).unwrap();
    let stats = guard.stats();
    assert_eq!(stats.accepted + stats.dropped.total(), (THREADS * EACH) as u64 + 1, "{stats}");
    assert_eq!(stats.accepted, stats.delivered, "{stats}");
    let mut messages = logged(&keeper.capture);
    assert_eq!(messages.remove(0), "first");
    (stats, messages)
}

/// Each thread's messages are in order, whoever is missing.
fn assert_ordered(messages: &[String]) {
    for thread in 0..THREADS {
        let prefix = format!("{thread} ");
        let numbers: Vec<usize> =
            messages.iter().filter_map(|message| message.strip_prefix(&prefix)?.parse().ok()).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{thread}: {numbers:?}");
    }
}

#[test]
fn drop_newest_keeps_the_first_that_came() {
    let (stats, messages) = overfill(Overflow::DropNewest);
    assert_eq!(stats.dropped.full, (THREADS * EACH - CAPACITY) as u64, "{stats}");
    assert_eq!(stats.dropped.total(), stats.dropped.full);
    assert_ordered(&messages);
}

#[test]
fn drop_oldest_keeps_the_last_that_came() {
    let (stats, messages) = overfill(Overflow::DropOldest);
    assert_eq!(stats.dropped.oldest, (THREADS * EACH - CAPACITY) as u64, "{stats}");
    assert_eq!(stats.dropped.total(), stats.dropped.oldest);
    assert_ordered(&messages);
    // Whichever thread was the last, its last record was the last of all.
    assert!(messages.last().unwrap().ends_with(&format!(" {}", EACH - 1)), "{messages:?}");
}

#[test]
fn block_waits_as_long_as_it_says_and_then_drops() {
    let (gate, keeper) = gate();
    let wait = Duration::from_millis(50);
    let pipeline = Pipeline::new(gate).capacity(1).overflow(Overflow::Block(wait));
    let (logger, guard) = logpost::builder().handler(pipeline).build().unwrap();
    info!(logger: logger, "first");
    keeper.arrived.recv_timeout(LONG).unwrap();
    info!(logger: logger, "second");
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let since = Instant::now();
                info!(logger: logger, "too many");
                assert!(since.elapsed() >= wait);
            });
        }
    });
    assert_eq!(guard.stats().dropped.full, THREADS as u64);
    drop(keeper.release);
    guard.flush(LONG).unwrap();
    assert_eq!(logged(&keeper.capture), ["first", "second"]);
}

#[test]
fn block_ends_when_there_is_room() {
    let (gate, keeper) = gate();
    let pipeline = Pipeline::new(gate).capacity(1).overflow(Overflow::Block(Duration::MAX));
    let (logger, guard) = logpost::builder().handler(pipeline).build().unwrap();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..EACH {
                    info!(logger: logger, "patient");
                }
            });
        }
        drop(keeper.release);
    });
    guard.flush(LONG).unwrap();
    assert_eq!(keeper.capture.records().len(), THREADS * EACH);
    assert_eq!(guard.stats().dropped.total(), 0);
}

#[test]
fn the_limit_in_bytes_holds() {
    let (gate, keeper) = gate();
    let pipeline = Pipeline::new(gate).capacity_bytes(10_000);
    let (logger, guard) = logpost::builder().handler(pipeline).build().unwrap();
    info!(logger: logger, "first");
    keeper.arrived.recv_timeout(LONG).unwrap();
    let (large, huge) = ("x".repeat(3_000), "x".repeat(10_000));
    for _ in 0..5 {
        info!(logger: logger, "{large}");
    }
    info!(logger: logger, "{huge}");
    let stats = guard.stats();
    assert_eq!((stats.pending, stats.dropped.full_bytes), (4, 3), "{stats}");
    drop(keeper.release);
    guard.flush(LONG).unwrap();
    info!(logger: logger, "{large}");
    guard.flush(LONG).unwrap();
    assert_eq!(logged(&keeper.capture).len(), 5);
}

#[test]
fn flush_from_many_threads_waits_for_what_each_has_logged() {
    let capture = CaptureHandler::new();
    let (logger, guard) = logpost::builder().handler(capture.clone()).build().unwrap();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (logger, guard, capture) = (&logger, &guard, &capture);
            scope.spawn(move || {
                for number in 0..EACH {
                    let message = format!("{thread} {number}");
                    info!(logger: logger, "{message}");
                    if number % 10 == 0 {
                        guard.flush(LONG).unwrap();
                        assert!(capture.messages().contains(&message), "{message}");
                    } else if number % 10 == 5 {
                        logger.flush();
                        assert!(capture.messages().contains(&message), "{message}");
                    }
                }
            });
        }
    });
}

#[test]
fn flush_says_what_is_left_at_its_deadline() {
    let (gate, keeper) = gate();
    let (logger, guard) = logpost::builder().handler(gate).build().unwrap();
    info!(logger: logger, "first");
    info!(logger: logger, "second");
    assert_eq!(guard.flush(Duration::from_millis(10)).unwrap_err().pending(), 2);
    drop(keeper.release);
    guard.flush(LONG).unwrap();
}

#[test]
fn stop_delivers_then_refuses_and_can_be_repeated() {
    let capture = CaptureHandler::new();
    let (logger, guard) = logpost::builder().handler(capture.clone()).build().unwrap();
    info!(logger: logger, "before");
    let stats = guard.stop(LONG);
    assert_eq!((stats.delivered, stats.pending), (1, 0));
    info!(logger: logger, "after");
    let stats = guard.stop(Duration::ZERO);
    assert_eq!((stats.accepted, stats.dropped.closed), (1, 1));
    guard.flush(LONG).unwrap();
    assert_eq!(capture.messages(), ["before"]);
}

#[test]
fn stop_abandons_at_its_deadline_what_a_stuck_handler_left() {
    let (gate, keeper) = gate();
    let (logger, guard) = logpost::builder().handler(gate).build().unwrap();
    for _ in 0..10 {
        info!(logger: logger, "record");
    }
    keeper.arrived.recv_timeout(LONG).unwrap();
    let stats = guard.stop(Duration::from_millis(10));
    assert_eq!((stats.abandoned, stats.pending), (9, 1), "the handler is still at one");
    drop(keeper.release);
    guard.flush(LONG).unwrap();
    let stats = guard.stats();
    assert_eq!((stats.delivered, stats.abandoned, stats.pending), (1, 9, 0));
}

#[test]
fn a_record_racing_with_stop_is_accounted_for() {
    for _ in 0..200 {
        let (logger, guard) = logpost::builder().handler(CaptureHandler::new()).build().unwrap();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        info!(logger: logger, "race");
                    }
                });
            }
            guard.stop(LONG);
        });
        let stats = guard.stats();
        assert_eq!(stats.delivered + stats.dropped.closed, 40, "{stats}");
        assert_eq!(stats.pending, 0, "{stats}");
    }
}

#[test]
fn a_handler_that_panics_loses_only_its_record() {
    struct Panics(CaptureHandler);
    impl Handler for Panics {
        fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
            assert_ne!(records[0].message(), "bad", "on purpose");
            self.0.emit(records)
        }
    }
    let capture = CaptureHandler::new();
    let (tell, told) = mpsc::channel();
    let (logger, guard) = logpost::builder()
        .handler(Panics(capture.clone()))
        .on_error(move |failure| {
            tell.send(failure.error().to_string()).unwrap();
            panic!("on_error panics too");
        })
        .build()
        .unwrap();
    for message in ["good", "bad", "better"] {
        info!(logger: logger, "{message}");
    }
    guard.flush(LONG).unwrap();
    assert_eq!(capture.messages(), ["good", "better"]);
    let stats = guard.stats();
    assert_eq!((stats.delivered, stats.rejected, stats.panics), (2, 1, 2));
    assert!(told.recv_timeout(LONG).unwrap().contains("on purpose"));
}

#[test]
fn each_handler_has_a_queue_and_a_level_of_its_own() {
    let (gate, keeper) = gate();
    let (all, errors) = (CaptureHandler::new(), CaptureHandler::new());
    // Said, since `log::max_level` is the default, which other tests raise.
    let (logger, guard) = logpost::builder()
        .level(log::LevelFilter::Info)
        .handler(gate)
        .handler(all.clone())
        .handler(Pipeline::new(errors.clone()).level(log::LevelFilter::Error))
        .build()
        .unwrap();
    info!(logger: logger, "fine");
    log::error!(logger: logger, "broken");
    log::debug!(logger: logger, "below the logger's level");
    wait_until("the others have theirs", || all.records().len() == 2 && errors.records().len() == 1);
    drop(keeper.release);
    guard.flush(LONG).unwrap();
    assert_eq!(all.messages(), ["fine", "broken"]);
    assert_eq!(errors.messages(), ["broken"]);
}

/// A listener whose logger and guard are gone delivers what it has, and ends.
#[test]
fn nothing_is_left_behind_when_logger_and_guard_are_gone() {
    struct TellsItsEnd(CaptureHandler, mpsc::Sender<usize>);
    impl Handler for TellsItsEnd {
        fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
            self.0.emit(records)
        }
    }
    impl Drop for TellsItsEnd {
        fn drop(&mut self) {
            self.1.send(self.0.records().len()).unwrap();
        }
    }
    let (tell, told) = mpsc::channel();
    let handler = TellsItsEnd(CaptureHandler::new(), tell);
    let (logger, guard) = logpost::builder().flush_timeout(Duration::ZERO).handler(handler).build().unwrap();
    info!(logger: logger, "last words");
    drop(guard);
    drop(logger);
    assert_eq!(told.recv_timeout(LONG).unwrap(), 1);
}

#[test]
fn settings_that_are_wrong_are_errors() {
    let problem = |pipeline: Pipeline| {
        let error = logpost::builder().handler(pipeline).build().unwrap_err();
        (error.setting(), error.to_string())
    };
    let pipeline = || Pipeline::new(CaptureHandler::new());
    assert_eq!(
        problem(pipeline().capacity(0)),
        (Some("capacity"), "capacity: must be from 1 to 8388608 records, but is 0".to_owned())
    );
    assert_eq!(problem(pipeline().capacity(usize::MAX)).0, Some("capacity"));
    assert_eq!(problem(pipeline().capacity_bytes(0)).0, Some("capacity_bytes"));
    assert_eq!(problem(pipeline().capacity_bytes(usize::MAX)).0, Some("capacity_bytes"));
    assert_eq!(logpost::builder().build().unwrap_err().setting(), Some("handler"));
}
