//! `QueueHandlerTest`.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use log::{Level, LevelFilter, Log, Metadata, Record};
use logpost::{BoundedQueue, CaptureHandler, Dequeue as _, DequeueError, EmitError, Handler, LogRecord, QueueHandler};
use logpost::{QueueListener, map_log_record};
use logpost_test_support::LONG;

use super::say;

/// What the class sets up: a logger at WARNING, and its queue.
fn set_up() -> (QueueHandler, BoundedQueue) {
    let queue = BoundedQueue::new();
    (QueueHandler::new(queue.clone()).level(LevelFilter::Warn), queue)
}

#[test]
fn test_queue_handler() {
    let (logger, mut queue) = set_up();
    for level in [Level::Debug, Level::Info] {
        say(&logger, level, "below");
        assert_eq!(queue.dequeue(Duration::ZERO).unwrap_err(), DequeueError::Empty);
    }
    say(&logger, Level::Warn, "3");
    let record: LogRecord = queue.dequeue(Duration::ZERO).unwrap();
    assert_eq!((record.target(), record.message(), record.level()), ("que", "3", Level::Warn));
    // Python's args are None behind the queue: the message has them in it.
    let mut fields = logpost::Fields::new();
    map_log_record(&record, &mut fields);
    assert!(fields.get("args").is_none());
}

/// What is queued is text: it is formatted before, on the caller's thread. A formatter of one's own is a `prepare`, on the
/// other side.
#[test]
fn test_formatting() {
    let (logger, queue) = set_up();
    let mut number = 7;
    let record = &mut Record::builder();
    logger.log(&record.level(Level::Warn).target("que").args(format_args!("number {number}")).build());
    number += 1;
    say(&logger, Level::Warn, &format!("number {number}"));

    let capture = CaptureHandler::new();
    let listener = QueueListener::new(queue).handler(capture.clone()).prepare(|record| {
        let text = format!("{} -> {}: {}", record.target(), record.level(), record.message());
        Some(record.to_builder().message(text).build())
    });
    assert_eq!(listener.drain().unwrap().settled, 2);
    assert_eq!(capture.messages(), ["que -> WARN: number 7", "que -> WARN: number 8"]);
    let fields = &capture.fields()[0];
    assert_eq!(fields.get("msg").unwrap().as_str(), Some("que -> WARN: number 7"));
    // Python has the same text a second time.
    assert!(fields.get("message").is_none());
}

/// Rust has no CRITICAL: each level is one lower than Python's.
#[test]
fn test_queue_listener() {
    let queue = BoundedQueue::new();
    let logger = QueueHandler::new(queue.clone()).level(LevelFilter::Info);
    let capture = CaptureHandler::new();
    let listener = QueueListener::new(queue.clone()).handler(capture.clone());
    listener.start().unwrap();
    say(&logger, Level::Info, "1");
    say(&logger, Level::Warn, "2");
    say(&logger, Level::Error, "3");
    listener.stop(LONG);
    listener.stop(LONG);
    let got = |capture: &CaptureHandler| -> Vec<(Level, String)> {
        capture.records().iter().map(|record| (record.level(), record.message().to_owned())).collect()
    };
    let text = str::to_owned;
    assert_eq!(got(&capture), [(Level::Info, text("1")), (Level::Warn, text("2")), (Level::Error, text("3"))]);
    drop(listener);

    let capture = CaptureHandler::new();
    let listener = QueueListener::new(queue).handler_at(Level::Error, capture.clone()).respect_handler_level(true);
    listener.start().unwrap();
    say(&logger, Level::Info, "4");
    say(&logger, Level::Warn, "5");
    say(&logger, Level::Error, "6");
    listener.stop(LONG);
    assert_eq!(got(&capture), [(Level::Error, text("6"))]);
}

/// A `StreamHandler`: a line a record, of the message and the key-values.
#[derive(Clone, Default)]
struct Stream(Arc<Mutex<String>>);

impl Stream {
    fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }

    fn write(&self, level: Level, message: impl fmt::Display) {
        writeln!(self.0.lock().unwrap(), "{level}: {message}").unwrap();
    }
}

impl Handler for Stream {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        for record in records {
            self.write(record.level(), record.message());
            for (key, value) in record.key_values() {
                writeln!(self.0.lock().unwrap(), "{key}={value}").unwrap();
            }
        }
        Ok(())
    }
}

/// Rust's exceptions are errors, and its stacks are backtraces; both are key-values of the call. Each is there once.
#[test]
fn test_queue_listener_with_stream_handler() {
    let (logger, queue) = set_up();
    let (stream, capture) = (Stream::default(), CaptureHandler::new());
    let listener = QueueListener::new(queue).handler(stream.clone()).handler(capture.clone());
    listener.start().unwrap();
    let error = "one".parse::<u32>().unwrap_err();
    for (message, pair) in [
        ("1", ("error", log::kv::Value::from_debug(&error))),
        ("2", ("backtrace", log::kv::Value::from("Stack (most recent call last)"))),
    ] {
        let record = &mut Record::builder();
        record.level(Level::Error).key_values(&pair);
        logger.log(&record.args(format_args!("{message}")).build());
    }
    listener.stop(LONG);
    let text = stream.text();
    assert_eq!((text.matches("ParseIntError").count(), text.matches("Stack").count()), (1, 1), "{text}");
    let sent = format!("{:?}", capture.fields());
    assert_eq!((sent.matches("ParseIntError").count(), sent.matches("Stack").count()), (1, 1), "{sent}");
}

/// A second logger beside the queue, with a format of its own.
impl Log for Stream {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.write(record.level(), format_args!("{} -> {}", record.target(), record.args()));
    }

    fn flush(&self) {}
}

/// What a queue's records are formatted as does not show anywhere else: neither in another logger, nor in the record that
/// another listener's handler gets.
#[test]
fn test_queue_listener_with_multiple_handlers() {
    let (formatted, plain) = (BoundedQueue::new(), BoundedQueue::new());
    let (tee, capture, other) = (Stream::default(), CaptureHandler::new(), CaptureHandler::new());
    let listener = QueueListener::new(formatted.clone())
        .handler(capture.clone())
        .prepare(|record| Some(record.to_builder().message("formatted").key_value("added", 1).build()));
    let other_listener = QueueListener::new(plain.clone()).handler(other.clone());
    let (logger, _guard) = logpost::builder().queue(formatted).queue(plain).tee(tee.clone()).build().unwrap();
    listener.start().unwrap();
    other_listener.start().unwrap();
    say(&logger, Level::Error, "error");
    listener.stop(LONG);
    other_listener.stop(LONG);
    assert_eq!(capture.messages(), ["formatted"]);
    assert_eq!(tee.text(), "ERROR: que -> error\n");
    assert_eq!((other.messages(), other.records()[0].key_values().count()), (vec!["error".to_owned()], 0));
}

/// Python's `with` is a scope: the listener's end stops it. It is started in it, not by it, as a start can fail.
#[test]
fn test_queue_listener_context_manager() {
    let (logger, queue) = set_up();
    let capture = CaptureHandler::new();
    {
        let listener = QueueListener::new(queue.clone()).handler(capture.clone());
        assert!(!listener.is_running());
        listener.start().unwrap();
        assert!(listener.is_running());
        say(&logger, Level::Warn, "inside");
    }
    assert_eq!(capture.messages(), ["inside"]);
    let listener = QueueListener::new(queue).handler(capture);
    listener.start().expect("nobody listens any more");
    listener.stop(LONG);
    assert!(!listener.is_running());
    listener.stop(LONG);
}

#[test]
fn test_queue_listener_multi_start() {
    let (logger, queue) = set_up();
    let capture = CaptureHandler::new();
    let listener = QueueListener::new(queue).handler(capture.clone());
    for _ in 0..2 {
        listener.start().unwrap();
        for _ in 0..2 {
            let error = listener.start().unwrap_err();
            assert!(error.is_already_started(), "{error}");
        }
        say(&logger, Level::Warn, "still one thread");
        listener.stop(LONG);
    }
    listener.start().unwrap();
    listener.stop(LONG);
    assert_eq!(capture.messages(), ["still one thread"; 2]);
}
