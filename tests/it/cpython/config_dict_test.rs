//! `ConfigDictTest`, as far as it is about the three classes. Rust has no `dictConfig`, which makes objects of names: the
//! builders are the configuration, and the compiler is who finds a class that is none.
//!
//! Without a counterpart:
//! - `test_config_queue_handler_does_not_create_multiprocessing_manager`,
//!   `test_config_queue_handler_invalid_config_does_not_create_multiprocessing_manager`: to tell whether an object is a queue,
//!   `dictConfig` started a process, a `multiprocessing.Manager`. Here a trait says what a queue is, when it is compiled.
//! - `test_config_queue_handler_multiprocessing_context`: that the process so started had the right start method. There is
//!   neither.

use log::{Level, LevelFilter};
use logpost::{BoundedQueue, CaptureHandler, Enqueue, EnqueueError, LogRecord, Overflow, QueueHandler, QueueListener};
use logpost_test_support::LONG;

use super::{Ends, queues, say};

/// A queue and a listener by configuration: of all kinds, and wrong ones.
#[test]
fn test_config_queue_handler() {
    for respect in [false, true] {
        for (name, (way_in, way_out)) in queues() {
            let capture = CaptureHandler::new();
            let listener =
                QueueListener::new(way_out).handler_at(Level::Warn, capture.clone()).respect_handler_level(respect);
            let handler = QueueHandler::new(way_in).level(LevelFilter::Debug);
            let (logger, _guard) = logpost::builder().level(LevelFilter::Trace).queue(handler).build().unwrap();
            listener.start().unwrap();
            for (level, message) in
                [(Level::Trace, "none"), (Level::Debug, "foo"), (Level::Info, "bar"), (Level::Warn, "baz")]
            {
                say(&logger, level, message);
            }
            listener.stop(LONG);
            let expected = if respect { vec!["baz"] } else { vec!["foo", "bar", "baz"] };
            assert_eq!(capture.messages(), expected, "{name}");
        }
    }
    // Some failure cases. Each names what is wrong; Python's says "Unable to configure handler 'ah'".
    let error = BoundedQueue::builder().capacity(0).build().unwrap_err();
    assert!(error.setting() == Some("capacity") && error.to_string().contains("is 0"), "{error}");
    let error = BoundedQueue::builder().capacity_bytes(0).build().unwrap_err();
    assert!(error.setting() == Some("capacity_bytes") && error.to_string().contains("is 0"), "{error}");
    let error = QueueListener::new(BoundedQueue::new()).start().unwrap_err();
    assert_eq!(error.setting(), Some("handler"), "{error}");
    let error = logpost::builder().build().unwrap_err();
    assert_eq!(error.setting(), Some("handler"), "{error}");
}

/// A queue that leads out of the process is one like any other, for a logger that is configured with it.
#[cfg(all(unix, feature = "serde"))]
#[test]
fn test_multiprocessing_queues() {
    let (way_in, way_out) = super::over_a_socket();
    let (capture, listener) = configured(way_in, way_out);
    assert_eq!(capture.messages(), ["through the kernel"]);
    assert!(listener.drain().is_ok());
}

/// The same queue in a logger that is configured where nobody listens: it does no harm (gh-111615).
#[cfg(all(unix, feature = "serde"))]
#[test]
fn test_111615() {
    let (way_in, way_out) = super::over_a_socket();
    let (logger, guard) = logpost::builder().queue(QueueHandler::new(way_in)).build().unwrap();
    say(&logger, Level::Info, "before");
    drop(way_out);
    say(&logger, Level::Info, "after");
    let stats = guard.stats();
    assert_eq!((stats.accepted, stats.dropped.closed), (1, 1), "{stats}");
}

#[cfg(all(unix, feature = "serde"))]
fn configured(
    way_in: impl Enqueue + 'static,
    way_out: impl logpost::Dequeue + 'static,
) -> (CaptureHandler, QueueListener) {
    let capture = CaptureHandler::new();
    let listener = QueueListener::new(way_out).handler(capture.clone());
    let (logger, _guard) = logpost::builder().queue(QueueHandler::new(way_in)).build().unwrap();
    listener.start().unwrap();
    say(&logger, Level::Info, "through the kernel");
    listener.stop(LONG);
    (capture, listener)
}

/// Settings of a handler's own reach it: a queue of one's own has fields, and a handler its settings (gh-118868).
#[test]
fn test_kwargs_passing() {
    struct Numbered {
        prefix: &'static str,
        queue: BoundedQueue,
    }

    impl Enqueue for Numbered {
        fn enqueue(&self, record: LogRecord) -> Result<(), EnqueueError> {
            let text = format!("{} {}", self.prefix, record.message());
            self.queue.enqueue(record.to_builder().message(text).build())
        }
    }

    let queue = BoundedQueue::builder().capacity(1).overflow(Overflow::DropOldest).build().unwrap();
    let handler = QueueHandler::new(Numbered { prefix: "bar", queue: queue.clone() });
    let (_, way_out): Ends = super::ends(queue.clone(), queue);
    let capture = CaptureHandler::new();
    say(&handler, Level::Info, "pushed out");
    say(&handler, Level::Info, "kept");
    assert_eq!(QueueListener::new(way_out).handler(capture.clone()).drain().unwrap().settled, 1);
    assert_eq!(capture.messages(), ["bar kept"]);
}
