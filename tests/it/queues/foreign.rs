//! What is promised for a queue holds for queues that others have made.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use log::{Level, LevelFilter, Log};
use logpost::{
    BoundedQueue, CaptureHandler, Enqueue, EnqueueError, LogRecord, Overflow, Pipeline, QueueHandler, QueueListener,
};
use logpost_test_support::{LONG, wait_until};

use super::{Moody, assert_balanced, every_queue, info, messages, say};

const THREADS: usize = 4;
const EACH: usize = 250;

/// Has several threads log, and returns what each has said, in its order.
fn log_from_threads(handler: &QueueHandler) -> Vec<Vec<String>> {
    thread::scope(|scope| {
        let work = |thread: usize| {
            move || {
                let said: Vec<_> = (0..EACH).map(|number| format!("{thread} {number}")).collect();
                for message in &said {
                    info(handler, message);
                }
                said
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(work(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn assert_all_in_order(of: &str, said: &[Vec<String>], capture: &CaptureHandler) {
    let heard = messages(capture);
    assert_eq!(heard.len(), THREADS * EACH, "{of}");
    for (thread, said) in said.iter().enumerate() {
        let prefix = format!("{thread} ");
        let heard: Vec<_> = heard.iter().filter(|message| message.starts_with(&prefix)).collect();
        assert!(heard.into_iter().eq(said), "{of}");
    }
}

#[test]
fn every_queue_carries_all_records_in_order() {
    for linked in [false, true] {
        for (name, (enqueue, dequeue)) in every_queue(THREADS * EACH) {
            let capture = CaptureHandler::new();
            let listener = QueueListener::new(dequeue).handler(capture.clone());
            let mut handler = QueueHandler::new(enqueue);
            if linked {
                handler = handler.listener(&listener);
            }
            listener.start().unwrap();
            let said = log_from_threads(&handler);
            if linked {
                handler.flush(LONG).unwrap();
            } else {
                listener.flush(LONG).unwrap();
            }
            assert_all_in_order(name, &said, &capture);
            for stats in [handler.stats(), listener.stats()] {
                assert_eq!((stats.accepted, stats.delivered), ((THREADS * EACH) as u64, stats.accepted), "{name}");
                assert_balanced(&stats);
            }
            listener.stop(LONG);
        }
    }
}

#[test]
fn what_a_full_queue_gives_back_is_counted_and_told() {
    for (name, (enqueue, dequeue)) in every_queue(2) {
        if ["unbounded flume", "channel", "a deque"].contains(&name) {
            continue;
        }
        let capture = CaptureHandler::new();
        let listener = QueueListener::new(dequeue).handler(capture.clone());
        let handler = QueueHandler::new(enqueue).listener(&listener);
        (0..5).for_each(|number| info(&handler, &number.to_string()));
        let stats = handler.stats();
        assert_eq!((stats.accepted, stats.dropped.full, stats.pending), (2, 3, 2), "{name}");
        listener.start().unwrap();
        handler.flush(LONG).unwrap();
        capture.wait_for(3, LONG).unwrap();
        assert_eq!(capture.messages(), ["0", "1", "logpost: 3 records dropped (queue full)"], "{name}");
        assert_balanced(&listener.stop(LONG));
    }
}

#[test]
fn without_a_known_listener_each_side_has_books_of_its_own() {
    let (sender, receiver) = mpsc::sync_channel(2);
    let handler = QueueHandler::new(sender);
    (0..3).for_each(|number| info(&handler, &number.to_string()));
    let stats = handler.stats();
    assert_eq!((stats.accepted, stats.delivered, stats.pending, stats.dropped.full), (2, 2, 0, 1));
    handler.flush(LONG).unwrap();
    let listener = QueueListener::new(receiver).handler(CaptureHandler::new());
    assert_eq!(listener.stats().accepted, 0);
    listener.start().unwrap();
    let stats = listener.stop(LONG);
    assert_eq!((stats.accepted, stats.delivered, stats.dropped.total()), (2, 2, 0));
}

#[test]
fn a_queue_whose_senders_are_gone_is_delivered_and_ends_its_listener() {
    for (name, (enqueue, dequeue)) in every_queue(10) {
        if ["built-in", "a deque"].contains(&name) {
            continue;
        }
        let moody = Moody::down();
        let listener = QueueListener::new(dequeue).handler(moody.clone());
        listener.start().unwrap();
        let handler = QueueHandler::new(enqueue);
        info(&handler, "last words");
        drop(handler);
        wait_until("an attempt fails", || listener.stats().attempts > 0);
        assert!(listener.is_running());
        moody.set_down(false);
        wait_until("the listener ends", || !listener.is_running());
        assert_eq!(moody.capture.messages(), ["last words"], "{name}");
        assert_eq!(listener.stop(LONG).delivered, 1);
    }
}

#[test]
fn what_is_put_into_a_closed_queue_is_counted() {
    let (sender, receiver) = flume::bounded(10);
    let handler = QueueHandler::new(sender);
    drop(receiver);
    info(&handler, "nobody hears");
    assert_eq!(handler.stats().dropped.closed, 1);
}

/// Logs until the test has seen enough.
fn under_load(handler: &QueueHandler, test: impl FnOnce()) {
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !enough.load(Ordering::SeqCst) {
                info(handler, "and so on");
            }
        });
        test();
        enough.store(true, Ordering::SeqCst);
    });
}

#[test]
fn a_flush_returns_while_others_go_on_logging() {
    // A queue that knows its length, and one that does not but whose handler knows its listener.
    let (sender, receiver) = flume::bounded(1000);
    let listener = QueueListener::new(receiver).handler(Moody::default());
    listener.start().unwrap();
    let handler = QueueHandler::new(sender);
    under_load(&handler, || (0..20).for_each(|_| listener.flush(LONG).unwrap()));

    let (sender, receiver) = mpsc::sync_channel(1000);
    let listener = QueueListener::new(receiver).handler(Moody::default());
    listener.start().unwrap();
    let handler = QueueHandler::new(sender).listener(&listener);
    under_load(&handler, || (0..20).for_each(|_| handler.flush(LONG).unwrap()));
    listener.stop(LONG);
}

#[test]
fn a_flush_covers_what_was_in_the_queue_and_no_books() {
    let (sender, receiver) = mpsc::sync_channel(1000);
    let handler = QueueHandler::new(sender);
    let capture = CaptureHandler::new();
    let listener = QueueListener::new(receiver).handler(capture.clone());
    let error = listener.flush(LONG).unwrap_err();
    assert_eq!(error.to_string(), "the queue's listener is not started (0 records pending)");
    listener.start().unwrap();
    for number in 1..=50 {
        info(&handler, "x");
        listener.flush(LONG).unwrap();
        assert_eq!(capture.messages().len(), number);
    }
}

#[test]
fn a_queue_that_leads_elsewhere_is_flushed_by_itself() {
    /// Has so many records left, however long it is waited for.
    struct Elsewhere(usize);

    impl Enqueue for Elsewhere {
        fn enqueue(&self, _: LogRecord) -> Result<(), EnqueueError> {
            Ok(())
        }

        fn flush(&self, _: Duration) -> usize {
            self.0
        }
    }

    let (logger, guard) = logpost::builder().queue(Elsewhere(3)).queue(Elsewhere(4)).build().unwrap();
    info(&logger, "x");
    assert_eq!(guard.flush(LONG).unwrap_err().pending(), 7);
    QueueHandler::new(Elsewhere(0)).flush(LONG).unwrap();
}

#[test]
fn a_logger_puts_what_passes_its_filters_into_a_queue() {
    let queue = BoundedQueue::new();
    let (sender, receiver) = flume::bounded(10);
    let pipeline = CaptureHandler::new();
    let builder = logpost::builder().level(LevelFilter::Info).handler(pipeline.clone()).queue(queue.clone());
    let builder = builder.queue(QueueHandler::new(sender).level(LevelFilter::Error));
    let (logger, guard) = builder.build().unwrap();
    for level in [Level::Error, Level::Info, Level::Debug] {
        say(&logger, level, level.as_str());
    }
    let capture = CaptureHandler::new();
    let listener = QueueListener::new(queue).handler(capture.clone());
    let error = guard.flush(Duration::ZERO).unwrap_err();
    assert!(error.to_string().starts_with("the queue's listener is not started ("), "{error}");
    listener.start().unwrap();
    guard.flush(LONG).unwrap();
    assert_eq!(capture.messages(), ["ERROR", "INFO"]);
    assert_eq!(pipeline.messages(), ["ERROR", "INFO"]);
    assert_eq!(receiver.len(), 1);
    let names: Vec<_> = guard.stats_by_pipeline().into_iter().map(|of| (of.name, of.stats.delivered)).collect();
    assert_eq!(names, [("pipeline-1".to_owned(), 2), ("queue-1".to_owned(), 2), ("queue-2".to_owned(), 1)]);

    guard.stop(LONG);
    say(&logger, Level::Error, "late");
    logger.flush();
    assert_eq!(guard.stats().dropped.closed, 3);
    assert!(listener.is_running(), "it is not the guard's to stop");
    assert_eq!(capture.messages().len(), 2);
}

#[test]
fn a_function_that_would_never_be_called_is_an_error() {
    let builder = || logpost::builder().queue(BoundedQueue::new()).on_error(|_| {});
    assert_eq!(builder().build().unwrap_err().setting(), Some("on_error"));
    assert!(builder().handler(CaptureHandler::new()).build().is_ok());
}

#[test]
fn a_name_of_a_queue_is_not_a_pipelines() {
    let pipeline = Pipeline::new(CaptureHandler::new()).name("queue-1");
    let error = logpost::builder().handler(pipeline).queue(BoundedQueue::new()).build().unwrap_err();
    assert_eq!(error.setting(), Some("name"));
    assert!(error.to_string().contains("\"queue-1\""), "{error}");
}

#[test]
fn a_queue_of_ours_keeps_its_policy_behind_a_handler() {
    let queue = BoundedQueue::builder().capacity(2).overflow(Overflow::DropOldest).build().unwrap();
    let handler = QueueHandler::new(queue.clone());
    (0..4).for_each(|number| info(&handler, &number.to_string()));
    let stats = handler.stats();
    assert_eq!((stats.accepted, stats.dropped.oldest), (2, 2));
    let capture = CaptureHandler::new();
    let listener = QueueListener::new(queue).handler(capture.clone());
    listener.drain().unwrap();
    assert_eq!(messages(&capture), ["2", "3"]);
}

#[cfg(feature = "serde")]
#[test]
fn a_record_from_another_process_is_sent_as_that_processs() {
    let here = logpost::LogRecord::builder().message("m").thread(3).thread_name("worker").key_value("n", 1).build();
    let there = serde_json::to_string(&here.to_builder().process(77).process_name("child").build()).unwrap();
    let (sender, receiver) = mpsc::sync_channel(1);
    QueueHandler::new(sender).handle(serde_json::from_str(&there).unwrap());
    let capture = CaptureHandler::new();
    QueueListener::new(receiver).handler(capture.clone()).drain().unwrap();
    let fields = &capture.fields()[0];
    let text = |key| fields.get(key).map(|value| value.to_string()).unwrap_or_default();
    assert_eq!([text("process"), text("processName")], ["77", "child"]);
    assert_eq!([text("thread"), text("threadName"), text("n")], ["3", "worker", "1"]);
    let mut own = logpost::Fields::new();
    logpost::map_log_record(&here, &mut own);
    assert_eq!(fields.get("created"), own.get("created"));
    assert_eq!(fields.get("relativeCreated"), own.get("relativeCreated"));
}
