//! Whose books a record is in, and that they balance.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use logpost::{BoundedQueue, CaptureHandler, Dequeue, DequeueError, Enqueue, EnqueueError, LogRecord, Overflow};
use logpost::{QueueHandler, QueueListener, Stats};
use logpost_test_support::LONG;

use super::{Calls, numbers, say, say_numbers};

fn balances(stats: &Stats) {
    assert_eq!(stats.accepted, stats.delivered + stats.rejected + stats.abandoned + stats.pending, "{stats}");
}

/// A record that has been in one queue is a new one for the next, whichever way it is put in: its number there means nothing
/// here.
#[test]
fn a_record_that_a_handler_passes_on_is_a_new_one_for_the_next_listener() {
    let (first, (second, way_out)) = (BoundedQueue::new(), flume::unbounded());
    let logger = QueueHandler::new(first.clone());
    let capture = CaptureHandler::new();
    let passes_on = Calls(move |record: &LogRecord| second.send(record.clone()).unwrap());
    let first = QueueListener::new(first).handler(passes_on);
    let second = QueueListener::new(way_out).handler(capture.clone());
    say_numbers(&logger, 0..10);
    assert_eq!(first.drain().unwrap().settled, 10);
    second.start().unwrap();
    second.flush(LONG).unwrap();
    let stats = second.stop(LONG);
    assert_eq!((stats.accepted, stats.delivered, stats.pending), (10, 10, 0), "{stats}");
    assert_eq!(capture.messages(), numbers(0..10));
    let sequences: Vec<_> = capture.records().iter().filter_map(LogRecord::sequence).collect();
    assert_eq!(sequences, (1..=10).collect::<Vec<_>>());
}

/// The built-in queue in a wrapper of one's own is a foreign one.
#[test]
fn a_wrapper_around_the_built_in_queue_has_books_of_its_own() {
    struct Wrapper(BoundedQueue);

    impl Dequeue for Wrapper {
        fn dequeue(&mut self, at_most: Duration) -> Result<LogRecord, DequeueError> {
            self.0.dequeue(at_most)
        }
    }

    let queue = BoundedQueue::new();
    let logger = QueueHandler::new(queue.clone());
    let capture = CaptureHandler::new();
    let listener = QueueListener::new(Wrapper(queue)).handler(capture.clone());
    listener.start().unwrap();
    say_numbers(&logger, 0..10);
    logger.flush(LONG).unwrap();
    let stats = listener.stop(LONG);
    assert_eq!((stats.accepted, stats.delivered, stats.pending), (10, 10, 0), "{stats}");
    assert_eq!(capture.messages(), numbers(0..10));
}

/// Two listeners share a queue, and the handler knows one of them: the other's records are its own.
#[test]
fn a_listener_that_the_handler_does_not_know_keeps_its_own_books() {
    let (sender, receiver) = flume::unbounded();
    let (known, other) = (CaptureHandler::new(), CaptureHandler::new());
    let known_listener = QueueListener::new(receiver.clone()).handler(known.clone());
    let other_listener = QueueListener::new(receiver).handler(other.clone());
    let logger = QueueHandler::new(sender).listener(&known_listener);
    say_numbers(&logger, 0..5);
    assert_eq!(other_listener.drain().unwrap().settled, 5);
    say_numbers(&logger, 5..10);
    assert_eq!(known_listener.drain().unwrap().settled, 5);
    assert_eq!((other.messages(), known.messages()), (numbers(0..5), numbers(5..10)));
    let (other, known) = (other_listener.stats(), known_listener.stats());
    assert_eq!((other.accepted, other.delivered, other.pending), (5, 5, 0), "{other}");
    assert_eq!((known.accepted, known.delivered, known.pending), (10, 5, 5), "{known}");
    balances(&known);
}

#[test]
fn a_queue_with_a_handler_that_knows_the_listener_and_one_that_does_not() {
    let (sender, receiver) = flume::bounded(15);
    let capture = CaptureHandler::new();
    let listener = QueueListener::new(receiver).handler(capture.clone());
    let knows = QueueHandler::new(sender.clone()).listener(&listener);
    let other = QueueHandler::new(sender);
    for number in numbers(0..10) {
        say(&knows, &number);
        say(&other, &number);
    }
    assert_eq!(listener.drain().unwrap().settled, 15);
    let (all, other) = (listener.stats(), other.stats());
    assert_eq!((all.accepted, all.delivered, all.dropped.full, all.pending), (15, 15, 2, 0), "{all}");
    assert_eq!((other.accepted, other.dropped.full), (7, 3), "{other}");
    assert_eq!(capture.messages().len(), 15);
}

/// What was dropped is told once: not again after each start, and not again by the next listener.
#[test]
fn losses_are_told_once_however_often_the_listener_is_started() {
    let queue = BoundedQueue::builder().capacity(1).overflow(Overflow::DropNewest).build().unwrap();
    let logger = QueueHandler::new(queue.clone());
    let capture = CaptureHandler::new();
    say(&logger, "kept");
    say(&logger, "lost");
    for _ in 0..2 {
        let listener = QueueListener::new(queue.clone()).handler(capture.clone()).on_error(|_| {});
        for _ in 0..2 {
            listener.start().unwrap();
            say(&logger, "another");
            listener.stop(LONG);
        }
    }
    let notices = capture.messages().into_iter().filter(|message| message.contains("dropped")).collect::<Vec<_>>();
    let lost = logger.stats().dropped.full;
    let told: u64 = notices.iter().map(|text| text.split(' ').nth(1).unwrap().parse::<u64>().unwrap()).sum();
    assert!(lost >= 1 && told == lost, "{lost} were lost, and told: {notices:?}");
}

/// A queue that leads out of the process has a flush of its own, which may be another handler's, and may panic.
#[test]
fn a_flush_of_an_enqueue_s_own_is_waited_for_and_may_panic() {
    struct Passes(QueueHandler);

    impl Enqueue for Passes {
        fn enqueue(&self, record: LogRecord) -> Result<(), EnqueueError> {
            self.0.handle(record);
            Ok(())
        }

        fn flush(&self, timeout: Duration) -> usize {
            assert_ne!(timeout, Duration::ZERO, "in flush");
            self.0.flush(timeout).map_or_else(|error| usize::try_from(error.pending()).unwrap(), |()| 0)
        }
    }

    let queue = BoundedQueue::new();
    let capture = CaptureHandler::new();
    let listener = QueueListener::new(queue.clone()).handler(capture.clone());
    listener.start().unwrap();
    let logger = QueueHandler::new(Passes(QueueHandler::new(queue)));
    say_numbers(&logger, 0..10);
    logger.flush(LONG).unwrap();
    assert_eq!(capture.messages(), numbers(0..10));
    assert_eq!(logger.flush(Duration::ZERO).unwrap_err().pending(), 1);
    assert_eq!(logger.stats().panics, 1);
}

/// A queue of the user's that panics is no reason for the caller of `log::info!` to panic, and the record is counted.
#[test]
fn an_enqueue_that_panics_does_not_reach_the_caller() {
    struct Panics(mpsc::SyncSender<LogRecord>);

    impl Enqueue for Panics {
        fn enqueue(&self, record: LogRecord) -> Result<(), EnqueueError> {
            assert_ne!(record.message(), "1", "in enqueue");
            self.0.enqueue(record)
        }
    }

    for is_known in [false, true] {
        let (sender, receiver) = mpsc::sync_channel(10);
        let capture = CaptureHandler::new();
        let listener = QueueListener::new(receiver).handler(capture.clone());
        let logger = QueueHandler::new(Panics(sender));
        let logger = if is_known { logger.listener(&listener) } else { logger };
        thread::scope(|scope| {
            scope.spawn(|| say_numbers(&logger, 0..3)).join().expect("no panic");
        });
        listener.drain().unwrap();
        assert_eq!(capture.messages(), ["0", "2"]);
        let stats = logger.stats();
        assert_eq!((stats.accepted, stats.dropped.total(), stats.panics, stats.pending), (2, 1, 1, 0), "{stats}");
    }
}

/// A queue that logs, as a socket's crate may, does not come back to itself without end.
#[test]
fn what_an_enqueue_logs_is_ignored() {
    struct Logs(super::Later<QueueHandler>, BoundedQueue);

    impl Enqueue for Logs {
        fn enqueue(&self, record: LogRecord) -> Result<(), EnqueueError> {
            let itself = self.0.lock().unwrap().clone();
            say(&itself.unwrap(), "in enqueue");
            self.1.enqueue(record)
        }
    }

    let (later, queue) = (super::Later::default(), BoundedQueue::new());
    let logger = QueueHandler::new(Logs(std::sync::Arc::clone(&later), queue.clone()));
    *later.lock().unwrap() = Some(logger.clone());
    say(&logger, "one");
    assert_eq!((queue.len(), logger.stats().accepted), (1, 1));
}

/// A handler that passes records on to a full queue, its own say, gets no room by waiting: it may be who has to make it.
#[test]
fn a_full_queue_that_blocks_does_not_block_a_listener() {
    let block = Overflow::Block(Duration::from_secs(3600));
    let queue = BoundedQueue::builder().capacity(1).overflow(block).build().unwrap();
    let logger = QueueHandler::new(queue.clone());
    let itself = logger.clone();
    let passes_on = Calls(move |record: &LogRecord| {
        if record.message() == "one" {
            itself.handle(record.to_builder().message("two").build());
            itself.handle(record.to_builder().message("three").build());
        }
    });
    let listener = QueueListener::new(queue).handler(passes_on);
    listener.start().unwrap();
    say(&logger, "one");
    listener.stop(LONG);
    listener.drain().unwrap();
    let stats = logger.stats();
    assert_eq!((stats.delivered, stats.dropped.full, stats.pending), (2, 1, 0), "{stats}");
}

/// What a dropped listener leaves behind in a channel that ends with it is lost, and said to be.
#[test]
fn a_handler_whose_listener_was_dropped_waits_for_nothing() {
    let (sender, receiver) = mpsc::sync_channel(10);
    let listener = QueueListener::new(receiver).handler(CaptureHandler::new());
    let logger = QueueHandler::new(sender).listener(&listener);
    say(&logger, "never looked at");
    drop(listener);
    say(&logger, "too late");
    let stats = logger.stats();
    assert_eq!((stats.abandoned, stats.pending, stats.dropped.closed), (1, 0, 1), "{stats}");
    logger.flush(LONG).unwrap();
}
