//! Several listeners on one queue.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::time::Duration;

use log::info;
use logpost::{Batch, CaptureHandler, EmitError, FormLines, Guard, Handler, HttpHandler, LogRecord, Logger, Pipeline};
use logpost_test_support::{Answer, LONG, Plan, Server, wait_until};

const WORKERS: usize = 4;
const COUNT: usize = 200;

fn logger_of(handler: impl Handler + 'static, workers: usize) -> (Logger, Guard) {
    let pipeline = Pipeline::new(handler).workers(workers);
    logpost::builder().handler(pipeline).on_error(|_| {}).flush_timeout(Duration::ZERO).build().unwrap()
}

fn logger_to(server: &Server) -> (Logger, Guard) {
    logger_of(HttpHandler::new(server.url()).unwrap(), WORKERS)
}

fn log_numbered(logger: &Logger, count: usize) {
    for number in 0..count {
        info!(logger: logger, "{number}");
    }
}

/// Each of so many numbers is there once.
fn assert_all_once(mut messages: Vec<String>, count: usize) {
    messages.sort_by_key(|message| message.parse::<usize>().unwrap());
    assert_eq!(messages, (0..count).map(|number| number.to_string()).collect::<Vec<_>>());
}

fn ok() -> Plan {
    Plan::Answer(Answer::status(200))
}

/// Lets requests pass one permit at a time.
#[derive(Default)]
struct Turnstile {
    /// How many requests have come, and how many may pass.
    state: Mutex<(usize, usize)>,
    changed: Condvar,
}

impl Turnstile {
    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 += 1;
        let mine = state.0;
        self.changed.notify_all();
        drop(self.changed.wait_while(state, |state| state.1 < mine).unwrap());
    }

    fn wait_for(&self, count: usize) {
        let state = self.state.lock().unwrap();
        let (state, _) = self.changed.wait_timeout_while(state, LONG, |state| state.0 < count).unwrap();
        assert!(state.0 >= count, "{count} requests should be under way, not {}", state.0);
    }

    fn permit(&self, count: usize) {
        self.state.lock().unwrap().1 += count;
        self.changed.notify_all();
    }
}

fn behind(turnstile: &Arc<Turnstile>) -> Server {
    let turnstile = Arc::clone(turnstile);
    Server::scripted(move |_| {
        turnstile.pass();
        ok()
    })
}

/// The server answers nobody before it has a request of each worker.
#[test]
fn all_workers_have_a_request_under_way_at_the_same_time_and_a_connection_each() {
    let barrier = Barrier::new(WORKERS);
    let server = Server::scripted(move |request| {
        if request.position == 0 {
            barrier.wait();
        }
        ok()
    });
    let (logger, guard) = logger_to(&server);
    log_numbered(&logger, COUNT);
    guard.flush(LONG).unwrap();
    assert_all_once(server.messages(), COUNT);
    let requests = server.requests();
    assert_eq!(requests.iter().map(|request| request.connection).collect::<HashSet<_>>().len(), WORKERS);
    assert_eq!(server.connections(), WORKERS);
    let keys: HashSet<_> = requests.iter().map(|request| request.header("idempotency-key")[0]).collect();
    assert_eq!(keys.len(), COUNT, "no two workers share a key");
    let stats = guard.stats();
    assert_eq!((stats.delivered, stats.attempts, stats.retries), (COUNT as u64, COUNT as u64, 0), "{stats}");
}

#[test]
fn each_worker_keeps_the_order_of_its_own_records() {
    let server = Server::start();
    let (logger, guard) = logger_to(&server);
    log_numbered(&logger, COUNT);
    guard.flush(LONG).unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), COUNT);
    for connection in 0..server.connections() {
        let own = requests.iter().filter(|request| request.connection == connection);
        let numbers: Vec<usize> = own.map(|request| request.msg().parse().unwrap()).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    }
}

#[test]
fn workers_share_batches_and_a_flush_ends_the_linger_of_each() {
    let server = Server::start();
    let batch = Batch::default().max_records(10).linger(Duration::from_secs(60 * 60));
    let handler = HttpHandler::builder(server.url()).encoding(FormLines).batch(batch);
    let handler = handler.map_log_record(|record, fields| {
        fields.push("m", record.message());
    });
    let (logger, guard) = logger_of(handler.build().unwrap(), WORKERS);
    for _ in 0..3 {
        log_numbered(&logger, 55);
        guard.flush(LONG).unwrap();
    }
    let requests = server.requests();
    let mut numbers = Vec::new();
    for request in &requests {
        let lines = request.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let before = numbers.len();
        numbers.extend(lines.map(|line| form_urlencoded::parse(line).next().unwrap().1.into_owned()));
        assert!((1..=10).contains(&(numbers.len() - before)));
    }
    numbers.sort();
    let mut expected: Vec<_> = (0..55).flat_map(|number| [number; 3]).map(|number| number.to_string()).collect();
    expected.sort();
    assert_eq!(numbers, expected);
}

#[test]
fn a_flush_waits_for_the_records_of_all_workers() {
    let turnstile = Arc::default();
    let server = behind(&turnstile);
    let (logger, guard) = logger_to(&server);
    log_numbered(&logger, WORKERS);
    turnstile.wait_for(WORKERS);
    for left in (1..=WORKERS as u64).rev() {
        wait_until("one more is delivered", || guard.stats().pending == left);
        assert_eq!(guard.flush(Duration::ZERO).unwrap_err().pending(), left);
        turnstile.permit(1);
    }
    guard.flush(LONG).unwrap();
    assert_all_once(server.messages(), WORKERS);
}

#[test]
fn a_stop_delivers_what_all_workers_have_and_the_queue() {
    let turnstile = Arc::default();
    let server = behind(&turnstile);
    let (logger, guard) = logger_to(&server);
    log_numbered(&logger, COUNT);
    turnstile.wait_for(WORKERS);
    turnstile.permit(usize::MAX);
    let stats = guard.stop(LONG);
    assert_eq!((stats.delivered, stats.pending, stats.abandoned), (COUNT as u64, 0, 0), "{stats}");
    assert_all_once(server.messages(), COUNT);
}

#[test]
fn a_stop_abandons_what_no_worker_gets_rid_of_and_accounts_for_it() {
    let server = Server::scripted(|_| Plan::Stall);
    let (logger, guard) = logger_to(&server);
    log_numbered(&logger, COUNT);
    server.wait_for(WORKERS);
    let stats = guard.stop(Duration::from_millis(10));
    assert!(stats.abandoned >= (COUNT - WORKERS) as u64, "{stats}");
    assert_eq!(stats.abandoned + stats.pending, COUNT as u64, "{stats}");
    wait_until("the requests under way are cut short", || guard.stats().pending == 0);
    let stats = guard.stats();
    assert_eq!((stats.accepted, stats.abandoned, stats.delivered), (COUNT as u64, COUNT as u64, 0), "{stats}");
    assert_eq!(server.requests().len(), WORKERS);
    info!(logger: logger, "too late");
    assert_eq!(guard.stop(LONG).dropped.closed, 1);
}

#[test]
fn a_worker_in_a_backoff_does_not_keep_the_others_from_delivering() {
    let broken = Arc::new(AtomicBool::new(true));
    let is_broken = Arc::clone(&broken);
    let server = Server::scripted(move |request| {
        if request.connection == 0 && is_broken.load(Ordering::SeqCst) {
            return Plan::Answer(Answer::with(503, &[("Retry-After", "300")], ""));
        }
        ok()
    });
    let (logger, guard) = logger_to(&server);
    log_numbered(&logger, COUNT);
    wait_until("all but one are delivered", || guard.stats().delivered == COUNT as u64 - 1);
    let stats = guard.stats();
    assert_eq!((stats.pending, stats.retries), (1, 0), "{stats}");
    broken.store(false, Ordering::SeqCst);
    guard.flush(LONG).unwrap();
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for request in server.requests() {
        let messages = if request.answered == Some(200) { &mut taken } else { &mut refused };
        messages.push(request.msg());
    }
    assert_all_once(taken, COUNT);
    assert_eq!(refused.len(), 1);
    let stats = guard.stats();
    assert_eq!((stats.delivered, stats.retries), (COUNT as u64, 1), "{stats}");
}

#[test]
fn an_outage_is_outlasted_by_all_workers() {
    let broken = Arc::new(AtomicBool::new(true));
    let is_broken = Arc::clone(&broken);
    let server = Server::scripted(move |_| if is_broken.load(Ordering::SeqCst) { Plan::ResetInBody } else { ok() });
    let (logger, guard) = logger_to(&server);
    log_numbered(&logger, COUNT);
    wait_until("each worker has failed", || guard.stats().attempts >= WORKERS as u64);
    broken.store(false, Ordering::SeqCst);
    guard.flush(LONG).unwrap();
    assert_all_once(server.messages(), COUNT);
}

#[test]
fn the_workers_of_a_capture_handler_share_what_they_capture() {
    let capture = CaptureHandler::new();
    let (logger, guard) = logger_of(capture.clone(), 64);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| log_numbered(&logger, 1000));
        }
    });
    guard.flush(LONG).unwrap();
    let mut counts = vec![0; 1000];
    capture.messages().iter().for_each(|message| counts[message.parse::<usize>().unwrap()] += 1);
    assert!(counts.iter().all(|count| *count == 4), "{counts:?}");
}

/// With the logger and the guard, all workers end, and each of them has dropped its handler by then.
#[test]
fn a_stop_waits_for_every_worker_to_end() {
    struct Counted(Arc<()>);
    impl Handler for Counted {
        fn emit(&mut self, _: &[LogRecord]) -> Result<(), EmitError> {
            Ok(())
        }
        fn another(&self) -> Option<Box<dyn Handler>> {
            Some(Box::new(Self(Arc::clone(&self.0))))
        }
    }
    let alive = Arc::new(());
    let (logger, guard) = logger_of(Counted(Arc::clone(&alive)), WORKERS);
    assert_eq!(Arc::strong_count(&alive), 1 + WORKERS);
    log_numbered(&logger, COUNT);
    guard.stop(LONG);
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[test]
fn numbers_of_workers_that_can_not_be_are_errors() {
    struct Lonely;
    impl Handler for Lonely {
        fn emit(&mut self, _: &[LogRecord]) -> Result<(), EmitError> {
            Ok(())
        }
    }
    let problem = |pipeline: Pipeline| {
        let error = logpost::builder().handler(pipeline).build().unwrap_err();
        assert_eq!(error.setting(), Some("workers"));
        error.to_string()
    };
    for workers in [0, 65, usize::MAX] {
        let expected = format!("workers: must be from 1 to 64, but is {workers}");
        assert_eq!(problem(Pipeline::new(CaptureHandler::new()).workers(workers)), expected);
    }
    assert_eq!(
        problem(Pipeline::new(Lonely).workers(2)),
        "workers: of 2, but the handler can't make another of itself"
    );
    assert!(logpost::builder().handler(Pipeline::new(Lonely).workers(1)).build().is_ok());
}
