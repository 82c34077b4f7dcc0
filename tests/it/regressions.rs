//! What a hostile review found, and what must not come back.

use std::fmt;
use std::panic::panic_any;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use log::{Log, info};
use logpost::{
    Action, Cancel, CaptureHandler, EmitError, Guard, Handler, HttpHandler, LogRecord, Logger, Pipeline, Retry,
};
use logpost_test_support::{Answer, LONG, Plan, Server, wait_until};

/// A backoff that nobody waits out.
const FOR_EVER: Duration = Duration::from_secs(10_000 * 24 * 60 * 60);

/// A handler that is a function.
struct Calls<F>(F);

impl<F: FnMut(&[LogRecord]) -> Result<(), EmitError> + Send> Handler for Calls<F> {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        (self.0)(records)
    }
}

fn calls(emit: impl FnMut(&[LogRecord]) -> Result<(), EmitError> + Send + 'static) -> Pipeline {
    Pipeline::new(Calls(emit))
}

/// A failed attempt is made again only when somebody asks for it.
fn on_request() -> Retry {
    Retry::default().first_delay(FOR_EVER).max_delay(FOR_EVER)
}

fn quick() -> Retry {
    Retry::default().first_delay(Duration::from_millis(1)).max_delay(Duration::from_millis(5))
}

/// What the test has put there, or is about to.
fn given<T>(slot: &OnceLock<T>) -> &T {
    wait_until("there is a guard", || slot.get().is_some());
    slot.get().expect("just seen")
}

/// One attempt was made, and each flush from outside is one more: nothing else ends the backoff.
fn assert_one_attempt_a_flush(logger: &Logger, guard: &Guard, told: &Receiver<()>) {
    for attempts in 1..=10 {
        told.recv_timeout(LONG).expect("a failure to be told of");
        let stats = guard.stats();
        assert_eq!((stats.attempts, stats.pending), (attempts, 1), "{stats}");
        logger.flush();
    }
    told.recv_timeout(LONG).expect("a failure to be told of");
    assert!(told.try_recv().is_err(), "{}", guard.stats());
    guard.stop(Duration::ZERO);
}

/// Otherwise each attempt would ask for the next one, and an outage would keep a processor busy.
#[test]
fn an_on_error_that_flushes_does_not_end_its_own_backoff() {
    let slot = Arc::new(OnceLock::<Arc<Guard>>::new());
    let (tell, told) = mpsc::channel();
    let guard = Arc::clone(&slot);
    let (logger, outer) = logpost::builder()
        .flush_timeout(Duration::ZERO)
        .handler(calls(|_| Err(EmitError::endpoint("401"))).retry(on_request()))
        .on_error(move |_| {
            given(&guard).flush(LONG).unwrap_err();
            // The test may be over.
            let _ = tell.send(());
        })
        .build()
        .unwrap();
    let guard = slot.get_or_init(|| Arc::new(outer));
    info!(logger: logger, "kept");
    assert_one_attempt_a_flush(&logger, guard, &told);
}

#[test]
fn a_handler_that_flushes_does_not_end_its_own_backoff() {
    let slot = Arc::new(OnceLock::<Arc<(Logger, Guard)>>::new());
    let (tell, told) = mpsc::channel();
    let own = Arc::clone(&slot);
    let emit = move |_: &[LogRecord]| {
        let (logger, guard) = &**given(&own);
        guard.flush(LONG).unwrap_err();
        logger.flush();
        Err(EmitError::transient("down"))
    };
    let built = logpost::builder()
        .flush_timeout(Duration::ZERO)
        .handler(calls(emit).retry(on_request()))
        .on_error(move |_| tell.send(()).unwrap_or_default())
        .build()
        .unwrap();
    let (logger, guard) = &**slot.get_or_init(|| Arc::new(built));
    info!(logger: logger, "kept");
    assert_one_attempt_a_flush(logger, guard, &told);
}

/// Its flush would wait for the very thread that it is on.
#[test]
fn a_guard_dropped_in_a_handler_neither_waits_nor_ends_the_backoff() {
    let (give, taken) = mpsc::channel::<Guard>();
    let (tell, told) = mpsc::channel();
    let mut waiting = Some(taken);
    let emit = move |_: &[LogRecord]| {
        if let Some(taken) = waiting.take() {
            drop(taken.recv_timeout(LONG).unwrap());
        }
        Err(EmitError::transient("down"))
    };
    let (logger, guard) = logpost::builder()
        .flush_timeout(LONG)
        .handler(calls(emit).retry(on_request()))
        .on_error(move |failure| tell.send(failure.pending()).unwrap_or_default())
        .build()
        .unwrap();
    info!(logger: logger, "kept");
    let began = Instant::now();
    give.send(guard).unwrap();
    assert_eq!(told.recv_timeout(LONG).unwrap(), 1);
    assert!(began.elapsed() < LONG / 2, "the drop waited");
    // A second record's way to the handler would be an attempt, so would any retry: there is none.
    info!(logger: logger, "behind it");
    assert!(told.try_recv().is_err());
}

/// A health check that polls with short flushes must not use up the time of the flush at the end of the program.
#[test]
fn flushes_in_vain_take_nothing_from_the_flush_at_drop() {
    const TIMEOUT: Duration = Duration::from_secs(2);
    let up = Arc::new(AtomicBool::new(false));
    let is_up = Arc::clone(&up);
    let mut capture = CaptureHandler::new();
    let captured = capture.clone();
    let emit = move |records: &[LogRecord]| {
        if is_up.load(Ordering::SeqCst) { capture.emit(records) } else { Err(EmitError::transient("down")) }
    };
    let (logger, guard) = logpost::builder()
        .flush_timeout(TIMEOUT)
        .handler(calls(emit).retry(on_request()))
        .on_error(|_| {})
        .build()
        .unwrap();
    info!(logger: logger, "while down");
    for _ in 0..10 {
        guard.flush(TIMEOUT / 10).unwrap_err();
    }
    up.store(true, Ordering::SeqCst);
    info!(logger: logger, "after recovery");
    drop(guard);
    assert_eq!(captured.messages(), ["while down", "after recovery"]);
}

/// On a listener's thread a stop can't wait; but it must not take that for the end of its time-out either.
#[test]
fn a_stop_in_a_handler_delivers_what_was_accepted() {
    let slot = Arc::new(OnceLock::<Arc<Guard>>::new());
    let guard = Arc::clone(&slot);
    let (first, second) = (CaptureHandler::new(), CaptureHandler::new());
    let mut capture = first.clone();
    let stops = move |records: &[LogRecord]| {
        given(&guard).stop(LONG);
        capture.emit(records)
    };
    let (logger, guard) =
        logpost::builder().flush_timeout(Duration::ZERO).handler(calls(stops)).handler(second.clone()).build().unwrap();
    for number in 0..10 {
        info!(logger: logger, "{number}");
    }
    // Only now can the handler go on.
    let guard = slot.get_or_init(|| Arc::new(guard));
    wait_until("all is delivered", || guard.stats().pending == 0);
    let stats = guard.stats();
    assert_eq!((stats.accepted, stats.delivered, stats.abandoned), (20, 20, 0), "{stats}");
    assert_eq!(first.messages(), second.messages());
    info!(logger: logger, "too late");
    assert_eq!(guard.stop(LONG).dropped.closed, 2);
}

#[test]
fn a_stop_in_on_error_delivers_what_was_accepted() {
    let slot = Arc::new(OnceLock::<Arc<Guard>>::new());
    let guard = Arc::clone(&slot);
    let mut capture = CaptureHandler::new();
    let captured = capture.clone();
    let mut failures = 3;
    let fails = move |records: &[LogRecord]| {
        if failures == 0 {
            return capture.emit(records);
        }
        failures -= 1;
        Err(EmitError::transient("down"))
    };
    let (logger, guard) = logpost::builder()
        .flush_timeout(Duration::ZERO)
        .handler(calls(fails).retry(quick()))
        .on_error(move |_| drop(given(&guard).stop(LONG)))
        .build()
        .unwrap();
    for number in 0..10 {
        info!(logger: logger, "{number}");
    }
    let guard = slot.get_or_init(|| Arc::new(guard));
    wait_until("all is delivered", || guard.stats().pending == 0);
    assert_eq!(captured.messages(), (0..10).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(guard.stats().abandoned, 0);
}

/// A handler that writes to a file, say, has closed it when the stop returns.
#[test]
fn a_stop_waits_for_the_handler_s_end() {
    struct EndsSlowly(Arc<AtomicBool>);
    impl Handler for EndsSlowly {
        fn emit(&mut self, _: &[LogRecord]) -> Result<(), EmitError> {
            Ok(())
        }
    }
    impl Drop for EndsSlowly {
        fn drop(&mut self) {
            (0..1000).for_each(|_| thread::yield_now());
            self.0.store(true, Ordering::SeqCst);
        }
    }
    for _ in 0..20 {
        let ended = Arc::new(AtomicBool::new(false));
        let (logger, guard) = logpost::builder().handler(EndsSlowly(Arc::clone(&ended))).build().unwrap();
        info!(logger: logger, "last words");
        guard.stop(LONG);
        assert!(ended.load(Ordering::SeqCst));
    }
}

/// Panics when it is dropped.
struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        panic!("on purpose, in drop");
    }
}

/// A handler that does not come back before it is cancelled, or that panics instead.
struct Cancelled {
    begun: Sender<()>,
    end: (Sender<()>, Option<Receiver<()>>),
    cancel_panics: Option<fn()>,
}

impl Handler for Cancelled {
    fn emit(&mut self, _: &[LogRecord]) -> Result<(), EmitError> {
        let _ = self.begun.send(());
        let _ = self.end.1.take().expect("one attempt").recv();
        Err(EmitError::transient("cancelled"))
    }

    fn cancel(&self) -> Option<Cancel> {
        let (tell, panics) = (self.end.0.clone(), self.cancel_panics);
        Some(Box::new(move || {
            // Whoever wants to go on may do so.
            let _ = tell.send(());
            if let Some(panics) = panics {
                panics();
            }
        }))
    }
}

fn a_cancel_that_panics_is_caught(panics: fn()) {
    let (begun, has_begun) = mpsc::channel();
    let handler = |cancel_panics| {
        let (tell, told) = mpsc::channel();
        Cancelled { begun: begun.clone(), end: (tell, Some(told)), cancel_panics }
    };
    let (logger, guard) = logpost::builder()
        .flush_timeout(Duration::ZERO)
        .handler(handler(Some(panics)))
        .handler(handler(None))
        .on_error(|_| {})
        .build()
        .unwrap();
    info!(logger: logger, "stuck");
    for _ in 0..2 {
        has_begun.recv_timeout(LONG).unwrap();
    }
    guard.stop(Duration::ZERO);
    // The one that panics keeps nobody else's from being called.
    wait_until("both handlers have come back", || guard.stats().pending == 0);
    let stats = guard.stats();
    assert_eq!((stats.abandoned, stats.panics), (2, 1), "{stats}");
}

#[test]
fn a_cancel_that_panics_is_caught_and_the_others_are_called() {
    a_cancel_that_panics_is_caught(|| panic!("on purpose, in cancel"));
}

#[test]
fn a_cancel_that_panics_with_a_payload_that_panics_is_caught_too() {
    a_cancel_that_panics_is_caught(|| panic_any(Grenade));
}

/// Who is told of a failure decides nothing: what the handler wants to be offered again is.
#[test]
fn an_on_error_that_panics_with_a_payload_that_panics_loses_nothing() {
    let mut capture = CaptureHandler::new();
    let captured = capture.clone();
    let mut failures = 3;
    let fails = move |records: &[LogRecord]| {
        if failures == 0 {
            return capture.emit(records);
        }
        failures -= 1;
        Err(EmitError::transient("down"))
    };
    let (logger, guard) =
        logpost::builder().handler(calls(fails).retry(quick())).on_error(|_| panic_any(Grenade)).build().unwrap();
    info!(logger: logger, "kept");
    guard.flush(LONG).unwrap();
    let stats = guard.stats();
    assert_eq!((stats.delivered, stats.rejected), (1, 0), "{stats}");
    assert_eq!(captured.messages(), ["kept"]);
}

/// Formatting runs code of the program's, which may have effects.
#[test]
fn a_message_is_formatted_once_however_many_handlers_there_are() {
    struct Counts(AtomicU32);
    impl fmt::Display for Counts {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{}", self.0.fetch_add(1, Ordering::SeqCst))
        }
    }
    let captures = [(); 3].map(|()| CaptureHandler::new());
    let (logger, guard) =
        captures.iter().fold(logpost::builder(), |builder, capture| builder.handler(capture.clone())).build().unwrap();
    let (message, value) = (Counts(AtomicU32::new(0)), Counts(AtomicU32::new(0)));
    info!(logger: logger, value:% = value; "{message}");
    guard.flush(LONG).unwrap();
    for capture in &captures {
        let records = capture.records();
        let [record] = &records[..] else { panic!("{records:?}") };
        let pairs: Vec<_> = record.key_values().map(|(_, value)| value.to_string()).collect();
        assert_eq!((record.message(), pairs), ("0", vec!["0".to_owned()]));
    }
    assert_eq!(message.0.load(Ordering::SeqCst), 1);
    // Whoever hands out a level that no handler wants pays for no formatting.
    log::trace!(logger: logger, "{message}");
    assert_eq!(message.0.load(Ordering::SeqCst), 1);
}

/// What is told of a server that answers 404 with this text, which it makes of the request's target.
fn told_of(path_and_query: &str, echo: impl Fn(&str) -> String + Send + Sync + 'static) -> String {
    let server = Server::scripted(move |request| Plan::Answer(Answer::with(404, &[], &echo(&request.target))));
    let (tell, told) = mpsc::channel();
    let url = format!("http://{}{path_and_query}", server.address());
    let (logger, guard) = logpost::builder()
        .flush_timeout(Duration::ZERO)
        .handler(Pipeline::new(HttpHandler::new(url).unwrap()).retry(on_request()))
        .on_error(move |failure| {
            let _ = tell.send(format!("{failure} {:?} {}", failure.error(), failure.error()));
        })
        .build()
        .unwrap();
    info!(logger: logger, "hello");
    let text = told.recv_timeout(LONG).unwrap();
    let stats = guard.stats();
    guard.stop(Duration::ZERO);
    format!("{text} {stats} {stats:?}")
}

#[test]
fn an_answer_that_repeats_the_url_does_not_tell_its_secrets() {
    let not_found = |target: &str| format!("The requested URL {target} was not found on this server.");
    for secret in ["/hook/s3cret", "/hook/s3cret?token=s3cret", "/?token=s3cret", "/s3cret/?x"] {
        let text = told_of(secret, not_found);
        assert!(text.contains("The requested URL *** was not found") && !text.contains("s3cret"), "{text}");
        let text = told_of(secret, |target| format!("{target} {target}\n{target}"));
        assert!(text.contains("404") && !text.contains("s3cret"), "{text}");
    }
}

/// An answer is cut for a message, and may be cut in the middle of the URL.
#[test]
fn an_answer_that_is_cut_amid_the_url_does_not_tell_its_secrets() {
    for length in 150..200 {
        let text = told_of("/hook/s3cret-s3cret-s3cret", move |target| format!("{}{target}", "x".repeat(length)));
        assert!(text.contains("404") && !text.contains("s3cret"), "{length}: {text}");
    }
}

/// Servers escape for HTML what they repeat, decode it, or name the part that they do not like.
#[test]
fn an_answer_that_repeats_the_url_in_other_words_does_not_tell_its_secrets() {
    let tells = |secret, echo: fn(&str) -> String| {
        let text = told_of(secret, echo);
        assert!(text.contains("404"), "{text}");
        text.contains("s3cret").then_some(text)
    };
    let told = [
        tells("/hook?token=s3cret&x=1", |target| target.replace('&', "&amp;")),
        tells("/hook/s3cret%20x", |target| target.replace("%20", " ")),
        tells("/hook?token=s3cret", |_| "no such token: s3cret".to_owned()),
        tells("/hook/s3cret", |_| "no such hook: s3cret".to_owned()),
    ];
    assert!(told.iter().all(Option::is_none), "{told:#?}");
}

/// A program may seed its generator with the same number in each run, for results that can be repeated.
#[test]
fn idempotency_keys_differ_from_run_to_run_whatever_the_program_s_random_numbers() {
    let server = Server::start();
    for _run in 0..2 {
        let url = server.url();
        let run = thread::spawn(move || {
            fastrand::seed(42);
            let (logger, guard) = logpost::builder().handler(HttpHandler::new(url).unwrap()).build().unwrap();
            info!(logger: logger, "run");
            guard.flush(LONG).unwrap();
        });
        run.join().unwrap();
    }
    let keys: Vec<_> =
        server.requests().iter().map(|request| request.header("idempotency-key")[0].to_owned()).collect();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], keys[1]);
}

/// A refusal of the notice that tells of drops is nobody's record.
#[test]
fn a_notice_that_is_refused_is_in_nobody_s_books() {
    let (arrive, arrived) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let emit = move |records: &[LogRecord]| {
        if records[0].target() == "logpost" {
            return Err(EmitError::payload("no notices here"));
        }
        let _ = arrive.send(());
        let _ = released.recv();
        Ok(())
    };
    let actions = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&actions);
    let (logger, guard) = logpost::builder()
        .handler(calls(emit).capacity(2).retry(on_request()))
        .on_error(move |failure| told.lock().unwrap().push(failure.action()))
        .build()
        .unwrap();
    info!(logger: logger, "first");
    arrived.recv_timeout(LONG).unwrap();
    for _ in 0..10 {
        info!(logger: logger, "flood");
    }
    drop(release);
    guard.flush(LONG).unwrap();
    let stats = guard.stop(LONG);
    assert_eq!((stats.accepted, stats.delivered, stats.rejected, stats.dropped.full), (3, 3, 0, 8), "{stats}");
    assert_eq!(*actions.lock().unwrap(), [Action::Reject]);
}
