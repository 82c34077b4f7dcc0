//! Queues that misbehave.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use logpost::{
    Batch, CaptureHandler, Dequeue, DequeueError, EmitError, Handler, LogRecord, QueueHandler, QueueListener,
};
use logpost_test_support::{LONG, wait_until};

use super::{numbers, say, say_numbers};

fn record(message: &str) -> LogRecord {
    LogRecord::builder().message(message.to_owned()).build()
}

/// What a queue does, call by call; at the end it is closed.
struct Script(VecDeque<Act>);

enum Act {
    Give(&'static str),
    Say(DequeueError),
    Panic,
}

impl Dequeue for Script {
    fn dequeue(&mut self, _: Duration) -> Result<LogRecord, DequeueError> {
        match self.0.pop_front() {
            Some(Act::Give(message)) => Ok(record(message)),
            Some(Act::Say(error)) => Err(error),
            Some(Act::Panic) => panic!("in dequeue"),
            None => Err(DequeueError::Closed),
        }
    }
}

/// Whatever a queue does between two records, each goes through `prepare`: it may be there to keep secrets back.
#[test]
fn a_queue_that_panics_within_a_batch_lets_no_record_pass_by_prepare() {
    let script = [Act::Give("0"), Act::Panic, Act::Give("1"), Act::Give("2"), Act::Panic, Act::Panic, Act::Give("3")];
    let capture = CaptureHandler::new();
    let listener = QueueListener::new(Script(script.into()))
        .handler(capture.clone())
        .prepare(|record| Some(record.to_builder().message(format!("{} prepared", record.message())).build()));
    listener.start().unwrap();
    wait_until("the listener has ended with its queue", || !listener.is_running());
    assert_eq!(capture.messages(), ["0 prepared", "1 prepared", "2 prepared", "3 prepared"]);
    let stats = listener.stats();
    assert_eq!((stats.delivered, stats.panics, stats.pending), (4, 3, 0), "{stats}");
}

/// A queue that takes back that it is closed: what it has then is delivered when the listener is started again.
#[test]
fn a_queue_that_opens_again() {
    let script = [Act::Give("0"), Act::Say(DequeueError::Closed), Act::Say(DequeueError::Closed), Act::Give("1")];
    let capture = CaptureHandler::new();
    let listener = QueueListener::new(Script(script.into())).handler(capture.clone());
    for _ in 0..3 {
        listener.start().unwrap();
        wait_until("the listener has ended with its queue", || !listener.is_running());
    }
    assert_eq!(capture.messages(), numbers(0..2));
    listener.start().unwrap();
    listener.stop(LONG);
}

/// A queue that never waits, though it may: the listener does it in its place, and takes no processor of its own.
#[test]
fn a_queue_that_does_not_wait_is_not_asked_all_the_time() {
    struct Impatient(Arc<AtomicUsize>);

    impl Dequeue for Impatient {
        fn dequeue(&mut self, _: Duration) -> Result<LogRecord, DequeueError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Err(DequeueError::Empty)
        }
    }

    let asked = Arc::new(AtomicUsize::new(0));
    let listener = QueueListener::new(Impatient(Arc::clone(&asked))).handler(CaptureHandler::new());
    let began = Instant::now();
    listener.start().unwrap();
    wait_until("it has been asked many times", || asked.load(Ordering::SeqCst) >= 60);
    assert!(began.elapsed() >= Duration::from_millis(150), "{:?}", began.elapsed());
    listener.stop(LONG);
}

#[test]
fn prepare_that_panics_or_drops_loses_these_records_alone() {
    let (sender, receiver) = flume::unbounded();
    let logger = QueueHandler::new(sender);
    let capture = CaptureHandler::new();
    let listener = QueueListener::new(receiver).handler(capture.clone()).prepare(|record| {
        assert_ne!(record.message(), "1", "in prepare");
        (record.message() != "3").then_some(record)
    });
    say_numbers(&logger, 0..5);
    listener.start().unwrap();
    let stats = listener.stop(LONG);
    assert_eq!(capture.messages(), ["0", "2", "4"]);
    assert_eq!((stats.delivered, stats.rejected, stats.panics, stats.pending), (4, 1, 1, 0), "{stats}");
}

/// Python's `handle`.
#[test]
fn a_record_that_is_handled_by_hand_goes_through_prepare_to_every_handler() {
    let (first, second) = (CaptureHandler::new(), CaptureHandler::new());
    let (_way_in, way_out) = flume::unbounded();
    let listener = QueueListener::new(way_out)
        .handler(first.clone())
        .handler(second.clone())
        .prepare(|record| Some(record.to_builder().message(format!("{}!", record.message())).build()));
    let drained = listener.handle(record("by hand")).unwrap();
    assert_eq!((drained.settled, drained.waiting), (1, 0));
    assert_eq!((first.messages(), second.messages()), (vec!["by hand!".to_owned()], vec!["by hand!".to_owned()]));
    listener.start().unwrap();
    assert!(listener.handle(record("too late")).unwrap_err().is_already_started());
    listener.stop(LONG);
}

/// What a handler logs is no record, or each would be the next one's cause.
#[test]
fn what_a_handler_logs_is_ignored_with_a_foreign_queue_too() {
    struct Logs(QueueHandler);

    impl Handler for Logs {
        fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
            say(&self.0, records[0].message());
            Ok(())
        }
    }

    let (sender, receiver) = flume::unbounded();
    let logger = QueueHandler::new(sender);
    let listener = QueueListener::new(receiver).handler(Logs(logger.clone()));
    say(&logger, "one");
    listener.start().unwrap();
    let stats = listener.stop(LONG);
    assert_eq!((stats.accepted, stats.delivered), (1, 1), "{stats}");
    say(&logger, "two");
    assert_eq!(listener.drain().unwrap().settled, 1);
}

/// A record that comes out of the queue just as the listener is stopped is in neither: it is delivered by the next start, or
/// abandoned with the listener, and counted.
#[test]
fn a_record_that_comes_as_the_listener_ends_is_not_lost() {
    /// Waits as long as the test wants.
    struct Late(mpsc::Receiver<LogRecord>, mpsc::Sender<()>);

    impl Dequeue for Late {
        fn dequeue(&mut self, at_most: Duration) -> Result<LogRecord, DequeueError> {
            if at_most.is_zero() {
                return Err(DequeueError::Empty);
            }
            self.1.send(()).unwrap();
            self.0.recv().map_err(|_| DequeueError::Closed)
        }
    }

    let ((sender, receiver), (tell, waits)) = (mpsc::sync_channel(1), mpsc::channel());
    let capture = CaptureHandler::new();
    let listener = QueueListener::new(Late(receiver, tell)).handler(capture.clone());
    let logger = QueueHandler::new(sender).listener(&listener);
    for number in numbers(0..2) {
        listener.start().unwrap();
        waits.recv_timeout(LONG).unwrap();
        listener.stop(Duration::ZERO);
        say(&logger, &number);
        wait_until("the listener has ended", || !listener.is_running());
        assert_eq!(logger.stats().pending, 1);
        if number == "0" {
            assert_eq!(listener.drain().unwrap().settled, 1);
        }
    }
    drop(listener);
    let stats = logger.stats();
    assert_eq!((stats.delivered, stats.abandoned, stats.pending), (1, 1, 0), "{stats}");
    assert_eq!(capture.messages(), ["0"]);
}

/// Batches, so that the listener can keep up.
#[derive(Clone, Default)]
struct Counts(Arc<AtomicUsize>);

impl Handler for Counts {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        self.0.fetch_add(records.len(), Ordering::SeqCst);
        Ok(())
    }

    fn batch(&self) -> Batch {
        Batch::default().max_records(16).linger(Duration::ZERO)
    }
}

/// A queue that keeps its length to itself, or says it.
struct Channel {
    receiver: flume::Receiver<LogRecord>,
    tells_length: bool,
}

impl Dequeue for Channel {
    fn dequeue(&mut self, at_most: Duration) -> Result<LogRecord, DequeueError> {
        self.receiver.dequeue(at_most)
    }

    fn waiting(&self) -> Option<usize> {
        self.tells_length.then(|| self.receiver.len())
    }
}

/// Records come faster than they go. A queue that tells its length lets each flush end; one that does not may have it wait for
/// its time-out, and no longer. Either way what was there at the flush is out if it says so.
#[test]
fn flushes_from_many_threads_end_while_records_keep_coming() {
    for tells_length in [true, false] {
        let (sender, receiver) = flume::bounded(1000);
        let (logger, counts) = (QueueHandler::new(sender), Counts::default());
        let listener = QueueListener::new(Channel { receiver, tells_length }).handler(counts.clone());
        listener.start().unwrap();
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    say(&logger, "more");
                }
            });
            let flushes = [(); 4].map(|()| {
                scope.spawn(|| {
                    for _ in 0..5 {
                        let before = logger.stats().accepted;
                        let began = Instant::now();
                        let timeout = if tells_length { LONG } else { Duration::from_millis(100) };
                        let flushed = listener.flush(timeout);
                        assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
                        if tells_length || flushed.is_ok() {
                            flushed.unwrap();
                            assert!(counts.0.load(Ordering::SeqCst) as u64 >= before);
                        }
                    }
                })
            });
            for flush in flushes {
                flush.join().unwrap();
            }
            done.store(true, Ordering::SeqCst);
        });
        let stats = listener.stop(LONG);
        assert_eq!((stats.delivered, stats.pending), (logger.stats().accepted, 0), "{stats}");
    }
}

/// Dropped while it runs: what was logged is delivered, and the channel is closed behind it.
#[test]
fn a_listener_that_is_dropped_while_it_runs_delivers_first() {
    let (sender, receiver) = mpsc::sync_channel(100);
    let logger = QueueHandler::new(sender);
    let messages = Arc::new(Mutex::new(Vec::new()));
    let listener = QueueListener::new(receiver).handler(super::Calls({
        let messages = Arc::clone(&messages);
        move |record: &LogRecord| messages.lock().unwrap().push(record.message().to_owned())
    }));
    listener.start().unwrap();
    say_numbers(&logger, 0..50);
    drop(listener);
    assert_eq!(*messages.lock().unwrap(), numbers(0..50));
    say(&logger, "too late");
    assert_eq!(logger.stats().dropped.closed, 1);
}
