//! One listener, several handlers: each gets each record, and one that fails keeps no record from the others.

use std::sync::mpsc;
use std::time::Duration;

use log::Level;
use logpost::{Batch, CaptureHandler, EmitError, Handler, LogRecord, QueueHandler, QueueListener, State};
use logpost_test_support::{LONG, wait_until};

use super::{Moody, SECOND, assert_balanced, every_queue, info, messages, say};

#[test]
fn levels_are_respected_if_asked_for() {
    for (respected, expected) in [(false, vec!["INFO", "ERROR"]), (true, vec!["ERROR"])] {
        let (sender, receiver) = mpsc::sync_channel(10);
        let (all, errors) = (CaptureHandler::new(), CaptureHandler::new());
        let listener = QueueListener::new(receiver)
            .handler(all.clone())
            .handler_at(Level::Error, errors.clone())
            .respect_handler_level(respected);
        listener.start().unwrap();
        let handler = QueueHandler::new(sender);
        say(&handler, Level::Info, "INFO");
        say(&handler, Level::Error, "ERROR");
        let stats = listener.stop(LONG);
        assert_eq!(all.messages(), ["INFO", "ERROR"]);
        assert_eq!(errors.messages(), expected);
        assert_eq!(stats.delivered, 2);
    }
}

#[test]
fn a_record_that_no_handler_wants_is_done_with() {
    let (sender, receiver) = mpsc::sync_channel(10);
    let errors = CaptureHandler::new();
    let listener = QueueListener::new(receiver).handler_at(Level::Error, errors.clone()).respect_handler_level(true);
    let handler = QueueHandler::new(sender).listener(&listener);
    listener.start().unwrap();
    for level in [Level::Info, Level::Error, Level::Info, Level::Info, Level::Error] {
        say(&handler, level, level.as_str());
    }
    handler.flush(LONG).unwrap();
    assert_eq!(errors.messages(), ["ERROR", "ERROR"]);
    assert_eq!(handler.stats().delivered, 5);
}

#[test]
fn one_that_is_down_does_not_keep_the_batch_from_the_others() {
    for (name, (enqueue, dequeue)) in every_queue(1000) {
        let (down, up) = (Moody::down(), CaptureHandler::new());
        let listener = QueueListener::new(dequeue).handler(down.clone()).handler(up.clone());
        let handler = QueueHandler::new(enqueue).listener(&listener);
        (0..100).for_each(|number| info(&handler, &number.to_string()));
        listener.start().unwrap();
        up.wait_for(100, LONG).unwrap();
        let stats = handler.stats();
        assert_eq!((stats.delivered, stats.pending), (0, 100), "{name}: {stats}");
        assert!(matches!(stats.state, State::Failing { .. }), "{name}: {stats}");
        assert!(handler.flush(Duration::from_millis(1)).is_err());
        down.set_down(false);
        handler.flush(LONG).unwrap();
        assert_eq!(messages(&down.capture), messages(&up), "{name}");
        assert_eq!(messages(&up).len(), 100, "{name}: twice to one, since the other failed");
        assert_balanced(&listener.stop(LONG));
    }
}

#[test]
fn a_refusal_by_one_is_a_rejection_that_the_others_have() {
    let (sender, receiver) = mpsc::sync_channel(10);
    let (refuses, takes) = (Moody::default(), CaptureHandler::new());
    refuses.refuses.store(true, std::sync::atomic::Ordering::SeqCst);
    let listener = QueueListener::new(receiver).handler(refuses).handler(takes.clone()).on_error(|_| {});
    let handler = QueueHandler::new(sender).listener(&listener);
    listener.start().unwrap();
    (0..2).for_each(|_| info(&handler, "x"));
    handler.flush(LONG).unwrap();
    let stats = listener.stop(LONG);
    assert_eq!((stats.rejected, stats.delivered), (2, 0));
    assert_eq!(takes.messages().len(), 2);
}

/// Takes so many records at once, and says how many it got.
struct Counts(usize, Duration, mpsc::Sender<usize>);

impl Handler for Counts {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        self.2.send(records.len()).map_err(|_| EmitError::transient("the test has ended"))
    }

    fn batch(&self) -> Batch {
        Batch::default().max_records(self.0).linger(self.1)
    }
}

#[test]
fn each_gets_as_many_at_once_as_it_takes_and_nobody_waits_for_the_patient() {
    let (sender, receiver) = mpsc::sync_channel(100);
    let ((few, fews), (many, manys)) = (mpsc::channel(), mpsc::channel());
    let listener = QueueListener::new(receiver).handler(Counts(4, Duration::ZERO, few)).handler(Counts(10, LONG, many));
    let handler = QueueHandler::new(sender).listener(&listener);
    (0..25).for_each(|_| info(&handler, "x"));
    listener.start().unwrap();
    assert_eq!((0..3).map(|_| manys.recv_timeout(LONG).unwrap()).collect::<Vec<_>>(), [10, 10, 5]);
    assert_eq!((0..8).map(|_| fews.recv_timeout(LONG).unwrap()).collect::<Vec<_>>(), [4, 4, 2, 4, 4, 2, 4, 1]);
    listener.stop(LONG);
}

#[test]
fn what_one_handler_lacks_is_kept_over_a_stop_and_the_others_do_not_get_it_twice() {
    let (sender, receiver) = mpsc::sync_channel(10);
    let (down, up) = (Moody::down(), CaptureHandler::new());
    let listener = QueueListener::new(receiver).handler(up.clone()).handler(down.clone());
    let handler = QueueHandler::new(sender).listener(&listener);
    listener.start().unwrap();
    info(&handler, "x");
    wait_until("one has it, the other has failed", || listener.stats().attempts >= 2);
    let stats = listener.stop(Duration::from_millis(1));
    assert_eq!((stats.pending, stats.delivered), (1, 0));
    down.set_down(false);
    listener.start().unwrap();
    handler.flush(SECOND * 60).unwrap();
    assert_eq!((up.messages().len(), down.capture.messages().len()), (1, 1));
    assert_eq!(listener.stop(LONG).delivered, 1);
}

/// Takes odd numbers, refuses what is a multiple of four, and puts off all else at first.
struct Choosy(bool, CaptureHandler);

impl Handler for Choosy {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        let first = std::mem::replace(&mut self.0, false);
        let outcome = |record: &LogRecord| match record.message().parse::<usize>().unwrap() {
            number if number % 4 == 0 => Err(EmitError::payload("a multiple of four")),
            number if number % 2 == 0 && first => Err(EmitError::transient("not now")),
            _ => self.1.clone().emit(std::slice::from_ref(record)),
        };
        let outcomes: Vec<_> = records.iter().map(outcome).collect();
        if outcomes.iter().all(Result::is_ok) { Ok(()) } else { Err(EmitError::each(outcomes)) }
    }

    fn batch(&self) -> Batch {
        Batch::default().linger(Duration::ZERO)
    }
}

#[test]
fn one_that_tells_records_apart_leaves_those_of_the_others_alone() {
    let (sender, receiver) = mpsc::sync_channel(100);
    let (choosy, all) = (CaptureHandler::new(), CaptureHandler::new());
    let listener = QueueListener::new(receiver)
        .handler(Choosy(true, choosy.clone()))
        .handler(all.clone())
        .handler(Choosy(true, CaptureHandler::new()))
        .on_error(|_| {});
    let handler = QueueHandler::new(sender).listener(&listener);
    (0..20).for_each(|number| info(&handler, &number.to_string()));
    listener.start().unwrap();
    handler.flush(LONG).unwrap();
    let of = |numbers: &[usize]| numbers.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(messages(&all), of(&(0..20).collect::<Vec<_>>()));
    assert_eq!(messages(&choosy), of(&[1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 2, 6, 10, 14, 18]));
    let stats = listener.stop(LONG);
    assert_eq!((stats.delivered, stats.rejected, stats.pending), (15, 5, 0), "{stats}");
}
