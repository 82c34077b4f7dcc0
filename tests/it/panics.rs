//! Panics in code of the user's, and log calls from where one would not expect any.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::fs;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo, panic_any};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use log::{Log, info};
use logpost::{
    Action, Batch, CaptureHandler, EmitError, Guard, Handler, HttpHandler, LogRecord, Logger, Pipeline, Retry,
};
use logpost_test_support::{LONG, Server};

/// A handler that hands the first record of each batch to a function, and captures the batch if that comes back.
struct Calls<F>(CaptureHandler, F);

impl<F: FnMut(&str) -> Result<(), EmitError> + Send> Handler for Calls<F> {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        (self.1)(records[0].message())?;
        self.0.emit(records)
    }
}

fn calls(
    function: impl FnMut(&str) -> Result<(), EmitError> + Send + 'static,
    on_error: impl Fn(Action) + Send + Sync + 'static,
) -> (Logger, Guard, CaptureHandler) {
    let capture = CaptureHandler::new();
    let retry = Retry::default().first_delay(Duration::from_millis(1)).max_delay(Duration::from_millis(5));
    let (logger, guard) = logpost::builder()
        .handler(Pipeline::new(Calls(capture.clone(), function)).retry(retry))
        .on_error(move |failure| on_error(failure.action()))
        .build()
        .unwrap();
    (logger, guard, capture)
}

fn log_three(logger: &Logger, guard: &Guard) {
    for message in ["good", "bad", "better"] {
        info!(logger: logger, "{message}");
    }
    guard.flush(LONG).unwrap();
}

#[test]
fn a_mapper_that_panics_loses_only_its_record() {
    let server = Server::start();
    let handler = HttpHandler::builder(server.url()).map_log_record(|record, fields| {
        assert_ne!(record.message(), "bad", "on purpose");
        fields.push("msg", record.message());
    });
    let (tell, told) = mpsc::channel();
    let (logger, guard) = logpost::builder()
        .handler(handler.build().unwrap())
        .on_error(move |failure| tell.send((failure.action(), failure.error().to_string())).unwrap())
        .build()
        .unwrap();
    log_three(&logger, &guard);
    assert_eq!(server.messages(), ["good", "better"]);
    let (action, text) = told.recv_timeout(LONG).unwrap();
    assert_eq!(action, Action::Reject);
    assert!(text.contains("on purpose"), "{text}");
    let stats = guard.stats();
    assert_eq!((stats.delivered, stats.rejected, stats.panics), (2, 1, 1), "{stats}");
}

#[test]
fn a_handler_that_panics_in_a_batch_loses_only_the_guilty_record() {
    struct Batches(CaptureHandler);
    impl Handler for Batches {
        fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
            assert!(records.iter().all(|record| record.message() != "50"), "on purpose");
            self.0.emit(records)
        }
        fn batch(&self) -> Batch {
            Batch::single().max_records(100)
        }
    }
    let capture = CaptureHandler::new();
    let (logger, guard) = logpost::builder().handler(Batches(capture.clone())).on_error(|_| {}).build().unwrap();
    for number in 0..100 {
        info!(logger: logger, "{number}");
    }
    guard.flush(LONG).unwrap();
    let expected: Vec<_> = (0..100).filter(|number| *number != 50).map(|number| number.to_string()).collect();
    assert_eq!(capture.messages(), expected);
    let stats = guard.stats();
    assert_eq!((stats.rejected, stats.delivered), (1, 99), "{stats}");
    assert!((1..=8).contains(&stats.panics), "{stats}");
}

#[test]
fn an_on_error_that_panics_loses_nothing() {
    let mut failures = 3;
    let fails = move |_: &str| {
        if failures == 0 {
            return Ok(());
        }
        failures -= 1;
        Err(EmitError::transient("down"))
    };
    let (logger, guard, capture) = calls(fails, |action| panic!("on purpose, at {action:?}"));
    log_three(&logger, &guard);
    assert_eq!(capture.messages(), ["good", "bad", "better"]);
    let stats = guard.stats();
    assert_eq!((stats.delivered, stats.panics, stats.pending), (3, 3, 0), "{stats}");
}

/// An error that panics when somebody wants to know what it is.
#[derive(Debug)]
struct Unspeakable;

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("on purpose, in Display");
    }
}

impl std::error::Error for Unspeakable {}

#[test]
fn an_error_that_panics_when_shown_keeps_its_record_or_rejects_it() {
    for (refuses, delivered) in [(false, 3), (true, 2)] {
        let mut fails_once = true;
        let fails = move |message: &str| match message {
            "bad" if refuses => Err(EmitError::payload(Unspeakable)),
            "bad" if std::mem::take(&mut fails_once) => Err(EmitError::transient(Unspeakable)),
            _ => Ok(()),
        };
        let (logger, guard, capture) = calls(fails, |_| {});
        log_three(&logger, &guard);
        assert_eq!(capture.messages().len(), delivered);
        let stats = guard.stats();
        assert_eq!((stats.delivered, stats.rejected), (delivered as u64, 3 - delivered as u64), "{stats}");
        assert_eq!((stats.panics, stats.pending), (1, 0), "{stats}");
    }
}

/// Panics when it is dropped: as the payload of a panic, or in an error.
#[derive(Debug)]
struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        panic!("on purpose, in drop");
    }
}

impl fmt::Display for Grenade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a grenade")
    }
}

impl std::error::Error for Grenade {}

#[test]
fn a_panic_of_any_payload_is_caught_in_a_handler() {
    let mut panics = 0;
    let fails = move |message: &str| {
        if message == "bad" {
            panics += 1;
            panic_any(panics);
        }
        Ok(())
    };
    let (logger, guard, capture) = calls(fails, |_| {});
    log_three(&logger, &guard);
    assert_eq!(capture.messages(), ["good", "better"]);
    assert_eq!(guard.stats().panics, 1);
}

#[test]
fn a_payload_that_panics_when_dropped_does_not_end_the_listener() {
    let fails = |message: &str| {
        if message == "bad" {
            panic_any(Grenade);
        }
        Ok(())
    };
    let (logger, guard, capture) = calls(fails, |_| panic_any(Grenade));
    log_three(&logger, &guard);
    assert_eq!(capture.messages(), ["good", "better"]);
    let stats = guard.stats();
    assert_eq!((stats.delivered, stats.rejected, stats.pending), (2, 1, 0), "{stats}");
    assert!(stats.panics >= 2, "the handler's and that of on_error: {stats}");
}

#[test]
fn an_error_that_panics_when_dropped_does_not_end_the_listener() {
    let fails = |message: &str| if message == "bad" { Err(EmitError::payload(Grenade)) } else { Ok(()) };
    let (logger, guard, capture) = calls(fails, |_| {});
    log_three(&logger, &guard);
    assert_eq!(capture.messages(), ["good", "better"]);
    let stats = guard.stats();
    assert_eq!((stats.delivered, stats.rejected, stats.pending), (2, 1, 0), "{stats}");
}

/// `Duration::MAX` is how one says "never" of a delay, and no clock reaches that far.
#[test]
fn a_delay_that_no_clock_reaches_does_not_end_the_listener() {
    let capture = CaptureHandler::new();
    let mut failures = 10;
    let fails = move |_: &str| {
        if failures == 0 {
            return Ok(());
        }
        failures -= 1;
        Err(EmitError::transient("down"))
    };
    let retry = Retry::default().first_delay(Duration::MAX).max_delay(Duration::MAX);
    let (tell, told) = mpsc::channel();
    let (logger, guard) = logpost::builder()
        .handler(Pipeline::new(Calls(capture.clone(), fails)).retry(retry))
        .on_error(move |_| tell.send(()).unwrap())
        .build()
        .unwrap();
    info!(logger: logger, "patient");
    for _ in 0..10 {
        told.recv_timeout(LONG).expect("one more failure");
        let _ = guard.flush(Duration::ZERO);
    }
    guard.flush(LONG).unwrap();
    assert_eq!(capture.messages(), ["patient"]);
}

/// Logs when it is shown, then shows itself, or panics.
struct LogsWhenShown<'a>(&'a Logger, bool);

impl fmt::Display for LogsWhenShown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(logger, panics) = *self;
        info!(logger: logger, "inner");
        logger.flush();
        assert!(!panics, "on purpose, in Display");
        f.write_str("outer")
    }
}

#[test]
fn log_and_flush_inside_display() {
    let (logger, guard, capture) = calls(|_| Ok(()), |_| {});
    info!(logger: logger, "{}", LogsWhenShown(&logger, false));
    guard.flush(LONG).unwrap();
    let messages = capture.messages();
    assert!(messages.len() >= 2 && messages.last().unwrap() == "outer", "{messages:?}");
    assert!(messages[..messages.len() - 1].iter().all(|message| message == "inner"), "{messages:?}");
}

#[test]
fn a_display_that_panics_is_its_caller_s_and_harms_nobody_else() {
    let (logger, guard, capture) = calls(|_| Ok(()), |_| {});
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
        info!(logger: logger, "{}", LogsWhenShown(&logger, true));
    }));
    assert!(outcome.is_err());
    info!(logger: logger, "after");
    guard.flush(LONG).unwrap();
    let messages = capture.messages();
    assert!(messages.contains(&"inner".to_owned()) && messages.contains(&"after".to_owned()), "{messages:?}");
    assert!(!messages.contains(&"outer".to_owned()), "{messages:?}");
    let stats = guard.stats();
    assert_eq!((stats.accepted, stats.pending), (messages.len() as u64, 0), "{stats}");
}

/// The hook is the whole process's, and the tests run at once: each adds to what there is.
fn add_hook(hook: impl Fn(&PanicHookInfo<'_>) + Send + Sync + 'static) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        before(info);
        hook(info);
    }));
}

#[test]
fn log_and_flush_in_a_panic_hook() {
    const THREAD: &str = "panics with a hook that logs";
    let (logger, guard, capture) = calls(|_| Ok(()), |_| {});
    let (logger, called) = (Arc::new(logger), Arc::new(AtomicBool::new(false)));
    let (hook_logger, hook_called) = (Arc::downgrade(&logger), Arc::clone(&called));
    add_hook(move |info| {
        if thread::current().name() != Some(THREAD) {
            return;
        }
        if let Some(logger) = hook_logger.upgrade() {
            info!(logger: logger, "{info}");
            logger.flush();
            hook_called.store(true, Ordering::SeqCst);
        }
    });
    let thread = thread::Builder::new().name(THREAD.to_owned());
    let outcome = thread.spawn(|| panic!("worth a record")).unwrap().join();
    assert!(outcome.is_err() && called.load(Ordering::SeqCst));
    let messages = capture.messages();
    assert!(messages.len() == 1 && messages[0].contains("worth a record"), "{messages:?}");
    assert_eq!((guard.stats().delivered, guard.stats().pending), (1, 0));
}

/// The listener's thread panics too, with a hook that logs and flushes: it must not wait for itself.
#[test]
fn log_and_flush_in_a_panic_hook_on_the_listener_s_thread() {
    static LOGGER: Mutex<Option<Arc<Logger>>> = Mutex::new(None);
    thread_local!(static HOOKED: Cell<bool> = const { Cell::new(false) });
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    add_hook(move |info| {
        if !HOOKED.try_with(Cell::get).unwrap_or(false) {
            return;
        }
        let logger = LOGGER.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(logger) = logger {
            info!(logger: logger, "{info}");
            logger.flush();
            let _ = tell.lock().unwrap_or_else(PoisonError::into_inner).send(());
        }
    });
    let fails = |message: &str| {
        HOOKED.set(true);
        assert_ne!(message, "bad", "on purpose");
        Ok(())
    };
    let (logger, guard, capture) = calls(fails, |_| {});
    let logger = Arc::new(logger);
    *LOGGER.lock().unwrap() = Some(Arc::clone(&logger));
    log_three(&logger, &guard);
    told.recv_timeout(LONG).unwrap();
    LOGGER.lock().unwrap().take();
    assert_eq!(capture.messages(), ["good", "better"], "what a listener's thread logs is ignored");
    assert_eq!(guard.stats().panics, 1);
}

#[test]
fn log_and_flush_in_a_thread_local_destructor() {
    struct LastWords(Arc<Logger>);
    impl Drop for LastWords {
        fn drop(&mut self) {
            info!(logger: self.0, "last words");
            self.0.flush();
        }
    }
    thread_local!(static LAST_WORDS: RefCell<Option<LastWords>> = const { RefCell::new(None) });
    let (logger, guard, capture) = calls(|_| Ok(()), |_| {});
    let logger = Arc::new(logger);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let logger = Arc::clone(&logger);
            thread::spawn(move || {
                // Made before any of the logger's own on this thread, so destroyed after them.
                LAST_WORDS.with(|words| *words.borrow_mut() = Some(LastWords(Arc::clone(&logger))));
                info!(logger: logger, "first words");
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    guard.flush(LONG).unwrap();
    let messages = capture.messages();
    let count = |words: &str| messages.iter().filter(|message| *message == words).count();
    assert_eq!((count("first words"), count("last words")), (8, 8), "{messages:?}");
}

/// A system clock that is stepped, by NTP or by hand, must not move a delay or a deadline: those are `Instant`s. The
/// system's clock only dates things, and is what a record's age is by, as documented.
#[test]
fn the_system_s_clock_decides_no_delay_but_a_record_s_age() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut uses = Vec::new();
    for folder in ["fields", "http", "listener", "queue", "record", "."] {
        for entry in fs::read_dir(source.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let file = path.strip_prefix(&source).unwrap().to_string_lossy().trim_start_matches("./").to_owned();
            uses.extend(code.matches("SystemTime::now").map(|_| file.clone()));
        }
    }
    uses.sort();
    // A failure and a record are dated; Retry-After may be a date; an age is by records' dates; and
    // a random number is made of everything at hand.
    let documented = ["http/client.rs", "ledger.rs", "listener/retry.rs", "random.rs", "wall_clock.rs"];
    assert_eq!(uses, documented);
}
