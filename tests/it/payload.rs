//! Records that are refused for what they are: the guilty ones are found and rejected, and no other is lost.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use log::info;
use logpost::{
    Action, Batch, CaptureHandler, EmitError, ErrorClass, Guard, Handler, HttpHandler, LogRecord, Logger, Pipeline,
    Retry,
};
use logpost_test_support::{Answer, LONG, Plan, Server, wait_until};

const BATCH: usize = 512;
/// What a batch of `BATCH` with one guilty record takes: the whole, and two halves on each of the levels below.
const BISECTION: u64 = 1 + 2 * BATCH.ilog2() as u64;
/// A backoff that nobody waits out.
const FOR_EVER: Duration = Duration::from_secs(10_000 * 24 * 60 * 60);

/// What `on_error` was told: about which records, what is done about it, and of which class the error was.
type Told = (Vec<String>, Action, ErrorClass);

type Refuses = dyn Fn(&[LogRecord]) -> bool + Send;

/// Refuses the batches that it is told to, and captures the others.
struct Picky {
    refuses: Box<Refuses>,
    /// Each batch waits until the test has logged all that it has to log.
    begin: Receiver<()>,
    capture: CaptureHandler,
}

impl Handler for Picky {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        let _ = self.begin.recv();
        if (self.refuses)(records) {
            return Err(EmitError::payload("there is poison in it"));
        }
        self.capture.emit(records)
    }

    fn batch(&self) -> Batch {
        Batch::single().max_records(BATCH)
    }
}

struct Setup {
    logger: Logger,
    guard: Guard,
    capture: CaptureHandler,
    told: Receiver<Told>,
    begin: Sender<()>,
}

fn picky(retry: Retry, refuses: impl Fn(&[LogRecord]) -> bool + Send + 'static) -> Setup {
    let (begin, may_begin) = mpsc::channel();
    let (tell, told) = mpsc::channel();
    let capture = CaptureHandler::new();
    let handler = Picky { refuses: Box::new(refuses), begin: may_begin, capture: capture.clone() };
    let (logger, guard) = logpost::builder()
        .handler(Pipeline::new(handler).retry(retry))
        .on_error(move |failure| {
            let messages = failure.records().iter().map(|record| record.message().to_owned()).collect();
            tell.send((messages, failure.action(), failure.error().class())).unwrap();
        })
        .build()
        .unwrap();
    Setup { logger, guard, capture, told, begin }
}

impl Setup {
    /// Logs a first record and has it delivered, then these, which wait for `begin`.
    fn log(&self, numbers: Range<usize>) {
        info!(logger: self.logger, "first");
        self.begin.send(()).unwrap();
        wait_until("the first record is out of the way", || self.guard.stats().pending == 0);
        for number in numbers {
            info!(logger: self.logger, "{number}");
        }
    }

    /// Lets the handler do its work from now on.
    fn begin(self) -> Running {
        let Self { logger, guard, capture, told, begin } = self;
        drop(begin);
        Running { logger, guard, capture, told }
    }
}

struct Running {
    logger: Logger,
    guard: Guard,
    capture: CaptureHandler,
    told: Receiver<Told>,
}

impl Running {
    /// Delivered are `first` and the numbers that are not `guilty`, in order; those are rejected, told each.
    fn check(&self, numbers: Range<usize>, guilty: &[usize]) {
        self.guard.flush(LONG).unwrap();
        let mut expected = vec!["first".to_owned()];
        expected.extend(numbers.filter(|number| !guilty.contains(number)).map(|number| number.to_string()));
        assert_eq!(self.capture.messages(), expected);
        let rejected: Vec<_> = self.told.try_iter().filter(|(_, action, _)| *action == Action::Reject).collect();
        let each = |number: &usize| (vec![number.to_string()], Action::Reject, ErrorClass::Payload);
        assert_eq!(rejected, guilty.iter().map(each).collect::<Vec<_>>());
        let stats = self.guard.stats();
        assert_eq!((stats.delivered, stats.rejected), (expected.len() as u64, guilty.len() as u64), "{stats}");
        assert_eq!((stats.abandoned, stats.pending, stats.dropped.total()), (0, 0, 0), "{stats}");
    }
}

/// Whether one of these numbers is in a batch.
fn contains(guilty: &'static [usize]) -> impl Fn(&[LogRecord]) -> bool + Send {
    move |records| records.iter().any(|record| guilty.iter().any(|number| record.message() == number.to_string()))
}

fn quick() -> Retry {
    Retry::default().first_delay(Duration::from_millis(1)).max_delay(Duration::from_millis(5))
}

#[test]
fn one_poison_among_512_is_found_in_few_attempts_and_the_others_are_delivered_in_order() {
    const GUILTY: [&[usize]; 6] = [&[0], &[1], &[255], &[256], &[300], &[511]];
    for guilty in GUILTY {
        let setup = picky(Retry::default().first_delay(FOR_EVER).max_delay(FOR_EVER), contains(guilty));
        setup.log(0..BATCH);
        let running = setup.begin();
        running.check(0..BATCH, guilty);
        // Besides: the first record, and what the listener had taken before all were logged.
        let stats = running.guard.stats();
        assert!(stats.attempts <= BISECTION + 2, "{stats}");
    }
}

#[test]
fn several_poisons_lose_nothing_but_themselves() {
    const GUILTY: &[usize] = &[0, 1, 2, 3, 4, 100, 101, 300, 511, 512, 700, 1499];
    let setup = picky(quick(), contains(GUILTY));
    setup.log(0..1500);
    setup.begin().check(0..1500, GUILTY);
}

#[test]
fn a_poison_alone_is_rejected_and_blocks_nothing() {
    let setup = picky(Retry::default().first_delay(FOR_EVER).max_delay(FOR_EVER), contains(&[0]));
    setup.log(0..1);
    let running = setup.begin();
    running.check(0..1, &[0]);
    info!(logger: running.logger, "behind it");
    running.guard.flush(LONG).unwrap();
    assert_eq!(running.capture.messages(), ["first", "behind it"]);
}

#[test]
fn batches_that_are_too_large_are_halved_and_delivered_in_order() {
    for most in [1, 10, 100, 511] {
        let setup = picky(Retry::default().first_delay(FOR_EVER).max_delay(FOR_EVER), move |batch| batch.len() > most);
        setup.log(0..1500);
        let running = setup.begin();
        running.check(0..1500, &[]);
        assert_eq!(running.told.try_iter().count(), 0);
    }
}

#[test]
fn a_handler_that_refuses_everything_eats_three_records_and_then_waits() {
    let mended = Arc::new(AtomicBool::new(false));
    let broken = Arc::clone(&mended);
    let retry = Retry::default().first_delay(FOR_EVER).max_delay(FOR_EVER);
    let setup = picky(retry, move |batch| batch[0].message() != "first" && !broken.load(Ordering::SeqCst));
    setup.log(0..20);
    let Running { logger, guard, capture, told } = setup.begin();
    for number in 0..3 {
        let told = told.recv_timeout(LONG).unwrap();
        assert_eq!(told, (vec![number.to_string()], Action::Reject, ErrorClass::Payload));
    }
    let is_kept = |told: Told| {
        assert_eq!((told.0, told.2), (vec!["3".to_owned()], ErrorClass::Payload));
        assert!(matches!(told.1, Action::Retry(delay) if delay > Duration::from_secs(60)), "{:?}", told.1);
    };
    is_kept(told.recv_timeout(LONG).unwrap());
    for _ in 0..3 {
        let before = guard.stats();
        guard.flush(Duration::ZERO).unwrap_err();
        is_kept(told.recv_timeout(LONG).unwrap());
        let stats = guard.stats();
        assert_eq!((stats.rejected, stats.pending), (3, 17), "{stats}");
        assert_eq!(stats.attempts, before.attempts + 1, "a flush is one attempt: {stats}");
    }
    mended.store(true, Ordering::SeqCst);
    guard.flush(LONG).unwrap();
    assert_eq!(capture.messages()[1..], (3..20).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(told.try_iter().count(), 0);

    info!(logger: logger, "as before");
    guard.flush(LONG).unwrap();
    let stats = guard.stats();
    assert_eq!((stats.rejected, stats.delivered, stats.pending), (3, 19, 0), "{stats}");
}

#[test]
fn a_handler_that_goes_on_refusing_eats_one_record_per_delay() {
    let delay = Duration::from_millis(50);
    let retry = Retry::default().first_delay(delay).max_delay(delay);
    let setup = picky(retry, |batch| batch[0].message() != "first");
    setup.log(0..8);
    let Running { guard, told, .. } = setup.begin();
    wait_until("all are rejected", || guard.stats().rejected == 8);
    let mut actions = Vec::new();
    for (messages, action, _) in told.try_iter() {
        actions.push((messages[0].clone(), action == Action::Reject));
    }
    let rejected_at_once = (0..3).map(|number| (number.to_string(), true));
    let paced = (3..8).flat_map(|number| [(number.to_string(), false), (number.to_string(), true)]);
    assert_eq!(actions, rejected_at_once.chain(paced).collect::<Vec<_>>());
}

#[test]
fn anything_accepted_in_between_starts_the_count_of_refusals_over() {
    let setup = picky(Retry::default().first_delay(FOR_EVER).max_delay(FOR_EVER), |batch| {
        batch.iter().any(|record| record.message().parse().is_ok_and(|number: usize| number % 4 != 3))
    });
    setup.log(0..40);
    let guilty: Vec<_> = (0..40).filter(|number| number % 4 != 3).collect();
    setup.begin().check(0..40, &guilty);
}

#[test]
fn http_refusals_of_single_records_reject_them_alone() {
    for status in [400, 413, 414, 415, 422, 431] {
        let server = Server::scripted(move |request| {
            let refused = request.position % 3 == 1;
            Plan::Answer(Answer::status(if refused { status } else { 200 }))
        });
        let rejected = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&rejected);
        let retry = Retry::default().first_delay(FOR_EVER).max_delay(FOR_EVER);
        let (logger, guard) = logpost::builder()
            .handler(Pipeline::new(HttpHandler::new(server.url()).unwrap()).retry(retry))
            .on_error(move |failure| {
                assert_eq!(failure.action(), Action::Reject);
                assert!(failure.error().to_string().contains(&status.to_string()));
                told.lock().unwrap().extend(failure.records().iter().map(|record| record.message().to_owned()));
            })
            .build()
            .unwrap();
        for number in 0..30 {
            info!(logger: logger, "{number}");
        }
        guard.flush(LONG).unwrap();
        let (mut taken, mut refused) = (Vec::new(), Vec::new());
        for request in server.requests() {
            let messages = if request.answered == Some(200) { &mut taken } else { &mut refused };
            messages.push(request.msg());
        }
        let is_refused = |number: &usize| number % 3 == 1;
        let expected =
            |refused| (0..30).filter(move |number| is_refused(number) == refused).map(|number| number.to_string());
        assert_eq!(taken, expected(false).collect::<Vec<_>>(), "{status}");
        assert_eq!(refused, expected(true).collect::<Vec<_>>(), "{status}");
        assert_eq!(*rejected.lock().unwrap(), refused, "{status}");
        let stats = guard.stats();
        assert_eq!((stats.delivered, stats.rejected, stats.panics), (20, 10, 0), "{stats}");
        assert_eq!((stats.retries, server.connections()), (0, 1), "{stats}");
    }
}

/// What is large is encoded in another way than what is not.
#[test]
fn a_message_of_more_than_a_mebibyte_arrives_as_it_was() {
    const MIB: usize = 1024 * 1024;
    let server = Server::start();
    let (logger, guard) = logpost::builder()
        .max_message_bytes(4 * MIB)
        .handler(HttpHandler::builder(server.url()).field("a & b", "c=d").build().unwrap())
        .build()
        .unwrap();
    let large = "key=value&more \u{fc}\u{1f980}+%41~*-._\0\r\n".repeat(MIB / 16);
    assert!(large.len() > 2 * MIB);
    info!(logger: logger, order = 17; "{large}");
    info!(logger: logger, "a short one behind it");
    guard.flush(LONG).unwrap();
    assert!(server.messages() == [large.as_str(), "a short one behind it"]);
    for (number, request) in server.requests().iter().enumerate() {
        let fields: Vec<_> = request.form().into_iter().filter(|(key, _)| key != "msg").collect();
        let has = |key: &str, value: &str| fields.contains(&(key.to_owned(), value.to_owned()));
        assert!(has("a & b", "c=d") && has("levelname", "INFO") && has("order", "17") == (number == 0), "{fields:?}");
        assert_eq!(request.header("content-length"), [request.body.len().to_string()]);
    }
}
