//! A backend for the [`log`] crate that posts each record to a web server, as an `application/x-www-form-urlencoded`
//! dictionary: Python's `HTTPHandler`, `QueueHandler` and `QueueListener` in Rust.
//!
//! ```text
//! log::info!  ->  Logger  ->  QueueHandler  ==queue==>  QueueListener  ->  Handler (HttpHandler)  ->  server
//!                 filter      capture, enqueue          batch, retry       map, urlencode, POST
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
//! - At least once, while the process lives: see [Delivery](#delivery).
//! - A queue is bounded in records and in bytes. What finds it full is dropped as [`Overflow`] says, counted, and told
//!   to the destination in one record at level Warn: `logpost: N records dropped (queue full)`.
//! - Every record is accounted for, at any moment: [`Stats`].
//! - The end of the process flushes: a return from main, a panic in it, and [`std::process::exit`], all on the thread
//!   that called `init` and for [`Builder::flush_timeout`] at the most. On Windows only [`Guard`] does, when dropped. A
//!   crash, `kill -9`, `abort` and an exit from another thread lose what is in memory. A process forked after `init`
//!   has no listener, and delivers nothing.
//! - Failures go to [`Builder::on_error`] or to stderr, never through `log`, and never show a secret. Either holds up
//!   delivery while it blocks.
//! - What is logged on a listener's thread is ignored: the HTTP client logs too, and each of its records would make a
//!   request.
//!
//! # Delivery
//!
//! An accepted record is offered again, with backoff and in its order, until it is delivered or refused for good, or
//! until [`Guard::stop`] or a limit of [`Retry`] abandons it. What becomes of it is up to the answer:
//!
//! | answer | [`ErrorClass`] | |
//! |---|---|---|
//! | 2xx | | delivered |
//! | I/O error, time-out, 408, 425, 429, 5xx but 501 and 505 | [`Transient`](ErrorClass::Transient) | offered again after the backoff |
//! | 3xx, 401, 403, 404, 501, 505, a bad certificate, all others | [`Endpoint`](ErrorClass::Endpoint) | offered again after the longest backoff |
//! | 400, 413, 414, 415, 422, 431 | [`Payload`](ErrorClass::Payload) | a batch is halved until the guilty record is found, and that one rejected |
//!
//! - The delay is random between nothing and a bound that doubles, as [`Retry`] says. `Retry-After` is the least it can
//!   be, up to [`MAX_RETRY_AFTER`]. [`Guard::flush`] ends it. Where a kept connection was found dead, one more attempt
//!   is made at once.
//! - After three single records in a row were refused, each further one waits out the backoff before it is rejected, so
//!   that a broken server does not eat the queue. A body of 64 KiB or more that the server cuts off three times in a
//!   row counts as refused.
//! - Where an answer was lost, a record arrives twice; [`Delivery::AtMostOnce`] abandons it instead. Each POST has the
//!   header `Idempotency-Key: <instance>-<number>`, the same at every attempt at the same records, for servers that
//!   want to know.
//!
//! # Batches and workers
//!
//! By default a request has one record, and one is under way at a time: at a round trip of 100 ms, ten records a
//! second.
//!
//! - A burst needs room, and no more: [`Pipeline::capacity`], [`Pipeline::capacity_bytes`].
//! - Where there is always more to send than that, and the server can be changed, send batches: [`FormLines`], in
//!   portions that [`Batch`] says. With the feature `gzip` they can be compressed.
//! - Where it can't be, [`Pipeline::workers`] makes several requests at a time. Records may then overtake each other.
//! - When the queue is full all the same, [`Overflow::DropNewest`] keeps what led to the trouble, and
//!   [`Overflow::DropOldest`] what is newest; [`Overflow::Block`] makes the caller wait.
//!
//! ```
//! use std::time::Duration;
//! use logpost::{Batch, FormLines, HttpHandler, Pipeline, Retry};
//!
//! let handler = HttpHandler::builder("http://logs.example.com/lines")
//!     .encoding(FormLines)
//!     .batch(Batch::default().max_records(1000).linger(Duration::from_millis(200)))
//!     .build()?;
//! let pipeline = Pipeline::new(handler)
//!     .workers(4)
//!     .retry(Retry::default().max_age(Duration::from_secs(24 * 3600)));
//! # let _ = pipeline;
//! # Ok::<(), logpost::Error>(())
//! ```
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
//! | [`Builder::max_message_bytes`] | 1 MiB | [`DEFAULT_MAX_MESSAGE_BYTES`] |
//! | [`Builder::flush_timeout`] | 5 s | [`DEFAULT_FLUSH_TIMEOUT`] |
//! | [`Builder::on_error`] | lines on stderr | |
//! | [`Pipeline::level`] | Trace: all that the logger lets through | |
//! | [`Pipeline::capacity`] | 65,536 records | [`DEFAULT_CAPACITY`] |
//! | [`Pipeline::capacity_bytes`] | 32 MiB | [`DEFAULT_CAPACITY_BYTES`] |
//! | [`Pipeline::overflow`] | the newest record is dropped | [`Overflow::DropNewest`] |
//! | [`Pipeline::workers`] | 1 | |
//! | [`Pipeline::delivery`] | at least once | [`Delivery::AtLeastOnce`] |
//! | [`Retry::first_delay`] | 500 ms | [`DEFAULT_FIRST_DELAY`] |
//! | [`Retry::max_delay`] | 30 s | [`DEFAULT_MAX_DELAY`] |
//! | [`Retry::max_attempts`], [`Retry::max_age`] | no limit | |
//! | [`HttpHandlerBuilder::encoding`] | a record a request | [`Form`] |
//! | [`Batch::max_records`] | 512, where the encoding takes several | [`DEFAULT_BATCH_RECORDS`] |
//! | [`Batch::max_bytes`] | 96 KiB | [`DEFAULT_BATCH_BYTES`] |
//! | [`Batch::linger`] | 1 s | [`DEFAULT_LINGER`] |
//! | [`HttpHandlerBuilder::method`] | POST | [`Method::Post`] |
//! | [`HttpHandlerBuilder::timeout`] | 30 s | [`DEFAULT_TIMEOUT`] |
//! | [`HttpHandlerBuilder::connect_timeout`] | 5 s | [`DEFAULT_CONNECT_TIMEOUT`] |
//! | `Retry-After` that is granted | up to 5 min | [`MAX_RETRY_AFTER`] |
//!
//! # Features
//!
//! | feature | default | |
//! |---|---|---|
//! | `rustls` | on | https, by rustls with ring; Mozilla's root certificates, or those of `HttpHandlerBuilder::root_certificate` |
//! | `gzip` | off | `HttpHandlerBuilder::gzip_above`: large bodies are compressed |
//!
//! Without `rustls` an https URL is an [`Error`] when the handler is built.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod builder;
mod clock;
mod count;
mod env;
mod error;
mod fields;
mod filter;
mod form;
mod global;
mod guard;
mod handler;
mod host;
mod http;
mod ledger;
mod listener;
mod logger;
mod panics;
mod pipeline;
mod process;
mod queue;
mod random;
mod record;
mod stats;
mod sync;
mod tees;
pub mod testing;
mod value;
mod wall_clock;

pub use builder::Builder;
pub use env::init_from_env;
pub use error::{Error, FlushError};
pub use fields::{Fields, map_log_record};
pub use global::{flush, stats};
pub use guard::Guard;
pub use handler::{
    Batch, Cancel, DEFAULT_BATCH_BYTES, DEFAULT_BATCH_RECORDS, DEFAULT_LINGER, EmitError, ErrorClass, Handler,
};
pub use host::host_name;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
pub use http::TlsProvider;
#[doc(no_inline)]
pub use http::ureq;
pub use http::{
    DEFAULT_CONNECT_TIMEOUT, DEFAULT_TIMEOUT, DEFAULT_USER_AGENT, Encode, Form, FormLines, HttpHandler,
    HttpHandlerBuilder, Method,
};
pub use listener::{Action, DEFAULT_FIRST_DELAY, DEFAULT_MAX_DELAY, Delivery, Failure, MAX_RETRY_AFTER, Retry};
pub use logger::{DEFAULT_FLUSH_TIMEOUT, DEFAULT_LEVEL, Logger};
pub use pipeline::Pipeline;
pub use queue::{DEFAULT_CAPACITY, DEFAULT_CAPACITY_BYTES, DEFAULT_PREALLOCATED, Overflow};
pub use record::{DEFAULT_MAX_MESSAGE_BYTES, LogRecord};
pub use stats::{Dropped, LastError, PipelineStats, State, Stats};
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
