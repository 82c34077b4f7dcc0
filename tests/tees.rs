//! Other loggers, called in place. In a process of their own, as they raise its level.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, ThreadId};
use std::time::Duration;

use log::{Level, LevelFilter, Log, Metadata, Record, debug, info, log_enabled, trace, warn};
use logpost::{CaptureHandler, EmitError, Handler, LogRecord, Logger, Pipeline};
use logpost_test_support::LONG;

/// What a tee was called for, with the thread it was called on.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<(String, ThreadId)>>>);

impl Seen {
    fn push(&self, what: &dyn ToString) {
        self.0.lock().unwrap().push((what.to_string(), thread::current().id()));
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(what, _)| what.clone()).collect()
    }
}

impl Log for Seen {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() != "unwanted"
    }

    fn log(&self, record: &Record<'_>) {
        self.push(&record.args());
    }

    fn flush(&self) {
        self.push(&"flush");
    }
}

/// A tee that does as it is told with each record, and with each flush.
struct Does<L, F>(L, F);

impl<L: Fn(&Record<'_>) + Send + Sync, F: Fn() + Send + Sync> Log for Does<L, F> {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.0(record);
    }

    fn flush(&self) {
        self.1();
    }
}

#[test]
fn a_tee_gets_on_the_caller_s_thread_what_passes_the_logger_s_own_level() {
    let (seen, capture) = (Seen::default(), CaptureHandler::new());
    let (logger, guard) = logpost::builder()
        .level(LevelFilter::Debug)
        .handler(Pipeline::new(capture.clone()).level(LevelFilter::Warn))
        .tee(seen.clone())
        .build()
        .unwrap();
    assert!(log::max_level() >= LevelFilter::Debug, "the tee's share");
    warn!(logger: logger, "for both");
    debug!(logger: logger, "for the tee");
    trace!(logger: logger, "for nobody");
    assert_eq!(seen.all(), ["for both", "for the tee"]);
    assert!(seen.0.lock().unwrap().iter().all(|(_, thread)| *thread == thread::current().id()));
    guard.flush(LONG).unwrap();
    assert_eq!(capture.messages(), ["for both"]);
    assert!(log_enabled!(logger: logger, Level::Debug));
    assert!(!log_enabled!(logger: logger, target: "unwanted", Level::Debug));
    assert!(log_enabled!(logger: logger, target: "unwanted", Level::Warn));
}

#[cfg(feature = "env-filter")]
#[test]
fn a_tee_gets_what_passes_the_logger_s_own_filter() {
    let (seen, capture) = (Seen::default(), CaptureHandler::new());
    let (logger, guard) = logpost::builder()
        .filter("off,my_app=debug/needle")
        .handler(Pipeline::new(capture.clone()).level(LevelFilter::Error))
        .tee(seen.clone())
        .build()
        .unwrap();
    debug!(logger: logger, target: "my_app", "a needle");
    debug!(logger: logger, target: "my_app", "hay");
    warn!(logger: logger, target: "other", "a needle");
    guard.set_filter("other=warn").unwrap();
    debug!(logger: logger, target: "my_app", "another needle");
    warn!(logger: logger, target: "other", "hay");
    assert_eq!(seen.all(), ["a needle", "hay"]);
    guard.flush(LONG).unwrap();
    assert_eq!(capture.messages(), [""; 0]);
}

#[test]
fn every_flush_flushes_the_tees_and_a_stop_leaves_them_be() {
    let (seen, other) = (Seen::default(), Seen::default());
    let builder = logpost::builder().handler(CaptureHandler::new()).tee(seen.clone()).tee(other.clone());
    let (logger, guard) = builder.build().unwrap();
    info!(logger: logger, "1");
    guard.flush(LONG).unwrap();
    info!(logger: logger, "2");
    logger.flush();
    guard.stop(LONG);
    info!(logger: logger, "3");
    drop(guard);
    assert_eq!(seen.all(), ["1", "flush", "2", "flush", "3", "flush"]);
    assert_eq!(other.all(), seen.all());
}

#[test]
fn a_tee_that_logs_and_flushes_itself_comes_to_an_end() {
    static LOGGER: OnceLock<Logger> = OnceLock::new();
    let (seen, capture) = (Seen::default(), CaptureHandler::new());
    let logs = |record: &Record<'_>| {
        let logger = LOGGER.get().unwrap();
        info!(logger: logger, "about {}", record.args());
        logger.flush();
    };
    let flushes = || LOGGER.get().unwrap().flush();
    let tees = logpost::builder().handler(capture.clone()).tee(Does(logs, flushes)).tee(seen.clone());
    let (logger, guard) = tees.build().unwrap();
    let logger = LOGGER.get_or_init(|| logger);
    info!(logger: logger, "1");
    info!(logger: logger, "2");
    guard.flush(LONG).unwrap();
    assert_eq!(capture.messages(), ["1", "about 1", "2", "about 2"]);
    assert_eq!(seen.all(), ["1", "2", "flush"]);
}

#[test]
fn a_tee_may_be_a_logger_of_ours_with_tees_of_its_own() {
    let (seen, inner, outer) = (Seen::default(), CaptureHandler::new(), CaptureHandler::new());
    let (logger, inner_guard) = logpost::builder().handler(inner.clone()).tee(seen.clone()).build().unwrap();
    let (logger, guard) = logpost::builder().handler(outer.clone()).tee(logger).build().unwrap();
    info!(logger: logger, "through both");
    guard.flush(LONG).unwrap();
    inner_guard.flush(LONG).unwrap();
    assert_eq!((outer.messages(), inner.messages()), (vec!["through both".into()], vec!["through both".into()]));
    assert_eq!(seen.all(), ["through both", "flush", "flush"]);
}

#[test]
fn a_tee_that_panics_takes_the_record_from_nobody() {
    static PANICS: AtomicU32 = AtomicU32::new(0);
    fn panics() {
        let number = PANICS.fetch_add(1, Ordering::SeqCst) + 1;
        panic!("on purpose: {number}");
    }
    let (seen, capture) = (Seen::default(), CaptureHandler::new());
    let (logger, guard) = logpost::builder()
        .handler(capture.clone())
        .tee(Does(|_: &Record<'_>| panics(), panics))
        .tee(Does(|_: &Record<'_>| panics(), || {}))
        .tee(seen.clone())
        .build()
        .unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| info!(logger: logger, "logged"))).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "on purpose: 1", "the first one's is the caller's");
    assert_eq!(PANICS.load(Ordering::SeqCst), 2);
    catch_unwind(AssertUnwindSafe(|| guard.flush(LONG))).unwrap_err();
    assert_eq!((capture.messages(), seen.all()), (vec!["logged".into()], vec!["logged".into(), "flush".into()]));
    // Not out of a destructor.
    drop(guard);
    assert_eq!(seen.all(), ["logged", "flush", "flush"]);
    let _ = catch_unwind(AssertUnwindSafe(|| info!(logger: logger, "again")));
    assert_eq!(seen.all().last().unwrap(), "again", "a panic leaves no tee switched off");
}

/// A handler may log, as HTTP clients do, secrets included.
#[test]
fn what_a_listener_s_thread_logs_and_flushes_does_not_come_to_a_tee() {
    static LOGGER: OnceLock<Logger> = OnceLock::new();
    struct Logs;
    impl Handler for Logs {
        fn emit(&mut self, _: &[LogRecord]) -> Result<(), EmitError> {
            let logger = LOGGER.get().unwrap();
            info!(logger: logger, "Authorization: secret");
            logger.flush();
            Ok(())
        }
    }
    let seen = Seen::default();
    let (logger, guard) = logpost::builder().handler(Logs).tee(seen.clone()).build().unwrap();
    let logger = LOGGER.get_or_init(|| logger);
    info!(logger: logger, "the caller's");
    guard.flush(LONG).unwrap();
    assert_eq!(seen.all(), ["the caller's", "flush"]);
}

#[test]
fn a_tee_is_called_while_a_thread_s_locals_are_destroyed() {
    static LOGGER: OnceLock<Logger> = OnceLock::new();
    struct LastWords;
    impl Drop for LastWords {
        fn drop(&mut self) {
            info!(logger: LOGGER.get().unwrap(), "last words");
        }
    }
    thread_local!(static LAST_WORDS: Cell<Option<LastWords>> = const { Cell::new(None) });
    let (seen, capture) = (Seen::default(), CaptureHandler::new());
    let (logger, guard) = logpost::builder().handler(capture.clone()).tee(seen.clone()).build().unwrap();
    let logger = LOGGER.get_or_init(|| logger);
    thread::spawn(move || {
        LAST_WORDS.set(Some(LastWords));
        info!(logger: logger, "first words");
    })
    .join()
    .unwrap();
    assert_eq!(seen.all(), ["first words", "last words"]);
    guard.flush(LONG).unwrap();
    assert_eq!(capture.messages(), ["first words", "last words"]);
}

/// A tee that hangs in its flush holds up the caller, and nothing else; the queues are flushed before it is asked.
#[test]
fn the_queues_are_flushed_before_the_tees() {
    let capture = CaptureHandler::new();
    let (at_flush, delivered) = (capture.clone(), Arc::new(AtomicU32::new(0)));
    let count = Arc::clone(&delivered);
    let flushes = move || count.store(u32::try_from(at_flush.messages().len()).unwrap(), Ordering::SeqCst);
    let (logger, guard) = logpost::builder()
        .flush_timeout(Duration::ZERO)
        .handler(capture)
        .tee(Does(|_: &Record<'_>| {}, flushes))
        .build()
        .unwrap();
    info!(logger: logger, "one");
    info!(logger: logger, "two");
    guard.flush(LONG).unwrap();
    assert_eq!(delivered.load(Ordering::SeqCst), 2);
}
