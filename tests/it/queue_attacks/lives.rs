//! Starts, stops and flushes, from everywhere and at the wrong moment.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use logpost::{BoundedQueue, CaptureHandler, Overflow, QueueHandler, QueueListener};
use logpost_test_support::LONG;

use super::{Flaky, for_ever, hangs, numbers, say, say_numbers};

const SHORT: Duration = Duration::from_millis(50);

/// Says so where something has waited for its time-out rather than for what it should.
fn in_no_time<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let result = work();
    assert!(began.elapsed() < LONG / 2, "{what} took {:?}", began.elapsed());
    result
}

/// A stop that is overtaken by another thread's start is over all the same, and leaves the new run alone.
#[test]
fn start_and_stop_from_many_threads_lose_nothing_and_never_hang() {
    const TURNS: usize = 1000;
    let queue = BoundedQueue::new();
    let logger = QueueHandler::new(queue.clone());
    let capture = CaptureHandler::new();
    let listener = QueueListener::new(queue).handler(capture.clone());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    if let Err(error) = listener.start() {
                        assert!(error.is_already_started(), "{error}");
                    }
                }
            });
        }
        scope.spawn(|| say_numbers(&logger, 0..TURNS));
        // Nobody else ends a run that this has missed the end of.
        for _ in 0..TURNS {
            in_no_time("a stop", || listener.stop(LONG));
        }
        done.store(true, Ordering::SeqCst);
    });
    listener.stop(LONG);
    in_no_time("the last start", || listener.start().unwrap());
    let stats = listener.stop(LONG);
    assert_eq!(capture.messages(), numbers(0..TURNS));
    assert_eq!((stats.delivered, stats.pending, stats.abandoned, stats.panics), (1000, 0, 0, 0), "{stats}");
}

/// Who waits for a listener that another thread stops learns of it at once, and not at a deadline of its own.
#[test]
fn a_stop_ends_the_flushes_and_stops_of_other_threads() {
    let queue = BoundedQueue::new();
    let logger = QueueHandler::new(queue.clone());
    let (flaky, (tell, told)) = (Flaky::default(), mpsc::channel());
    let listener = QueueListener::new(queue).handler(flaky.clone()).retry(for_ever()).on_error(move |_| {
        let _ = tell.send(());
    });
    listener.start().unwrap();
    say(&logger, "kept");
    told.recv_timeout(LONG).unwrap();
    in_no_time("one of them", || {
        thread::scope(|scope| {
            let flush = scope.spawn(|| listener.flush(LONG));
            told.recv_timeout(LONG).expect("the flush asks for an attempt");
            let stop = scope.spawn(|| listener.stop(LONG));
            told.recv_timeout(LONG).expect("the stop asks for an attempt");
            assert_eq!(listener.stop(SHORT).pending, 1);
            assert_eq!(flush.join().unwrap().unwrap_err().pending(), 1);
            assert_eq!(stop.join().unwrap().pending, 1);
        });
    });
    flaky.up.store(true, Ordering::SeqCst);
    listener.start().unwrap();
    assert_eq!(listener.stop(LONG).delivered, 1);
}

/// Python's raises `queue.Full`, and goes on.
#[test]
fn a_stop_on_a_full_queue_stops() {
    let (sender, receiver) = mpsc::sync_channel(2);
    let logger = QueueHandler::new(sender);
    let (handler, called, release, capture) = hangs();
    let listener = QueueListener::new(receiver).handler(handler);
    listener.start().unwrap();
    say_numbers(&logger, 0..1);
    called.recv_timeout(LONG).unwrap();
    say_numbers(&logger, 1..10);
    assert_eq!(logger.stats().dropped.full, 7, "it is full");
    thread::scope(|scope| {
        let stop = scope.spawn(|| listener.stop(LONG));
        drop(release);
        in_no_time("a stop", || stop.join().unwrap());
    });
    assert_eq!((capture.messages(), listener.is_running()), (numbers(0..3), false));
}

/// Python's left something in the queue that ended the next start at once.
#[test]
fn a_stop_before_the_start_changes_nothing() {
    let queue = BoundedQueue::new();
    let logger = QueueHandler::new(queue.clone());
    let capture = CaptureHandler::new();
    let listener = QueueListener::new(queue).handler(capture.clone());
    say_numbers(&logger, 0..3);
    assert_eq!(in_no_time("a stop", || listener.stop(LONG)).pending, 3);
    listener.start().unwrap();
    assert!(listener.is_running());
    listener.flush(LONG).unwrap();
    assert_eq!((capture.messages(), listener.is_running()), (numbers(0..3), true));
}

#[test]
fn a_stop_during_a_backoff_keeps_the_records_and_their_order() {
    let queue = BoundedQueue::new();
    let logger = QueueHandler::new(queue.clone());
    let (flaky, (tell, told)) = (Flaky::default(), mpsc::channel());
    let listener = QueueListener::new(queue).handler(flaky.clone()).retry(for_ever()).on_error(move |_| {
        let _ = tell.send(());
    });
    for run in 0..5 {
        listener.start().unwrap();
        say(&logger, &run.to_string());
        told.recv_timeout(LONG).unwrap();
        assert_eq!(listener.stop(SHORT).pending, run + 1);
        while told.try_recv().is_ok() {}
    }
    flaky.up.store(true, Ordering::SeqCst);
    listener.start().unwrap();
    listener.stop(LONG);
    assert_eq!(flaky.capture.messages(), numbers(0..5));
}

#[test]
fn a_handler_that_hangs_keeps_the_thread_but_nobody_waits_for_it() {
    let queue = BoundedQueue::new();
    let logger = QueueHandler::new(queue.clone());
    let (handler, called, release, capture) = hangs();
    let listener = QueueListener::new(queue).handler(handler);
    listener.start().unwrap();
    say(&logger, "0");
    say(&logger, "1");
    called.recv_timeout(LONG).unwrap();
    let stats = in_no_time("a stop", || listener.stop(SHORT));
    assert_eq!((stats.pending, listener.is_running()), (2, true), "{stats}");
    assert!(listener.start().unwrap_err().is_already_started());
    assert!(listener.drain().unwrap_err().is_already_started());
    drop(release);
    in_no_time("the end of the run", || while listener.start().is_err() {});
    listener.stop(LONG);
    assert_eq!(capture.messages(), numbers(0..2));
}

/// A handler that flushes its own listener when it fails must not end its own backoff: it would try again without a pause.
#[test]
fn a_flush_on_the_listener_s_own_thread_asks_for_nothing() {
    let queue = BoundedQueue::new();
    let logger = QueueHandler::new(queue.clone());
    let (flaky, (tell, told)) = (Flaky::default(), mpsc::channel());
    let itself = super::Later::<std::sync::Weak<QueueListener>>::default();
    let listener = QueueListener::new(queue).handler(flaky.clone()).retry(for_ever()).on_error({
        let itself = Arc::clone(&itself);
        move |_| {
            let listener = itself.lock().unwrap().clone().and_then(|listener| listener.upgrade());
            let _ = tell.send(listener.map(|listener| listener.flush(LONG).unwrap_err().pending()));
        }
    });
    let listener = Arc::new(listener);
    *itself.lock().unwrap() = Some(Arc::downgrade(&listener));
    listener.start().unwrap();
    say(&logger, "kept");
    assert_eq!(told.recv_timeout(LONG).unwrap(), Some(1));
    // Another attempt for the stop, and there may have been one for its end.
    listener.stop(SHORT);
    let attempts = flaky.attempts.load(Ordering::SeqCst);
    assert!(attempts <= 3, "{attempts}");
}

#[test]
fn a_listener_that_is_stopped_by_its_own_handler_can_be_started_again() {
    let queue = BoundedQueue::new();
    let logger = QueueHandler::new(queue.clone());
    let (itself, capture) = (super::Later::<std::sync::Weak<QueueListener>>::default(), CaptureHandler::new());
    let stop = super::Calls({
        let itself = Arc::clone(&itself);
        move |_: &logpost::LogRecord| {
            let listener = itself.lock().unwrap().clone().and_then(|listener| listener.upgrade()).unwrap();
            in_no_time("a stop in a handler", || listener.stop(LONG));
        }
    });
    let listener = Arc::new(QueueListener::new(queue).handler(stop).handler(capture.clone()));
    *itself.lock().unwrap() = Some(Arc::downgrade(&listener));
    say_numbers(&logger, 0..3);
    for _ in 0..3 {
        in_no_time("the end of the last run", || while listener.start().is_err() {});
        in_no_time("the end of a run", || while listener.is_running() {});
    }
    in_no_time("the rest", || while listener.drain().unwrap().settled > 0 {});
    assert_eq!(capture.messages(), numbers(0..3));
}

/// Eight threads log, and the oldest have to go, while the listener comes and goes.
#[test]
fn drop_oldest_balances_through_stops_and_starts() {
    let queue = BoundedQueue::builder().capacity(8).overflow(Overflow::DropOldest).build().unwrap();
    let logger = QueueHandler::new(queue.clone());
    let capture = CaptureHandler::new();
    let listener = QueueListener::new(queue.clone()).handler(capture.clone()).on_error(|_| {});
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                listener.start().unwrap();
                let stats = listener.stop(LONG);
                assert_eq!(stats.accepted, stats.delivered + stats.pending, "{stats}");
            }
        });
        let loggers = [(); 8].map(|()| scope.spawn(|| say_numbers(&logger, 0..2000)));
        for logger in loggers {
            logger.join().unwrap();
        }
        done.store(true, Ordering::SeqCst);
    });
    listener.drain().unwrap();
    let stats = logger.stats();
    let arrived = capture.records().iter().filter(|record| record.target() != "logpost").count() as u64;
    assert_eq!(
        (stats.accepted + stats.dropped.total(), stats.delivered, stats.pending),
        (16_000, arrived, 0),
        "{stats}"
    );
}
