//! `QueueListenerTest` (bpo-27930): the listener handles all that was logged before it was stopped. With every kind of queue.

use std::time::Duration;

use log::Level;
use logpost::{CaptureHandler, QueueHandler, QueueListener};
use logpost_test_support::LONG;

use super::{Ends, queues, say};

const REPEAT: usize = 20;

/// Logs five messages, and stops the listener.
fn setup_and_log((way_in, way_out): Ends) -> (QueueHandler, QueueListener, CaptureHandler) {
    let capture = CaptureHandler::new();
    let logger = QueueHandler::new(way_in);
    let listener = QueueListener::new(way_out).handler(capture.clone());
    listener.start().unwrap();
    for message in ["one", "two", "three", "four", "five"] {
        say(&logger, Level::Info, message);
    }
    listener.stop(LONG);
    (logger, listener, capture)
}

fn handle_is_called(kind: impl Fn(&str) -> bool) {
    for _ in 0..REPEAT {
        for (name, queue) in queues().into_iter().filter(|(name, _)| kind(name)) {
            let (_, listener, capture) = setup_and_log(queue);
            assert_eq!(capture.messages(), ["one", "two", "three", "four", "five"], "{name}");
            let stats = listener.stats();
            assert_eq!((stats.accepted, stats.delivered, stats.pending), (5, 5, 0), "{name}: {stats}");
        }
    }
}

/// `BoundedQueue`, flume, and the standard library's channel.
#[test]
fn test_handle_called_with_queue_queue() {
    handle_is_called(|name| name != "socket");
}

/// A queue that leads through the kernel. One whose ends are in two processes is in tests/multiprocess.rs.
#[cfg(all(unix, feature = "serde"))]
#[test]
fn test_handle_called_with_mp_queue() {
    handle_is_called(|name| name == "socket");
}

/// Nothing is left in the queue after a stop, not even something that stands for the end.
#[test]
fn test_no_messages_in_queue_after_stop() {
    for _ in 0..REPEAT {
        for (name, queue) in queues() {
            let (logger, listener, capture) = setup_and_log(queue);
            let drained = listener.drain().unwrap();
            assert_eq!((drained.settled, drained.waiting, capture.messages().len()), (0, 0, 5), "{name}");
            // And it is that queue: what comes now is there.
            say(&logger, Level::Info, "six");
            assert_eq!(listener.drain().unwrap().settled, 1, "{name}");
        }
    }
}

/// Python's `join` would wait for a `task_done` that is missing; ours is `flush`.
#[test]
fn test_calls_task_done_after_stop() {
    for (name, queue) in queues() {
        let (logger, listener, _) = setup_and_log(queue);
        assert_eq!(listener.stats().pending, 0, "{name}");
        logger.flush(Duration::ZERO).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
