//! `log::logger().flush()` comes back from wherever it is called, and means what it says.

use std::fmt;
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Barrier, LazyLock, Mutex};
use std::thread;
use std::time::Duration;

use log::info;
use logpost::{EmitError, FlushError, Guard, Handler, HttpHandler, LogRecord};
use logpost_test_support::{LONG, Server};

/// A flush that waits for what never comes shall look like the hang that it is.
const FLUSH_TIMEOUT: Duration = LONG.saturating_add(Duration::from_secs(10));

/// A record's message, and how the flush went that a handler made over it.
type Flushed = (String, Result<(), FlushError>);

/// The process's logger, which all the tests here share.
struct Logging {
    server: Server,
    flushed_in_handler: Arc<Mutex<Vec<Flushed>>>,
    guard: Guard,
}

static LOGGING: LazyLock<Logging> = LazyLock::new(|| {
    let server = Server::start();
    let flushed_in_handler = Arc::default();
    let guard = logpost::builder()
        .handler(HttpHandler::new(server.url()).unwrap())
        .handler(Flushing(Arc::clone(&flushed_in_handler)))
        .flush_timeout(FLUSH_TIMEOUT)
        .init()
        .unwrap();
    Logging { server, flushed_in_handler, guard }
});

impl Logging {
    /// How many requests there were for records with messages that begin like this.
    fn received(&self, beginning: &str) -> usize {
        let messages = self.server.messages();
        messages.iter().filter(|message| message.starts_with(beginning)).count()
    }
}

/// Flushes for every record that it is given, by all the ways that there are.
struct Flushing(Arc<Mutex<Vec<Flushed>>>);

impl Handler for Flushing {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        for record in records {
            log::logger().flush();
            let result = logpost::flush(FLUSH_TIMEOUT);
            self.0.lock().unwrap().push((record.message().to_owned(), result));
        }
        Ok(())
    }
}

/// Runs `work` with the logger installed, and fails if it does not come to an end.
fn without_hanging(work: impl FnOnce() + Send + 'static) {
    LazyLock::force(&LOGGING);
    let (done, finished) = mpsc::channel();
    let worker = thread::spawn(move || {
        work();
        done.send(()).unwrap();
    });
    match finished.recv_timeout(LONG) {
        Ok(()) => {}
        Err(RecvTimeoutError::Timeout) => panic!("it hangs"),
        Err(RecvTimeoutError::Disconnected) => panic::resume_unwind(worker.join().unwrap_err()),
    }
}

#[test]
fn flushes_at_once_and_amid_logging_return_with_all_before_them_delivered() {
    const FLUSHING: usize = 8;
    const LOGGING_ON: usize = 4;
    const ROUNDS: usize = 5;
    const RECORDS: usize = 100;
    without_hanging(|| {
        let start = Barrier::new(FLUSHING + LOGGING_ON);
        thread::scope(|scope| {
            for thread in 0..FLUSHING {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    for round in 0..ROUNDS {
                        let message = format!("flush {thread}.{round}.");
                        info!("{message}");
                        log::logger().flush();
                        assert_eq!(LOGGING.received(&message), 1, "{message}");
                    }
                });
            }
            for _ in 0..LOGGING_ON {
                scope.spawn(|| {
                    start.wait();
                    for number in 0..RECORDS {
                        info!("meanwhile {number}");
                    }
                });
            }
        });
        log::logger().flush();
        assert_eq!(LOGGING.received("flush "), FLUSHING * ROUNDS);
        assert_eq!(LOGGING.received("meanwhile "), LOGGING_ON * RECORDS);
    });
}

#[test]
fn flush_inside_a_handler_does_not_wait_for_the_handler() {
    without_hanging(|| {
        info!("to a handler that flushes");
        log::logger().flush();
        let flushed = LOGGING.flushed_in_handler.lock().unwrap();
        let results: Vec<_> = flushed.iter().filter(|(message, _)| message == "to a handler that flushes").collect();
        assert_eq!(results.len(), 1);
        let error = results[0].1.unwrap_err();
        assert!(error.pending() >= 1, "the handler's own record is pending: {error}");
    });
}

#[test]
fn a_guard_flushes_as_the_logger_does() {
    without_hanging(|| {
        info!("flushed by the guard");
        LOGGING.guard.flush(FLUSH_TIMEOUT).unwrap();
        assert_eq!(LOGGING.received("flushed by the guard"), 1);
        assert_eq!(logpost::stats().unwrap().dropped.total(), 0);
    });
}

/// Writes `outer <name>`, and runs a function on the way.
struct OnTheWay(&'static str, fn());

impl fmt::Display for OnTheWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(name, on_the_way) = self;
        f.write_str("outer ")?;
        on_the_way();
        f.write_str(name)
    }
}

#[test]
fn flush_inside_display_does_not_wait_for_the_record_being_made() {
    without_hanging(|| {
        info!("{}", OnTheWay("flushes", || log::logger().flush()));
        log::logger().flush();
        assert_eq!(LOGGING.received("outer flushes"), 1);
    });
}

#[test]
fn log_inside_display() {
    static INNER: AtomicUsize = AtomicUsize::new(0);

    without_hanging(|| {
        let log = || {
            INNER.fetch_add(1, Ordering::SeqCst);
            info!("inner of logs");
        };
        info!("{}", OnTheWay("logs", log));
        log::logger().flush();
        assert_eq!(LOGGING.received("outer logs"), 1);
        assert!(INNER.load(Ordering::SeqCst) >= 1);
        assert_eq!(LOGGING.received("inner of logs"), INNER.load(Ordering::SeqCst));
    });
}

#[test]
fn log_and_flush_inside_display_inside_display() {
    static INNERMOST: AtomicUsize = AtomicUsize::new(0);

    fn innermost() {
        let count = INNERMOST.fetch_add(1, Ordering::SeqCst) + 1;
        info!("innermost");
        log::logger().flush();
        assert_eq!(LOGGING.received("innermost"), count);
    }

    without_hanging(|| {
        let middle = || info!("{}", OnTheWay("middle", innermost));
        info!("{}", OnTheWay("outermost", middle));
        assert!(INNERMOST.load(Ordering::SeqCst) >= 1);
        log::logger().flush();
        assert_eq!(LOGGING.received("outer outermost"), 1);
        assert!(LOGGING.received("outer middle") >= 1);
    });
}
