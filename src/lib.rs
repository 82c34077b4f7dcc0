//! A backend for the [`log`] crate that posts each record to a web server, as an `application/x-www-form-urlencoded`
//! dictionary: Python's `HTTPHandler`, `QueueHandler` and `QueueListener` in Rust.
//!
//! ```text
//! log::info!  ->  Logger  ->  QueueHandler  ==queue==>  QueueListener  ->  Handler (HttpHandler)  ->  server
//!                 filter      capture, enqueue          take, retry        map, urlencode, POST
//! caller's thread --------------------------|           listener's thread ----------------------|
//! ```
//!
//! # Quick start
//!
//! ```no_run
//! let _guard = logpost::init("http://127.0.0.1:9020/log")?;
//! log::info!("hello");
//! # Ok::<(), logpost::Error>(())
//! ```
//!
//! [`init`] sends everything at level Info and above. [`builder`] has the settings, [`HttpHandler::builder`] those of
//! the requests, and [`Pipeline`] those of one handler's queue:
//!
//! ```no_run
//! use std::time::Duration;
//! use log::LevelFilter;
//! use logpost::{HttpHandler, Overflow, Pipeline};
//!
//! let ingest = HttpHandler::builder("http://logs.example.com/ingest")
//!     .credentials("user", "secret")
//!     .field("service", "checkout")
//!     .timeout(Duration::from_secs(10))
//!     .build()?;
//! let alerts = HttpHandler::new("http://alerts.example.com/notify")?;
//! let guard = logpost::builder()
//!     .level(LevelFilter::Debug)
//!     .handler(ingest)
//!     .handler(Pipeline::new(alerts).level(LevelFilter::Error).overflow(Overflow::DropOldest))
//!     .init()?;
//! log::info!(order = 17; "order accepted");
//! guard.flush(Duration::from_secs(2))?;
//! println!("{}", guard.stats());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is promised
//!
//! - The caller never waits for the network. It formats the record, makes it its own and enqueues it; only
//!   [`Overflow::Block`] waits, for as long as it says.
//! - At least once, while the process lives: an accepted record is offered again, with backoff and in its order, until
//!   it is delivered or refused for good, or [`Guard::stop`] abandons it. What each answer means is in [`ErrorClass`].
//!   Where an answer was lost, a record arrives twice.
//! - A queue is bounded in records and in bytes. What finds it full is dropped as [`Overflow`] says, and counted.
//! - Every record is accounted for, at any moment: [`Stats`].
//! - The end of the process flushes: a return from main, a panic in it, and [`std::process::exit`], all on the thread
//!   that called `init` and for [`Builder::flush_timeout`] at the most. On Windows only [`Guard`] does, when dropped. A
//!   crash, `kill -9`, `abort` and an exit from another thread lose what is in memory.
//! - Failures go to [`Builder::on_error`] or to stderr, never through `log`, and never show a secret.
//! - What is logged on a listener's thread is ignored: the HTTP client logs too, and each of its records would make a
//!   request.
//!
//! # A dictionary of your own
//!
//! [`map_log_record`] makes the default one, with Python's keys. A mapper replaces it, or calls it and adds to it:
//!
//! ```
//! use log::Level;
//! use logpost::HttpHandler;
//!
//! let handler = HttpHandler::builder("http://127.0.0.1:9020/notify")
//!     .map_log_record(|record, fields| {
//!         let priority = if record.level() == Level::Error { 1 } else { 0 };
//!         fields.push("text", record.message()).push("priority", priority);
//!     })
//!     .build()?;
//! # Ok::<(), logpost::Error>(())
//! ```
//!
//! # A destination of your own
//!
//! A [`Handler`] makes one attempt; its [`EmitError`] says what kind of failure it was, and the listener does the rest.
//!
//! ```
//! use std::io::{self, Write};
//! use logpost::{EmitError, Handler, LogRecord};
//!
//! struct Stdout;
//!
//! impl Handler for Stdout {
//!     fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
//!         for record in records {
//!             writeln!(io::stdout(), "{} {}", record.level(), record.message())?; // an I/O error is transient
//!         }
//!         Ok(())
//!     }
//! }
//! ```
//!
//! # In tests
//!
//! [`Builder::build`] installs nothing, and [`CaptureHandler`] keeps what it gets:
//!
//! ```
//! use std::time::Duration;
//! use logpost::CaptureHandler;
//!
//! let capture = CaptureHandler::new();
//! let (logger, guard) = logpost::builder().handler(capture.clone()).build()?;
//! log::info!(logger: logger, "hello");
//! guard.flush(Duration::from_secs(5))?;
//! assert_eq!(capture.messages(), ["hello"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Defaults
//!
//! | | | |
//! |---|---|---|
//! | [`Builder::level`] | Info | [`DEFAULT_LEVEL`] |
//! | [`Builder::flush_timeout`] | 5 s | [`DEFAULT_FLUSH_TIMEOUT`] |
//! | [`Pipeline::capacity`] | 65,536 records | [`DEFAULT_CAPACITY`] |
//! | [`Pipeline::capacity_bytes`] | 32 MiB | [`DEFAULT_CAPACITY_BYTES`] |
//! | [`Pipeline::overflow`] | the newest record is dropped | [`Overflow::DropNewest`] |
//! | [`HttpHandlerBuilder::method`] | POST | [`Method::Post`] |
//! | [`HttpHandlerBuilder::timeout`] | 30 s | [`DEFAULT_TIMEOUT`] |
//! | [`HttpHandlerBuilder::connect_timeout`] | 5 s | [`DEFAULT_CONNECT_TIMEOUT`] |
//! | the delay before another attempt | random, up to 500 ms, doubling to 30 s | [`DEFAULT_FIRST_DELAY`], [`DEFAULT_MAX_DELAY`] |
//! | what is kept of a message | 1 MiB | [`DEFAULT_MAX_MESSAGE_BYTES`] |
//!
//! # Features
//!
//! | feature | default | |
//! |---|---|---|
//! | `rustls` | on | https, by rustls with ring and Mozilla's root certificates |
//!
//! Without it an https URL is an [`Error`] when the handler is built.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod builder;
mod clock;
mod count;
mod error;
mod fields;
mod global;
mod guard;
mod handler;
mod http;
mod listener;
mod logger;
mod process;
mod queue;
mod random;
mod record;
mod stats;
mod sync;
mod testing;
mod value;

pub use builder::{Builder, Pipeline};
pub use error::{Error, FlushError};
pub use fields::{Fields, map_log_record};
pub use global::{flush, stats};
pub use guard::Guard;
pub use handler::{
    Batch, Cancel, DEFAULT_BATCH_BYTES, DEFAULT_BATCH_RECORDS, DEFAULT_LINGER, EmitError, ErrorClass, Handler,
};
pub use http::{
    DEFAULT_CONNECT_TIMEOUT, DEFAULT_TIMEOUT, Encode, Form, FormLines, HttpHandler, HttpHandlerBuilder, Method,
};
pub use listener::{Action, DEFAULT_FIRST_DELAY, DEFAULT_MAX_DELAY, Delivery, Failure, MAX_RETRY_AFTER, Retry};
pub use logger::{DEFAULT_FLUSH_TIMEOUT, DEFAULT_LEVEL, Logger};
pub use queue::{DEFAULT_CAPACITY, DEFAULT_CAPACITY_BYTES, Overflow};
pub use record::{DEFAULT_MAX_MESSAGE_BYTES, LogRecord};
pub use stats::{Dropped, LastError, State, Stats};
pub use testing::CaptureHandler;
pub use value::{Value, ValueKind};

/// Starts to configure a logger.
pub fn builder() -> Builder {
    Builder::default()
}

/// Sends everything that is logged, at level Info and above, to `url`: the process's logger from now on.
///
/// Short for `builder().handler(HttpHandler::new(url)?).init()`.
///
/// # Errors
///
/// If `url` is not an absolute http or https URL, or the process has a logger already.
pub fn init(url: impl Into<String>) -> Result<Guard, Error> {
    builder().handler(HttpHandler::new(url)?).init()
}

/// The README's examples compile, and those that need no server run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
