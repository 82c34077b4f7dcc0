//! A destination that says of each record what became of it: the others of its batch are not held up, nor sent again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use log::info;
use logpost::{
    Action, Batch, Delivery, EmitError, ErrorClass, Guard, Handler, LogRecord, Logger, Pipeline, Retry, Stats,
};
use logpost_test_support::LONG;

/// What a handler does with one record, at this attempt at it from 0.
type Judge = dyn Fn(&LogRecord, u32) -> Result<(), EmitError> + Send;

/// Keeps what is delivered, and how often each was offered.
struct Judging {
    judge: Box<Judge>,
    batch: Batch,
    attempts: HashMap<String, u32>,
    delivered: Arc<Mutex<Vec<String>>>,
}

impl Handler for Judging {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        let mut outcomes = Vec::new();
        for record in records {
            let attempt = self.attempts.entry(record.message().to_owned()).or_default();
            let outcome = (self.judge)(record, *attempt);
            *attempt += 1;
            if outcome.is_ok() {
                self.delivered.lock().unwrap().push(record.message().to_owned());
            }
            outcomes.push(outcome);
        }
        if outcomes.iter().all(Result::is_ok) { Ok(()) } else { Err(EmitError::each(outcomes)) }
    }

    fn batch(&self) -> Batch {
        self.batch
    }
}

#[derive(Debug)]
struct Told {
    text: String,
    action: Action,
    messages: Vec<String>,
}

struct Sender {
    logger: Logger,
    guard: Guard,
    told: Receiver<Told>,
    delivered: Arc<Mutex<Vec<String>>>,
}

impl Sender {
    fn of(
        max_records: usize,
        settings: impl FnOnce(Pipeline) -> Pipeline,
        judge: impl Fn(&LogRecord, u32) -> Result<(), EmitError> + Send + 'static,
    ) -> Self {
        let (tell, told) = mpsc::channel();
        let delivered = Arc::<Mutex<_>>::default();
        let handler = Judging {
            judge: Box::new(judge),
            batch: Batch::default().max_records(max_records).linger(LONG),
            attempts: HashMap::new(),
            delivered: Arc::clone(&delivered),
        };
        let retry = Retry::default().first_delay(Duration::from_millis(1)).max_delay(Duration::from_millis(2));
        let (logger, guard) = logpost::builder()
            .handler(settings(Pipeline::new(handler).retry(retry)))
            .on_error(move |failure| {
                let messages = failure.records().iter().map(|record| record.message().to_owned()).collect();
                // The test may be over.
                let _ = tell.send(Told { text: failure.to_string(), action: failure.action(), messages });
            })
            .flush_timeout(Duration::ZERO)
            .build()
            .unwrap();
        Self { logger, guard, told, delivered }
    }

    fn log(&self, messages: &[&str]) {
        for message in messages {
            info!(logger: self.logger, "{message}");
        }
    }

    fn stats(&self) -> Stats {
        let stats = self.guard.stats();
        assert_eq!(stats.accepted, stats.delivered + stats.rejected + stats.abandoned + stats.pending, "{stats}");
        stats
    }

    /// Until all have their outcome, with an eye on the books meanwhile. Returns delivered, rejected and abandoned.
    fn flush(&self) -> (u64, u64, u64) {
        let guard = &self.guard;
        thread::scope(|scope| {
            let flush = scope.spawn(|| guard.flush(LONG));
            while !flush.is_finished() {
                self.stats();
                thread::park_timeout(Duration::from_micros(100));
            }
            flush.join().unwrap().unwrap();
        });
        let stats = self.stats();
        (stats.delivered, stats.rejected, stats.abandoned)
    }

    fn delivered(&self) -> Vec<String> {
        self.delivered.lock().unwrap().clone()
    }

    fn all_told(&self) -> Vec<Told> {
        self.told.try_iter().collect()
    }
}

fn same(pipeline: Pipeline) -> Pipeline {
    pipeline
}

/// By the first word of the message: `good`, `bad`, or `busy` with the number of attempts that fail.
fn by_message(record: &LogRecord, attempt: u32) -> Result<(), EmitError> {
    let mut words = record.message().split(' ');
    match words.next() {
        Some("bad") => Err(EmitError::payload(format!("no {}", record.message()))),
        Some("busy") if attempt < words.next().unwrap().parse().unwrap() => {
            Err(EmitError::transient("not now").not_arrived())
        }
        _ => Ok(()),
    }
}

#[test]
fn each_record_has_its_own_outcome() {
    let sender = Sender::of(8, same, by_message);
    sender.log(&["good a", "bad b", "busy 2 c", "good d", "busy 1 e", "bad f", "busy 2 g", "good h"]);
    assert_eq!(sender.flush(), (6, 2, 0));
    assert_eq!(sender.delivered(), ["good a", "good d", "good h", "busy 1 e", "busy 2 c", "busy 2 g"]);
    let told = sender.all_told();
    let rejected: Vec<_> = told.iter().filter(|told| told.action == Action::Reject).collect();
    assert_eq!(rejected.iter().flat_map(|told| &told.messages).collect::<Vec<_>>(), ["bad b", "bad f"]);
    assert!(rejected[0].text.ends_with("no bad b") && rejected[1].text.ends_with("no bad f"), "{told:?}");
    let retried: Vec<_> = told.iter().filter(|told| matches!(told.action, Action::Retry(_))).collect();
    assert_eq!(retried[0].messages, ["busy 2 c", "busy 1 e", "busy 2 g"]);
    assert_eq!(retried[1].messages, ["busy 2 c", "busy 2 g"]);
    assert_eq!((retried.len(), told.len()), (2, 4));
    let stats = sender.stats();
    assert_eq!((stats.attempts, stats.retries), (3, 2), "{stats}");
}

#[test]
fn what_follows_waits_for_what_is_offered_again() {
    let sender = Sender::of(2, same, by_message);
    sender.log(&["busy 3 a", "good b", "good c", "good d"]);
    sender.flush();
    assert_eq!(sender.delivered(), ["good b", "busy 3 a", "good c", "good d"]);
}

/// One that refuses everything is more likely broken than right, whether it says so of each record or of all.
#[test]
fn a_destination_that_refuses_everything_gets_three_records_and_then_has_to_wait() {
    let broken = Arc::new(AtomicBool::new(true));
    let is_broken = Arc::clone(&broken);
    let patient = Retry::default().first_delay(LONG).max_delay(LONG);
    let sender = Sender::of(
        16,
        |pipeline| pipeline.retry(patient),
        move |_, _| if is_broken.load(Ordering::SeqCst) { Err(EmitError::payload("no")) } else { Ok(()) },
    );
    let messages: Vec<_> = (0..16).map(|number| number.to_string()).collect();
    sender.log(&messages.iter().map(String::as_str).collect::<Vec<_>>());
    for message in &messages[..3] {
        let told = sender.told.recv_timeout(LONG).unwrap();
        assert_eq!((told.action, &told.messages[..]), (Action::Reject, std::slice::from_ref(message)));
    }
    let told = sender.told.recv_timeout(LONG).unwrap();
    assert!(matches!(told.action, Action::Retry(_)) && told.messages == ["3"], "{told:?}");
    assert_eq!(sender.stats().pending, 13);
    broken.store(false, Ordering::SeqCst);
    assert_eq!(sender.flush(), (13, 3, 0));
    assert_eq!(sender.delivered(), messages[3..]);
}

#[test]
fn few_that_are_refused_with_nothing_taken_are_rejected_at_once() {
    let sender = Sender::of(3, same, by_message);
    sender.log(&["bad a", "busy 1 b", "bad c"]);
    assert_eq!(sender.flush(), (1, 2, 0));
    assert_eq!(sender.stats().attempts, 2);
}

#[test]
fn once_only_means_each_record_by_itself() {
    let once_only = |pipeline: Pipeline| pipeline.delivery(Delivery::AtMostOnce);
    let sender = Sender::of(4, once_only, |record, attempt| match record.message() {
        "maybe" if attempt == 0 => Err(EmitError::transient("who knows")),
        message if attempt == 0 && message == "surely not" => Err(EmitError::transient("busy").not_arrived()),
        "refused" => Err(EmitError::payload("no")),
        _ => Ok(()),
    });
    sender.log(&["maybe", "surely not", "refused", "good"]);
    assert_eq!(sender.flush(), (2, 1, 1));
    assert_eq!(sender.delivered(), ["good", "surely not"]);
    let abandoned: Vec<_> = sender.all_told().into_iter().filter(|told| told.action == Action::Abandon).collect();
    assert_eq!(abandoned.into_iter().flat_map(|told| told.messages).collect::<Vec<_>>(), ["maybe"]);
}

#[test]
fn attempts_are_counted_though_others_are_delivered_meanwhile() {
    let twice = Retry::default().first_delay(Duration::from_millis(1)).max_attempts(2);
    let sender = Sender::of(3, |pipeline| pipeline.retry(twice), by_message);
    sender.log(&["good a", "busy 9 b", "busy 1 c"]);
    assert_eq!(sender.flush(), (2, 0, 1));
    assert_eq!(sender.delivered(), ["good a", "busy 1 c"]);
    assert_eq!(sender.all_told().last().unwrap().messages, ["busy 9 b"]);
}

#[test]
fn a_stop_abandons_only_what_has_no_outcome() {
    let sender = Sender::of(3, same, |record, _| match record.message() {
        "busy" => Err(EmitError::endpoint("closed")),
        _ => by_message(record, 0),
    });
    sender.log(&["good", "busy", "bad"]);
    let told = sender.told.recv_timeout(LONG).unwrap();
    assert_eq!(told.action, Action::Reject);
    let stats = sender.guard.stop(Duration::ZERO);
    assert_eq!((stats.delivered, stats.rejected, stats.abandoned, stats.pending), (1, 1, 1, 0), "{stats}");
}

/// Says something of more records, or of fewer, than it was given; and then of nobody's.
struct Miscounts(Vec<usize>);

impl Handler for Miscounts {
    fn emit(&mut self, _: &[LogRecord]) -> Result<(), EmitError> {
        match self.0.pop() {
            Some(count) => Err(EmitError::each((0..count).map(|_| Ok(())).collect())),
            None => Ok(()),
        }
    }

    fn batch(&self) -> Batch {
        Batch::default().max_records(3)
    }
}

#[test]
fn outcomes_of_nobody_knows_whom_deliver_nothing() {
    let retry = Retry::default().first_delay(Duration::from_millis(1));
    let (tell, told) = mpsc::channel();
    let (logger, guard) = logpost::builder()
        .handler(Pipeline::new(Miscounts(vec![0, 2, 4])).retry(retry))
        .on_error(move |failure| {
            // The test may be over.
            let _ = tell.send((failure.to_string(), failure.error().class(), failure.records().len()));
        })
        .build()
        .unwrap();
    for number in 0..3 {
        info!(logger: logger, "{number}");
    }
    guard.flush(LONG).unwrap();
    let told: Vec<_> = told.try_iter().collect();
    assert_eq!(guard.stats().delivered, 3);
    assert!(told.iter().all(|(_, class, records)| (*class, *records) == (ErrorClass::Transient, 3)), "{told:?}");
    let says = |part: &str| told.iter().filter(|(text, ..)| text.contains(part)).count();
    assert_eq!((says("4 outcomes of 3"), says("2 outcomes of 3"), told.len()), (1, 1, 3), "{told:?}");
}

/// All outcomes in all mixtures: each record has one, and none that was delivered is offered again.
#[test]
fn whatever_is_said_of_records_each_has_one_outcome() {
    for seed in 0..50 {
        let sender = Sender::of(1 + (seed % 9), same, move |record, attempt| {
            // Some number that is not the same for two records or attempts.
            let text = format!("{seed} {} {attempt}", record.message());
            let hash = text.bytes().fold(14_695_981_039_346_656_037_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(1_099_511_628_211)
            });
            match (hash >> 32) % 7 {
                0 => Err(EmitError::payload("no")),
                1 | 2 => Err(EmitError::transient("busy")),
                3 => Err(EmitError::endpoint("closed")),
                _ => Ok(()),
            }
        });
        let messages: Vec<_> = (0..40).map(|number| number.to_string()).collect();
        sender.log(&messages.iter().map(String::as_str).collect::<Vec<_>>());
        let (delivered, rejected, abandoned) = sender.flush();
        assert_eq!((delivered + rejected, abandoned), (40, 0), "seed {seed}");
        let mut settled = sender.delivered();
        assert_eq!(settled.len() as u64, delivered, "seed {seed}: none twice");
        let told = sender.all_told();
        let rejections = told.iter().filter(|told| told.action == Action::Reject);
        settled.extend(rejections.flat_map(|told| told.messages.clone()));
        settled.sort_by_key(|number| number.parse::<u64>().unwrap());
        assert_eq!(settled, messages, "seed {seed}");
    }
}
