//! A backend for the [`log`] crate that posts each record to a web server, as an `application/x-www-form-urlencoded`
//! dictionary: Python's `HTTPHandler`, `QueueHandler` and `QueueListener` in Rust.
//!
//! ```text
//! log::info!  ->  Logger  ->  QueueHandler  ==queue==>  QueueListener  ->  Handler (HttpHandler)  ->  server
//!                 filter      capture, enqueue          batch, retry       map, urlencode, POST
//! caller's thread --------------------------|           listener's thread ----------------------|
//! ```
//!
//! 1. [Quick start](#quick-start)
//! 2. [What is promised](#what-is-promised), and how: [delivery](#delivery), [flush and stop](#flush-and-stop), [who is
//!    told](#who-is-told)
//! 3. [Overflow, batches and workers](#overflow-batches-and-workers): what to choose
//! 4. [What is logged, and where to](#what-is-logged-and-where-to)
//! 5. [What is sent](#what-is-sent)
//! 6. [Behind a proxy](#behind-a-proxy), and [https](#https)
//! 7. [Queues of your own](#queues-of-your-own), listeners that start and stop, and [several
//!    processes](#several-processes)
//! 8. [In tests](#in-tests)
//! 9. [Nothing arrives](#nothing-arrives): how to find out in three steps
//! 10. [Defaults](#defaults): every setting, in one table
//! 11. [Features](#features)
//!
//! # Quick start
//!
//! ```no_run
//! let _guard = logpost::init("http://127.0.0.1:9020/log")?;
//! log::info!("hello");
//! # Ok::<(), logpost::Error>(())
//! ```
//!
//! [`init`] sends everything at level Info and above; [`init_from_env`] asks the environment where to. [`builder`] has
//! the settings, [`HttpHandler::builder`] those of the requests, and [`Pipeline`] those of one handler's queue:
//!
//! ```no_run
//! use std::time::Duration;
//! use log::LevelFilter;
//! use logpost::{HttpHandler, Overflow, Pipeline};
//!
//! let ingest = HttpHandler::builder("https://logs.example.com/ingest")
//!     .credentials("user", "secret")
//!     .field("service", "checkout")
//!     .field("host", &logpost::host_name())
//!     .timeout(Duration::from_secs(10))
//!     .build()?;
//! let alerts = HttpHandler::new("https://alerts.example.com/notify")?;
//! let guard = logpost::builder()
//!     .level(LevelFilter::Debug)
//!     .handler(ingest)
//!     .handler(Pipeline::new(alerts).level(LevelFilter::Error).overflow(Overflow::DropOldest))
//!     .log_panics(true)
//!     .init()?;
//! log::info!(order = 17; "order accepted");
//! guard.flush(Duration::from_secs(2))?;
//! println!("{}", guard.stats());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A setting that is wrong is an [`Error`] of `build` or `init`, which names it and shows its value without its
//! secrets.
//!
//! # What is promised
//!
//! - The caller never waits for the network. It formats the record, makes it its own and enqueues it; only
//!   [`Overflow::Block`] waits, for as long as it says. A record is 128 bytes, with up to 68 bytes of text inside: a
//!   short one takes no allocation, any other one for each handler.
//! - At least once, while the process lives: see [Delivery](#delivery).
//! - Each thread's records arrive in their order, retries included, as long as there is one worker.
//! - A queue is bounded in records and in bytes. What finds it full is dropped as [`Overflow`] says, counted, and told
//!   to the destination in one record at level Warn: `logpost: N records dropped (queue full)`.
//! - Every record is accounted for, at any moment: [`Stats`].
//! - The end of the process flushes: a return from main, a panic in it, and [`std::process::exit`], all on the thread
//!   that called `init` and for [`Builder::flush_timeout`] at the most. On Windows only [`Guard`] does, when dropped. A
//!   crash, `kill -9`, `abort` (but for a panic under [`Builder::log_panics`]) and an exit from another thread lose
//!   what is in memory. A process forked after `init` has no listener, and delivers nothing; it must not log if other
//!   threads may have been logging at the fork, as a lock that one of them held is never released there.
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
//! | I/O error, time-out, a name that is not found, 408, 425, 429, 5xx but 501 and 505 | [`Transient`](ErrorClass::Transient) | offered again after the backoff |
//! | 3xx (never followed), 401, 403, 404, 501, 505, a bad certificate, a proxy that refuses, all others | [`Endpoint`](ErrorClass::Endpoint) | offered again after the longest backoff |
//! | 400, 413, 414, 415, 422, 431 | [`Payload`](ErrorClass::Payload) | a batch is halved until the guilty record is found, and that one rejected |
//!
//! - The delay is random between nothing and a bound that doubles, as [`Retry`] says. `Retry-After` is the least it can
//!   be, up to [`MAX_RETRY_AFTER`]. [`Guard::flush`] ends it. Where a kept connection was found dead, one more attempt
//!   is made at once.
//! - After three single records in a row were refused, each further one waits out the backoff and is offered once more
//!   before it is rejected, so that a broken server does not eat the queue. A body of 64 KiB or more that the server
//!   cuts off three times in a row counts as refused: that is how a 413 looks that comes before the body was read.
//! - Where an answer was lost, a record arrives twice. [`Delivery::AtMostOnce`] makes a second attempt only where the
//!   first can't have arrived: no connection was made, or the server answered 3xx or 4xx. What may have arrived is
//!   abandoned.
//! - Each POST has the header `Idempotency-Key: <instance>-<number>`: the same at every attempt at the same records,
//!   different for any others. The instance is random, one for each worker. A server that remembers the keys it has
//!   taken recognises what comes twice. A batch that was halved, or of which some records were taken, has new keys.
//! - A 200 may be a refusal: an encoding, or [`accept`](HttpHandlerBuilder::accept), reads the answer's body where that
//!   decides. Where it says of each record what became of it ([`EmitError::each`]), those that are delivered are not
//!   sent again, those that are refused are rejected, each with the server's reason, and the others are offered again.
//!
//! # Flush and stop
//!
//! [`Guard::flush`] waits until all that was accepted before the call has its outcome: delivered, rejected or
//! abandoned. It ends a backoff. [`Guard::stop`] delivers what it can within its time-out, then cuts the requests under
//! way, abandons the rest and ends the threads; it returns within 100 ms of the time-out. Dropping the guard flushes,
//! for [`Builder::flush_timeout`], and stops nothing. [`flush()`] and [`stats()`] do the same service where the guard
//! is not at hand.
//!
//! # Who is told
//!
//! Unless [`Builder::on_error`] is set, stderr gets one line when delivery starts to fail, one a minute while it lasts,
//! and one when it works again, with how many records were lost meanwhile:
//!
//! ```text
//! logpost: delivery fails: http://127.0.0.1:9020: io: Connection refused (os error 111) (5 records waiting)
//! logpost: delivery works again after 12.3 s; 0 records lost meanwhile
//! ```
//!
//! Records that are rejected, or abandoned while the listener runs (what a stop abandons is in the [`Stats`] that it
//! returns), and those that found the queue full, have a line a minute each at the most.
//! A stderr that is closed does no harm; one that blocks (a pipe that nobody reads) holds up delivery: set `on_error`
//! then. It is told of every failure, with its records and what is done about it, and not of drops.
//!
//! # Overflow, batches and workers
//!
//! By default a request has one record, and one is under way at a time: at a round trip of 100 ms, ten records a
//! second. Ask three questions.
//!
//! **How much has to wait?** A burst, or an outage, needs room and nothing else: [`Pipeline::capacity`],
//! [`Pipeline::capacity_bytes`]. The default holds ten minutes of a hundred records a second. [`Pipeline::preallocate`]
//! is what of it there is memory for from the beginning.
//!
//! **How fast does it have to leave?** Throughput is workers times records a request, divided by the round trip. At 100
//! ms:
//!
//! | | records a second | |
//! |---|---|---|
//! | the default | 10 | any server that takes a form |
//! | [`Pipeline::workers`]`(8)` | 80 | the same; records may overtake each other |
//! | [`FormLines`], or an encoding of JSON, with the default [`Batch`] | some 3,000 | the server has to take it: lines that are forms, or JSON; a record may wait for [`Batch::linger`] |
//! | both | some 25,000 | |
//!
//! With the feature `gzip` a batch can be compressed.
//!
//! **Who should lose when the queue is full all the same?**
//!
//! | [`Overflow`] | for |
//! |---|---|
//! | [`DropNewest`](Overflow::DropNewest), the default | what led to the trouble; the caller never waits |
//! | [`DropOldest`](Overflow::DropOldest) | alerts and dashboards, where only the latest counts |
//! | [`Block`](Overflow::Block) | records that are worth more than speed: the caller waits, and with it whoever waits for the caller |
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
//! # What is logged, and where to
//!
//! - [`Builder::level`], or with the feature `env-filter` directives as in `RUST_LOG`: `Builder::filter`,
//!   `Builder::filter_env`. The last one that is set holds. [`Guard::set_level`] and `Guard::set_filter` replace it
//!   while the program runs. Without any of them, [`log::set_max_level`] may let through more than Info.
//! - [`Builder::handler`] adds a destination, any number of times. Each is a [`Pipeline`] with a queue, threads, a
//!   level or filter, an [`Overflow`], a [`Retry`] and a [name](Pipeline::name) of its own, so that one whose server is
//!   down does not delay another. [`Guard::stats_of`] and [`Guard::stats_by_pipeline`] tell them apart.
//! - [`Builder::tee`] adds another backend of `log`, which is called in place: `env_logger` for the console, say.
//! - [`Builder::log_panics`] makes a record of every panic, and flushes it.
//!
//! # What is sent
//!
//! [`map_log_record`] makes the dictionary, with Python's keys. [`field`](HttpHandlerBuilder::field) adds to it;
//! [`rename`](HttpHandlerBuilder::rename), [`only`](HttpHandlerBuilder::only) and
//! [`without`](HttpHandlerBuilder::without) change what is there. A mapper replaces it, or calls it and adds to it:
//!
//! ```
//! use log::Level;
//! use logpost::HttpHandler;
//!
//! let collector = HttpHandler::builder("http://127.0.0.1:9020/log")
//!     .field("service", "checkout")
//!     .only(["created", "levelname", "msg"])
//!     .rename("msg", "message")
//!     .build()?;
//! let notification = HttpHandler::builder("http://127.0.0.1:9020/notify")
//!     .map_log_record(|record, fields| {
//!         let priority = if record.level() == Level::Error { 1 } else { 0 };
//!         fields.push("text", record.message()).push("priority", priority);
//!     })
//!     .build()?;
//! # Ok::<(), logpost::Error>(())
//! ```
//!
//! An encoding makes the body of one dictionary or of many: [`Form`], the default, one record; [`FormLines`], a line a
//! record. By the feature `json` there are `Json` (an array), `JsonLines` (NDJSON) and `FormField` (an array in a
//! form's field), whose numbers, bools and nulls keep their type, and `presets` for Elasticsearch and OpenSearch,
//! Grafana Loki, Splunk, Datadog, Axiom, Better Stack, ClickHouse, Vector, Fluent Bit, Fluentd and Kafka through a REST
//! proxy. [`Encode`] is for encodings of your own.
//!
//! A record's time is that of the call, to the microsecond. It comes from the processor's time-stamp counter, set by
//! the system's clock once a millisecond in each thread that logs.
//!
//! A destination that is no web server is a [`Handler`] of your own. It makes one attempt; its [`EmitError`] says what
//! kind of failure it was, and the listener does the rest.
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
//! # Behind a proxy
//!
//! [`HttpHandlerBuilder::proxy`] names one, [`no_proxy`](HttpHandlerBuilder::no_proxy) none. Without either, the
//! environment decides when the handler is built: the first of `ALL_PROXY`, `all_proxy`, `HTTPS_PROXY`, `https_proxy`,
//! `HTTP_PROXY` and `http_proxy` that is a proxy's URL, whatever the scheme of the server's.
//!
//! - A proxy of `http://` or `https://` is asked for a tunnel, by `CONNECT`, for http URLs too, so it has to allow the
//!   server's port: many allow 443 only. (In squid that is `SSL_ports`, in tinyproxy `ConnectPort`.) Those of
//!   `socks4://`, `socks4a://`, `socks5://` and `socks5h://` need no such thing.
//! - `NO_PROXY`, or else `no_proxy`, has the hosts that are reached without it, with commas and no spaces between them.
//!   It knows `.example.com`, `10.*` and `*`, but neither ports nor networks like `10.0.0.0/8`.
//! - A server on `localhost` or a loopback address never uses a proxy of the environment's.
//! - A proxy that decrypts https shows a certificate of the company's: `HttpHandlerBuilder::root_certificate`, or
//!   `HttpHandlerBuilder::platform_verifier` where the system has it.
//!
//! ```
//! use logpost::HttpHandler;
//!
//! let handler = HttpHandler::builder("http://logs.example.com:9020/ingest")
//!     .proxy("http://user:p%40ss@proxy.example.com:3128")
//!     .build()?;
//! # Ok::<(), logpost::Error>(())
//! ```
//!
//! # https
//!
//! rustls trusts Mozilla's root certificates, which are built in; the system's TLS library (feature `native-tls`)
//! trusts what the system trusts. `root_certificate` replaces either; `platform_verifier` (the feature of that name)
//! has rustls ask the system; `client_certificate` is for servers that want to know who calls. A certificate that is
//! not good loses nothing: the records wait until it is.
//!
//! # Queues of your own
//!
//! A [`Pipeline`] has a queue, and threads that run as long as the logger. Its parts are there by themselves too, as in
//! Python: a [`QueueHandler`] puts records into any queue-like object ([`Enqueue`]), and a [`QueueListener`] takes them out
//! ([`Dequeue`]) and passes each to several handlers. The listener can be started, stopped and started again, without a
//! record lost in between. [`BoundedQueue`] is a pipeline's queue; flume's and the standard library's channels are queues
//! as they are. [`Enqueue`] has a table of what is promised for which.
//!
//! ```
//! use std::sync::mpsc;
//! use std::time::Duration;
//! use log::Level;
//! use logpost::{CaptureHandler, QueueHandler, QueueListener};
//!
//! let (sender, receiver) = mpsc::sync_channel(10_000);
//! let (all, alerts) = (CaptureHandler::new(), CaptureHandler::new());
//! let listener = QueueListener::new(receiver)
//!     .handler(all.clone())
//!     .handler_at(Level::Error, alerts.clone())
//!     .respect_handler_level(true)
//!     .prepare(|record| (record.target() != "noise").then_some(record));
//! listener.start()?;
//!
//! let handler = QueueHandler::new(sender).listener(&listener);
//! let (logger, guard) = logpost::builder().queue(handler).build()?;
//! log::info!(logger: logger, "hello");
//! log::error!(logger: logger, "disk full");
//! log::info!(logger: logger, target: "noise", "tick");
//! guard.flush(Duration::from_secs(5))?;
//! listener.stop(Duration::from_secs(5));
//! assert_eq!((all.messages(), alerts.messages()), (vec!["hello".into(), "disk full".into()], vec!["disk full".into()]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The repository's docs/python.md has every part of Python's three classes, and what it is here.
//!
//! ## Several processes
//!
//! With the feature `serde`, a [`LogRecord`] crosses processes and keeps what it is: `process`, `processName`, `thread` and
//! `created` stay those of the process that logged it. The example `multiprocess` has one listener for any number of
//! children, over a Unix domain socket. [`LogRecord::builder`] makes records of what other programs send.
//!
//! # In tests
//!
//! [`Builder::build`] installs nothing, and [`CaptureHandler`] keeps what it gets. [`testing`] has a web server too.
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
//! # Nothing arrives
//!
//! Three steps, each with one place to look at. Log something, and then:
//!
//! ```no_run
//! # use std::time::Duration;
//! # let guard = logpost::init("http://127.0.0.1:9020/log")?;
//! println!("{:?}", guard.flush(Duration::from_secs(5)));
//! println!("{}", guard.stats()); // far from the guard: logpost::flush, logpost::stats
//! # Ok::<(), logpost::Error>(())
//! ```
//!
//! **1. Does the record get into the queue?** Look at `accepted`.
//! - It is 0: the level or the filter stops it. The default is Info; `log`'s own features `max_level_*` and
//!   `release_max_level_*` are stronger than any setting; directives like `my_app=debug` let nothing else through, and
//!   the target of a record is its module path. [`stats()`] is `None`: `init` was not called, or its error was ignored.
//! - `dropped` grows instead: the queue is full, or stopped; the line says which.
//!
//! **2. Does it get to the server?** Look at `delivered`, at `last error`, and at stderr.
//! - `pending` stays, and `attempts` does not grow: nobody listens. The [`QueueListener`] of a [queue of your
//!   own](#queues-of-your-own) is not [started](QueueListener::start), or was dropped.
//! - `pending` stays, and there is a last error: it says why, and where. The same from a shell is `curl -i -d msg=hello
//!   http://127.0.0.1:9020/log`. If that works, look for a proxy: `env | grep -i proxy`.
//! - 401 or 403: [`credentials`](HttpHandlerBuilder::credentials) or
//!   [`bearer_token`](HttpHandlerBuilder::bearer_token). 301 or 302: the URL lacks a slash at its end, or has `http`
//!   for `https`; redirects are not followed, since they would turn a POST into a GET.
//! - `rejected` grows: the server answers 400 or the like to these records, and the last error has the beginning of its
//!   words; or a mapper panics (then `panics` grows too).
//! - `abandoned` grows: `stop` had not enough time, or a limit of [`Retry`] was reached.
//!
//! **3. Does the server do with it what you think?** `delivered` grows, so it has answered 2xx. (Of a queue of your own
//! whose [listener is not known](QueueHandler::listener) it means that the queue has it: look at
//! [`QueueListener::stats`].) Look at what it was sent: `testing::Server` (feature `testing`) shows requests and forms
//! as they arrive, and `cargo run --example quickstart -- URL` sends known records to a server of yours. A server that
//! reads one record where several were sent takes [`FormLines`] for a form; one that answers 200 to everything has to
//! be asked for its own log, or its answer read by [`accept`](HttpHandlerBuilder::accept).
//!
//! Other things that puzzle:
//! - The program takes 5 s to end: the server is down, and the last flush waits for [`Builder::flush_timeout`].
//! - `dropped` grows now and then: more is logged than the server takes, see [Overflow, batches and
//!   workers](#overflow-batches-and-workers).
//! - `retries` grows while nothing fails: the server closes idle connections sooner than after 4 s.
//! - `init: the process already has a logger`: `log` takes one for each process. `Builder::build` makes one without
//!   installing it.
//!
//! # Defaults
//!
//! | setting | default | |
//! |---|---|---|
//! | [`Builder::level`] | Info | [`DEFAULT_LEVEL`] |
//! | `Builder::filter`, `Builder::filter_env` | none: the level decides | |
//! | [`Builder::handler`] | none: it takes one at least, or a queue | |
//! | [`Builder::queue`] | none | |
//! | [`Builder::tee`] | none | |
//! | [`Builder::on_error`] | lines on stderr | |
//! | [`Builder::log_panics`] | false | |
//! | [`Builder::max_message_bytes`] | 1 MiB; what is longer is cut at a character, and the record gets the field `truncated` | [`DEFAULT_MAX_MESSAGE_BYTES`] |
//! | [`Builder::flush_timeout`] | 5 s | [`DEFAULT_FLUSH_TIMEOUT`] |
//! | [`Pipeline::name`] | `pipeline-1` and so on, by place | |
//! | [`Pipeline::level`] | Trace: all that the logger lets through | |
//! | `Pipeline::filter` | none: the level decides | |
//! | [`Pipeline::capacity`] | 65,536 records | [`DEFAULT_CAPACITY`] |
//! | [`Pipeline::capacity_bytes`] | 32 MiB | [`DEFAULT_CAPACITY_BYTES`] |
//! | [`Pipeline::preallocate`] | 16,384 records: 2 MiB | [`DEFAULT_PREALLOCATED`] |
//! | [`Pipeline::overflow`] | [`DropNewest`](Overflow::DropNewest) | [`Overflow`] |
//! | [`Pipeline::workers`] | 1 | |
//! | [`Pipeline::delivery`] | [`AtLeastOnce`](Delivery::AtLeastOnce) | [`Delivery`] |
//! | [`Pipeline::retry`] | [`Retry::default`], the next four | |
//! | [`Retry::first_delay`] | 500 ms | [`DEFAULT_FIRST_DELAY`] |
//! | [`Retry::max_delay`] | 30 s | [`DEFAULT_MAX_DELAY`] |
//! | [`Retry::max_attempts`] | no limit | |
//! | [`Retry::max_age`] | no limit | |
//! | `Retry-After` that is granted (not a setting) | 5 min | [`MAX_RETRY_AFTER`] |
//! | [`BoundedQueueBuilder::capacity`] | 65,536 records | [`DEFAULT_CAPACITY`] |
//! | [`BoundedQueueBuilder::capacity_bytes`] | 32 MiB | [`DEFAULT_CAPACITY_BYTES`] |
//! | [`BoundedQueueBuilder::preallocate`] | 16,384 records: 2 MiB | [`DEFAULT_PREALLOCATED`] |
//! | [`BoundedQueueBuilder::overflow`] | [`DropNewest`](Overflow::DropNewest) | [`Overflow`] |
//! | [`QueueHandler::level`] | Trace: all of it | |
//! | [`QueueHandler::listener`] | none is known, but for a [`BoundedQueue`]'s | |
//! | [`QueueListener::handler`], [`QueueListener::handler_at`] | none: it takes one at least | |
//! | [`QueueListener::respect_handler_level`] | false | |
//! | [`QueueListener::prepare`] | none | |
//! | [`QueueListener::retry`] | [`Retry::default`] | |
//! | [`QueueListener::delivery`] | [`AtLeastOnce`](Delivery::AtLeastOnce) | [`Delivery`] |
//! | [`QueueListener::on_error`] | lines on stderr | |
//! | how long a dropped `QueueListener`, and `log`'s own flush of a `QueueHandler`, may take (not a setting) | 5 s | [`DEFAULT_FLUSH_TIMEOUT`] |
//! | [`HttpHandlerBuilder::method`] | [`Post`](Method::Post) | [`Method`] |
//! | [`HttpHandlerBuilder::credentials`] | those in the URL, if any | |
//! | [`HttpHandlerBuilder::bearer_token`], [`HttpHandlerBuilder::bearer_token_with`] | none | |
//! | [`HttpHandlerBuilder::header`] | none | |
//! | [`HttpHandlerBuilder::user_agent`] | `logpost/` and the version | [`DEFAULT_USER_AGENT`] |
//! | [`HttpHandlerBuilder::field`] | none | |
//! | [`HttpHandlerBuilder::rename`], [`HttpHandlerBuilder::only`], [`HttpHandlerBuilder::without`] | the whole dictionary, by its own names | |
//! | [`HttpHandlerBuilder::map_log_record`] | the default dictionary | [`map_log_record`] |
//! | [`HttpHandlerBuilder::safe_names`] | false | |
//! | `HttpHandlerBuilder::large_integers_as_text` | false | |
//! | [`HttpHandlerBuilder::encoding`] | a record a request | [`Form`] |
//! | [`HttpHandlerBuilder::accept`] | what the encoding says of an answer, and else its status | [`Encode::judge`] |
//! | [`HttpHandlerBuilder::batch`] | one record, at once; where the encoding takes several, [`Batch::default`], the next three | |
//! | [`Batch::max_records`] | 512 | [`DEFAULT_BATCH_RECORDS`] |
//! | [`Batch::max_bytes`] | 96 KiB | [`DEFAULT_BATCH_BYTES`] |
//! | [`Batch::linger`] | 1 s | [`DEFAULT_LINGER`] |
//! | `HttpHandlerBuilder::gzip_above` | never | |
//! | [`HttpHandlerBuilder::timeout`] | 30 s for a whole request | [`DEFAULT_TIMEOUT`] |
//! | [`HttpHandlerBuilder::connect_timeout`] | 5 s, TLS and a proxy included | [`DEFAULT_CONNECT_TIMEOUT`] |
//! | [`HttpHandlerBuilder::proxy`], [`HttpHandlerBuilder::no_proxy`] | what the environment says | |
//! | `HttpHandlerBuilder::tls_provider` | `Rustls`, or `NativeTls` where the feature `rustls` is off | `TlsProvider` |
//! | `HttpHandlerBuilder::root_certificate` | Mozilla's with `Rustls`, the system's with `NativeTls` | |
//! | `HttpHandlerBuilder::platform_verifier` | no | |
//! | `HttpHandlerBuilder::client_certificate` | none | |
//! | `HttpHandlerBuilder::danger_accept_invalid_certs` | false | |
//! | [`HttpHandlerBuilder::agent_config`] | no change | |
//! | largest body that `testing::Server` takes (not a setting) | 16 MiB | `testing::MAX_BODY_BYTES` |
//!
//! What is not a setting: within a request's time-out, 5 s for a name lookup and 10 s without any progress in reading
//! or in writing; an address is used for 30 s before its name is looked up again, or until a request gets no answer; an
//! idle connection is kept for 4 s.
//!
//! # Features
//!
//! | feature | default | |
//! |---|---|---|
//! | `rustls` | on | https, by rustls with ring |
//! | `env-filter` | on | filters in the syntax of `RUST_LOG` |
//! | `regex` | off | what such a filter has behind a slash is a regular expression |
//! | `native-tls` | off | https, by the system's TLS library: OpenSSL on Linux, `SChannel` on Windows, Secure Transport on macOS |
//! | `platform-verifier` | off | `HttpHandlerBuilder::platform_verifier`; with `rustls` |
//! | `gzip` | off | `HttpHandlerBuilder::gzip_above`: large bodies are compressed |
//! | `serde` | off | [`LogRecord`] can be serialized, for records that cross processes |
//! | `json` | off | JSON: `Json`, `JsonLines`, `FormField`, and `presets` for log collectors |
//! | `testing` | off | `testing::Server`, a web server for tests |
//!
//! Without `rustls` or `native-tls` an https URL is an [`Error`] when the handler is built.
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
#[cfg(feature = "env-filter")]
pub use global::set_filter;
pub use global::{flush, set_level, stats};
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
    HttpHandlerBuilder, Judge, Method, Verdict,
};
#[cfg(feature = "json")]
pub use http::{FormField, Json, JsonLines, presets};
pub use listener::{
    Action, DEFAULT_FIRST_DELAY, DEFAULT_MAX_DELAY, Delivery, Drained, Failure, MAX_RETRY_AFTER, QueueListener, Retry,
};
pub use logger::{DEFAULT_LEVEL, Logger};
pub use pipeline::Pipeline;
pub use queue::{
    BoundedQueue, BoundedQueueBuilder, DEFAULT_CAPACITY, DEFAULT_CAPACITY_BYTES, DEFAULT_FLUSH_TIMEOUT,
    DEFAULT_PREALLOCATED, Dequeue, DequeueError, Enqueue, EnqueueError, Overflow, QueueHandler,
};
pub use record::{DEFAULT_MAX_MESSAGE_BYTES, LogRecord, LogRecordBuilder};
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
#[doc(alias = "basicConfig")]
#[doc(alias = "try_init")]
pub fn init(url: impl Into<String>) -> Result<Guard, Error> {
    builder().handler(HttpHandler::new(url)?).init()
}

/// The README's examples compile, and those that need no server run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// So do those of docs/servers.md.
#[cfg(all(doctest, feature = "json", feature = "rustls"))]
#[doc = include_str!("../docs/servers.md")]
struct Servers;
