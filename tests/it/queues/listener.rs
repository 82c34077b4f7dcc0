//! A listener that is started, stopped and started again loses nothing, and hangs never.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use logpost::{
    Action, BoundedQueue, CaptureHandler, EmitError, Handler, HttpHandler, LogRecord, QueueHandler, QueueListener,
    Retry, State,
};
use logpost_test_support::{Answer, LONG, Plan, Server, wait_until};

use super::{Moody, SECOND, assert_balanced, every_queue, info, messages};

#[test]
fn starting_it_twice_is_an_error() {
    for (name, (_enqueue, dequeue)) in every_queue(10) {
        let listener = QueueListener::new(dequeue).handler(CaptureHandler::new());
        listener.start().unwrap();
        let error = listener.start().unwrap_err();
        assert!(error.is_already_started(), "{name}: {error}");
        assert!(listener.drain().unwrap_err().is_already_started());
        listener.stop(LONG);
        listener.start().unwrap();
        listener.stop(LONG);
        assert!(!listener.is_running());
    }
}

#[test]
fn a_stop_handles_what_was_there_and_leaves_what_comes_later_to_the_next_start() {
    for (name, (enqueue, dequeue)) in every_queue(1000) {
        let capture = CaptureHandler::new();
        let listener = QueueListener::new(dequeue).handler(capture.clone());
        let handler = QueueHandler::new(enqueue);
        listener.stop(LONG);
        for round in 1..=3 {
            listener.start().unwrap();
            (0..100).for_each(|_| info(&handler, "before"));
            listener.stop(LONG);
            listener.stop(LONG);
            assert_eq!(messages(&capture).len(), round * 100 + (round - 1) * 10, "{name}");
            (0..10).for_each(|_| info(&handler, "after"));
        }
        listener.start().unwrap();
        listener.stop(LONG);
        assert_eq!(messages(&capture).len(), 330, "{name}");
        assert_balanced(&listener.stats());
    }
}

#[test]
fn a_stop_returns_at_its_deadline_and_keeps_what_could_not_be_delivered() {
    for (name, (enqueue, dequeue)) in every_queue(1000) {
        let moody = Moody::down();
        let listener = QueueListener::new(dequeue).handler(moody.clone());
        let handler = QueueHandler::new(enqueue).listener(&listener);
        listener.start().unwrap();
        (0..50).for_each(|number| info(&handler, &number.to_string()));
        wait_until("an attempt fails", || listener.stats().attempts > 0);
        let began = Instant::now();
        let stats = listener.stop(Duration::from_millis(20));
        assert!(began.elapsed() < Duration::from_secs(10), "{name}");
        assert_eq!((stats.pending, stats.abandoned), (50, 0), "{name}");
        assert!(!listener.is_running(), "{name}");
        moody.set_down(false);
        listener.start().unwrap();
        handler.flush(LONG).unwrap();
        let expected: Vec<_> = (0..50).map(|number| number.to_string()).collect();
        assert_eq!(messages(&moody.capture), expected, "{name}");
        assert_eq!(listener.stop(LONG).delivered, 50);
    }
}

#[test]
fn a_full_queue_does_not_keep_a_stop_waiting() {
    for (name, (enqueue, dequeue)) in every_queue(2) {
        let moody = Moody::down();
        let listener = QueueListener::new(dequeue).handler(moody.clone());
        let handler = QueueHandler::new(enqueue);
        listener.start().unwrap();
        (0..100).for_each(|_| info(&handler, "x"));
        let began = Instant::now();
        listener.stop(Duration::from_millis(20));
        assert!(began.elapsed() < Duration::from_secs(10), "{name}");
        assert!(!listener.is_running(), "{name}");
    }
}

/// A server that does this with its first request, and answers 200 to all others.
fn odd_at_first(first: Plan) -> Server {
    let is_first = AtomicBool::new(true);
    Server::scripted(move |_| {
        if is_first.swap(false, Ordering::SeqCst) { first.clone() } else { Plan::Answer(Answer::status(200)) }
    })
}

#[test]
fn a_request_under_way_is_cut_short_and_made_again_after_the_next_start() {
    let server = odd_at_first(Plan::Stall);
    let (sender, receiver) = mpsc::sync_channel(10);
    let handler = HttpHandler::builder(server.url()).timeout(LONG).build().unwrap();
    let listener = QueueListener::new(receiver).handler(handler);
    listener.start().unwrap();
    info(&QueueHandler::new(sender.clone()), "first");
    server.wait_for(1);
    let began = Instant::now();
    let stats = listener.stop(Duration::from_millis(10));
    assert!(began.elapsed() < LONG / 2);
    assert_eq!((stats.pending, stats.abandoned), (1, 0), "{stats}");
    wait_until("the thread has ended", || !listener.is_running());
    info(&QueueHandler::new(sender), "second");
    listener.start().unwrap();
    let stats = listener.stop(LONG);
    assert_eq!((stats.delivered, stats.pending), (2, 0), "{stats}");
}

/// A handler that waits until the test lets it go on, and can't be cut short.
struct Stuck(SyncSender<()>, Receiver<()>);

impl Handler for Stuck {
    fn emit(&mut self, _: &[LogRecord]) -> Result<(), EmitError> {
        let _ = self.0.try_send(());
        let _ = self.1.recv();
        Ok(())
    }
}

#[test]
fn a_handler_that_hangs_keeps_its_thread_and_no_one_else() {
    let (arrive, arrived) = mpsc::sync_channel(1);
    let (release, released) = mpsc::sync_channel::<()>(1);
    let (sender, receiver) = mpsc::sync_channel(10);
    let listener = QueueListener::new(receiver).handler(Stuck(arrive, released));
    let handler = QueueHandler::new(sender).listener(&listener);
    listener.start().unwrap();
    info(&handler, "x");
    arrived.recv_timeout(LONG).unwrap();
    let stats = listener.stop(Duration::from_millis(10));
    assert_eq!(stats.pending, 1);
    assert!(listener.start().unwrap_err().is_already_started());
    drop(release);
    wait_until("it comes back", || !listener.is_running());
    assert_eq!(listener.stats().delivered, 1);
    listener.start().unwrap();
    listener.stop(LONG);
}

#[test]
fn a_panic_of_a_handler_does_not_end_it() {
    struct Panics(CaptureHandler);

    impl Handler for Panics {
        fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
            assert!(records[0].message() != "bad", "as it was told to");
            self.0.emit(records)
        }
    }

    let capture = CaptureHandler::new();
    let (sender, receiver) = mpsc::sync_channel(10);
    let listener = QueueListener::new(receiver).handler(Panics(capture.clone())).on_error(|_| {});
    listener.start().unwrap();
    let handler = QueueHandler::new(sender);
    for message in ["good", "bad", "better"] {
        info(&handler, message);
    }
    let stats = listener.stop(LONG);
    assert_eq!(capture.messages(), ["good", "better"]);
    assert_eq!((stats.delivered, stats.rejected, stats.panics), (2, 1, 1));
}

#[test]
fn prepare_changes_and_drops_records_and_may_panic() {
    for (name, (enqueue, dequeue)) in every_queue(10) {
        let capture = CaptureHandler::new();
        let listener = QueueListener::new(dequeue).handler(capture.clone()).prepare(|record| match record.message() {
            "drop" => None,
            "panic" => panic!("as it was told to"),
            other => Some(record.to_builder().message(other.to_uppercase()).key_value("seen", true).build()),
        });
        let handler = QueueHandler::new(enqueue).listener(&listener);
        listener.start().unwrap();
        for message in ["one", "drop", "panic", "two"] {
            info(&handler, message);
        }
        handler.flush(LONG).unwrap();
        assert_eq!(capture.messages(), ["ONE", "TWO"], "{name}");
        let records = capture.records();
        let pairs: Vec<_> = records[0].key_values().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(pairs, ["seen=true"]);
        let stats = listener.stop(LONG);
        assert_eq!((stats.accepted, stats.delivered, stats.rejected, stats.panics), (4, 3, 1, 1), "{name}");
    }
}

#[test]
fn by_hand_on_the_calling_thread() {
    for (name, (enqueue, dequeue)) in every_queue(10) {
        let moody = Moody::down();
        let listener = QueueListener::new(dequeue).handler(moody.clone()).on_error(|_| {});
        let handler = QueueHandler::new(enqueue);
        let nothing = listener.drain().unwrap();
        assert_eq!((nothing.settled, nothing.waiting), (0, 0), "{name}");
        for message in ["a", "b"] {
            info(&handler, message);
        }
        let failed = listener.drain().unwrap();
        assert_eq!((failed.settled, failed.waiting), (0, 1), "{name}: a handler of single records");
        let again = listener.handle(LogRecord::builder().message("c").build()).unwrap();
        assert_eq!((again.settled, again.waiting), (0, 2), "{name}");
        moody.set_down(false);
        let done = listener.drain().unwrap();
        assert_eq!((done.settled, done.waiting), (3, 0), "{name}");
        // What is handed over comes behind what is at hand, and before what is still in the queue.
        assert_eq!(moody.capture.messages(), ["a", "c", "b"], "{name}");
        assert_balanced(&listener.stats());
    }
}

#[test]
fn what_a_handler_logs_by_hand_goes_nowhere() {
    struct Logs(QueueHandler);

    impl Handler for Logs {
        fn emit(&mut self, _: &[LogRecord]) -> Result<(), EmitError> {
            info(&self.0, "of my own");
            Ok(())
        }
    }

    let queue = BoundedQueue::new();
    let handler = QueueHandler::new(queue.clone());
    let listener = QueueListener::new(queue.clone()).handler(Logs(handler.clone()));
    info(&handler, "x");
    assert_eq!(listener.drain().unwrap().settled, 1);
    assert!(queue.is_empty());
    info(&handler, "the thread is an ordinary one again");
    assert_eq!(queue.len(), 1);
}

#[test]
fn dropping_it_stops_it_and_accounts_for_everything() {
    for (name, (enqueue, dequeue)) in every_queue(10) {
        let capture = CaptureHandler::new();
        let listener = QueueListener::new(dequeue).handler(capture.clone());
        let handler = QueueHandler::new(enqueue).listener(&listener);
        listener.start().unwrap();
        (0..10).for_each(|_| info(&handler, "x"));
        drop(listener);
        assert_eq!(messages(&capture).len(), 10, "{name}");
        assert_eq!(handler.stats().delivered, 10, "{name}");
    }
}

#[test]
fn what_is_at_hand_when_it_is_dropped_is_abandoned() {
    let (sender, receiver) = mpsc::sync_channel(10);
    let moody = Moody::down();
    let listener = QueueListener::new(receiver).handler(moody).on_error(|_| {});
    let handler = QueueHandler::new(sender).listener(&listener);
    (0..3).for_each(|_| info(&handler, "x"));
    assert_eq!(listener.drain().unwrap().waiting, 1);
    drop(listener);
    let stats = handler.stats();
    // The others went with the queue's receiver, which was the listener's: nobody can take them any more.
    assert_eq!((stats.abandoned, stats.pending), (1, 2), "{stats}");
}

#[test]
fn a_queue_of_ours_has_one_listener_at_a_time() {
    let queue = BoundedQueue::new();
    let [first, second] = [(), ()].map(|()| QueueListener::new(queue.clone()).handler(CaptureHandler::new()));
    first.start().unwrap();
    let error = second.start().unwrap_err();
    assert_eq!(error.to_string(), "queue: another listener is started on it");
    assert_eq!(second.drain().unwrap_err().setting(), Some("queue"));
    first.stop(LONG);
    second.start().unwrap();
    info(&QueueHandler::new(queue), "x");
    assert_eq!(second.stop(LONG).delivered, 1);
}

#[test]
fn settings_that_are_wrong_are_named() {
    let listener = || QueueListener::new(BoundedQueue::new());
    let setting = |listener: QueueListener| listener.start().unwrap_err().setting();
    assert_eq!(setting(listener()), Some("handler"));
    let retry = Retry::default().first_delay(Duration::ZERO);
    assert_eq!(setting(listener().handler(CaptureHandler::new()).retry(retry)), Some("first_delay"));
    assert_eq!(listener().drain().unwrap_err().setting(), Some("handler"));
}

#[test]
fn many_threads_start_stop_and_flush_it() {
    for (name, (enqueue, dequeue)) in every_queue(10_000) {
        let capture = CaptureHandler::new();
        let listener = QueueListener::new(dequeue).handler(capture.clone());
        let handler = QueueHandler::new(enqueue).listener(&listener);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let _ = listener.start();
                        (0..10).for_each(|_| info(&handler, "x"));
                        let _ = listener.flush(SECOND);
                        listener.stop(LONG);
                    }
                });
            }
        });
        let _ = listener.start();
        let stats = listener.stop(LONG);
        assert_eq!((stats.delivered, stats.pending), (800, 0), "{name}");
        assert_eq!(messages(&capture).len(), 800, "{name}");
    }
}

#[test]
fn failures_are_told_of_and_end_the_state_failing() {
    let (told, failures) = mpsc::sync_channel(10);
    let (sender, receiver) = mpsc::sync_channel(10);
    let moody = Moody::down();
    let listener = QueueListener::new(receiver).handler(moody.clone()).on_error(move |failure| {
        let _ = told.try_send((failure.to_string(), failure.action()));
    });
    listener.start().unwrap();
    info(&QueueHandler::new(sender), "x");
    let (text, action) = failures.recv_timeout(LONG).unwrap();
    assert_eq!(text, "delivery fails: down (1 record waiting)");
    assert!(matches!(action, Action::Retry(_)));
    assert!(matches!(listener.stats().state, State::Failing { .. }));
    moody.set_down(false);
    let stats = listener.stop(LONG);
    assert_eq!((stats.state, stats.delivered), (State::Idle, 1));
}

#[test]
fn an_answer_that_asks_for_time_is_not_waited_for_by_a_stop() {
    let server = odd_at_first(Plan::Answer(Answer::with(503, &[("Retry-After", "300")], "later")));
    let (sender, receiver) = mpsc::sync_channel(10);
    let listener = QueueListener::new(receiver).handler(HttpHandler::new(server.url()).unwrap());
    listener.start().unwrap();
    info(&QueueHandler::new(sender), "x");
    wait_until("the server has said so", || listener.stats().attempts > 0);
    let stats = listener.stop(LONG);
    assert_eq!((stats.delivered, stats.pending), (1, 0), "{stats}");
}
