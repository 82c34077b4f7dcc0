//! What a log call costs its caller in allocations: none for a literal message with a static target, none where the text
//! fits into the record, and one for any other. And what a large record costs in memory, and for how long.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use allocation_counter::measure;
use log::{info, warn};
use logpost::{EmitError, Encode, Fields, Form, Guard, Handler, HttpHandler, LogRecord, Logger};
use logpost_test_support::{LONG, Server};

const CALLS: u64 = 1000;

/// Keeps its first record until the test lets go of it, so that the others have to wait in the queue.
struct Gate(Option<mpsc::Receiver<()>>);

impl Handler for Gate {
    fn emit(&mut self, _: &[LogRecord]) -> Result<(), EmitError> {
        if let Some(released) = self.0.take() {
            let _ = released.recv();
        }
        Ok(())
    }
}

/// A logger whose queue has had more records in it than any test here puts into it, and is empty again.
fn warmed_up() -> (Logger, Guard) {
    let (release, released) = mpsc::channel();
    let (logger, guard) =
        logpost::builder().handler(Gate(Some(released))).flush_timeout(Duration::ZERO).build().unwrap();
    for number in 0..16 * CALLS {
        info!(logger: logger, key = number; "warm-up {number}");
    }
    drop(release);
    guard.flush(LONG).unwrap();
    (logger, guard)
}

/// The most allocations that one of many calls made, having been called before, on a thread whose name is no longer than
/// most are: it is a part of the record's text.
fn most(call: impl FnMut() + Send) -> u64 {
    thread::scope(|scope| {
        let worker = thread::Builder::new().name("tokio-runtime-worker".to_owned());
        worker.spawn_scoped(scope, || most_here(call)).unwrap().join().unwrap()
    })
}

/// The same on this thread.
fn most_here(mut call: impl FnMut()) -> u64 {
    call();
    (0..CALLS).map(|_| measure(&mut call).count_total).max().unwrap_or_default()
}

#[test]
fn the_counter_counts() {
    assert_eq!(most(|| drop(std::hint::black_box(Box::new(1)))), 1);
}

#[test]
fn a_literal_message_with_a_static_target_allocates_nothing() {
    let (logger, guard) = warmed_up();
    assert_eq!(most(|| info!(logger: logger, "hello")), 0);
    assert_eq!(most(|| warn!(logger: logger, "a literal with braces {{}} and \u{fc}")), 0);
    assert_eq!(most(|| info!(logger: logger, "")), 0);
    guard.flush(LONG).unwrap();
    assert_eq!(guard.stats().dropped.total(), 0);
}

#[test]
fn a_short_record_allocates_nothing() {
    let (logger, guard) = warmed_up();
    let (number, target) = (17, "app::audit".to_owned());
    assert_eq!(most(|| info!(logger: logger, "request {number} took {} us from 10.0.0.1", 431)), 0);
    assert_eq!(most(|| info!(logger: logger, target: "static", "literal {number}")), 0);
    assert_eq!(most(|| info!(logger: logger, target: &target, "literal")), 0);
    assert_eq!(most(|| info!(logger: logger, order = number; "order {number}")), 0);
    guard.flush(LONG).unwrap();
    assert_eq!(guard.stats().dropped.total(), 0);
}

#[test]
fn any_other_record_allocates_once() {
    let (logger, guard) = warmed_up();
    let (number, text, target) = (17, "text".repeat(100), "app::".repeat(20));
    assert_eq!(most(|| info!(logger: logger, "number {number}, {text:?}")), 1);
    assert_eq!(most(|| info!(logger: logger, "{number:>200}")), 1);
    assert_eq!(most(|| info!(logger: logger, order = number, customer = text.as_str(), ok = true; "literal")), 1);
    assert_eq!(most(|| info!(logger: logger, order = number, name:? = text; "formatted {text}")), 1);
    assert_eq!(most(|| info!(logger: logger, target: &target, "literal")), 1);
    guard.flush(LONG).unwrap();
    assert_eq!(guard.stats().dropped.total(), 0);
}

#[test]
fn a_record_that_goes_nowhere_allocates_nothing() {
    let (logger, guard) = warmed_up();
    let text = "text".to_owned();
    assert_eq!(most(|| log::trace!(logger: logger, key = text.as_str(); "{text}")), 0);
    guard.stop(LONG);
    assert_eq!(most(|| info!(logger: logger, "too late")), 0);
}

#[cfg(feature = "env-filter")]
#[test]
fn directives_allocate_nothing() {
    let (logger, guard) = warmed_up();
    guard.set_filter("info,silent=off,allocations=warn").unwrap();
    assert_eq!(most(|| warn!(logger: logger, "hello")), 0);
    let accepted = guard.stats().accepted;
    assert_eq!(most(|| info!(logger: logger, "hello")), 0);
    let text = "text".to_owned();
    assert_eq!(most(|| info!(logger: logger, target: "silent", key = text.as_str(); "{text}")), 0);
    guard.flush(LONG).unwrap();
    assert_eq!(guard.stats().accepted, accepted);
    assert_eq!(guard.stats().dropped.total(), 0);
}

#[test]
fn every_thread_pays_no_more_than_the_first() {
    let (logger, guard) = warmed_up();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                assert_eq!(most_here(|| info!(logger: logger, "hello")), 0);
                let text = "text".repeat(20);
                assert_eq!(most_here(|| info!(logger: logger, key = 17; "hello {text}")), 1);
            });
        }
    });
    guard.flush(LONG).unwrap();
}

const LARGE: usize = 16 * 1024 * 1024;

/// Not room for the three times as much that it could become.
#[test]
fn encoding_a_large_record_takes_no_more_than_twice_its_size() {
    let mut fields = Fields::new();
    fields.push("msg", "x".repeat(LARGE).as_str());
    let mut body = Vec::new();
    let taken = measure(|| Form.append(&fields, &mut body));
    assert_eq!(body.len(), "msg=".len() + LARGE);
    // A vector that grows is copied to one of twice the size.
    assert!(taken.bytes_max < 7 * LARGE as u64 / 2, "{taken:?}");
    assert!(body.capacity() <= 2 * LARGE, "{}", body.capacity());
}

#[test]
fn a_large_record_s_memory_is_given_back_with_the_next_one() {
    let server = Server::start();
    let text = "x".repeat(LARGE);
    let handler = HttpHandler::builder(server.url()).map_log_record(move |record, fields| {
        fields.push("msg", if record.message() == "large" { &text } else { record.message() });
    });
    let mut handler = handler.build().unwrap();
    let records = |message: &str| [LogRecord::from(&log::Record::builder().args(format_args!("{message}")).build())];
    let (large, small) = (records("large"), records("small"));
    handler.emit(&small).unwrap();
    let kept = measure(|| {
        handler.emit(&large).unwrap();
        handler.emit(&small).unwrap();
    });
    let (most, kept) = (kept.bytes_max, u64::try_from(kept.bytes_current).unwrap_or_default());
    assert!(most > LARGE as u64 && kept < LARGE as u64 / 4, "{kept} of {most}");
}
