//! A hostile reading of outcomes of single records, and of answers that are read: what it found, and what held.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use log::{Level, Log as _, Record, info};
use logpost::{
    Batch, BoundedQueue, CaptureHandler, Delivery, EmitError, ErrorClass, FormLines, Guard, Handler, HttpHandler,
    HttpHandlerBuilder, LogRecord, Pipeline, QueueHandler, QueueListener, Retry, State,
};
use logpost_test_support::{Answer, LONG, Plan, Request, Server, wait_until};

/// One whose delays are short, and that tells nobody.
fn deliver(handler: impl Handler + 'static, delivery: Delivery, count: usize) -> Guard {
    let retry = Retry::default().first_delay(Duration::from_millis(1)).max_delay(Duration::from_millis(2));
    let pipeline = Pipeline::new(handler).retry(retry).delivery(delivery);
    let (logger, guard) =
        logpost::builder().handler(pipeline).on_error(|_| ()).flush_timeout(Duration::ZERO).build().unwrap();
    for number in 0..count {
        info!(logger: logger, "{number}");
    }
    guard.flush(LONG).unwrap();
    let stats = guard.stats();
    assert_eq!((stats.accepted, stats.pending), (count as u64, 0), "{stats}");
    assert_eq!(stats.accepted, stats.delivered + stats.rejected + stats.abandoned, "{stats}");
    guard
}

/// A handler of the user's that hands over more records than a request of the other's holds.
struct Several(HttpHandler);

impl Handler for Several {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        self.0.emit(records)
    }

    fn batch(&self) -> Batch {
        Batch::default().max_records(5).linger(LONG)
    }
}

fn several(builder: HttpHandlerBuilder) -> Several {
    Several(builder.only(["msg"]).build().unwrap())
}

fn lines_of(request: &Request) -> Vec<String> {
    let lines = request.body.split_inclusive(|byte| *byte == b'\n');
    lines.map(|line| form_urlencoded::parse(line.trim_ascii_end()).next().unwrap().1.into_owned()).collect()
}

fn all_lines(server: &Server) -> String {
    server.requests().iter().flat_map(lines_of).collect::<Vec<_>>().join(" ")
}

/// This many requests that hold the line get this answer.
fn at_first(line: &'static str, times: usize, status: u16) -> Server {
    let seen = AtomicUsize::new(0);
    Server::responding(move |request| {
        let is_hit = lines_of(request).iter().any(|found| found == line);
        Answer::status(if is_hit && seen.fetch_add(1, Ordering::SeqCst) < times { status } else { 200 })
    })
}

#[test]
fn what_was_delivered_before_a_request_failed_is_not_sent_again() {
    let server = at_first("2", 3, 503);
    let stats = deliver(several(HttpHandler::builder(server.url())), Delivery::AtLeastOnce, 5).stats();
    assert_eq!(all_lines(&server), "0 1 2 2 2 2 3 4");
    assert_eq!((stats.delivered, stats.retries), (5, 3), "{stats}");
}

#[test]
fn nor_is_it_where_each_record_is_sent_once_only() {
    let server = at_first("2", 1, 429);
    let stats = deliver(several(HttpHandler::builder(server.url())), Delivery::AtMostOnce, 5).stats();
    assert_eq!(all_lines(&server), "0 1 2 2 3 4");
    assert_eq!(stats.delivered, 5, "{stats}");
    // Who knows whether it has arrived? What was not sent has not.
    let server = at_first("2", 1, 500);
    let stats = deliver(several(HttpHandler::builder(server.url())), Delivery::AtMostOnce, 5).stats();
    assert_eq!(all_lines(&server), "0 1 2 3 4");
    assert_eq!((stats.delivered, stats.abandoned), (4, 1), "{stats}");
}

#[test]
fn one_that_is_refused_after_others_were_delivered_is_found() {
    let server = at_first("3", usize::MAX, 422);
    let pairs = HttpHandler::builder(server.url()).encoding(FormLines).batch(Batch::default().max_records(2));
    let stats = deliver(several(pairs), Delivery::AtLeastOnce, 5).stats();
    assert_eq!((stats.delivered, stats.rejected), (4, 1), "{stats}");
    assert!(all_lines(&server).starts_with("0 1 2 3 2 3"), "{}", all_lines(&server));
    let taken = server.requests().into_iter().filter(|request| request.answered == Some(200));
    assert_eq!(taken.flat_map(|request| lines_of(&request)).collect::<Vec<_>>(), ["0", "1", "2", "4"]);
}

#[test]
fn outcomes_of_fewer_records_than_one_of_several_requests_had_deliver_nothing() {
    let server = Server::start();
    let seen = AtomicUsize::new(0);
    let one_too_few = move |_, _: &[u8]| {
        let is_first = seen.fetch_add(1, Ordering::SeqCst) == 1;
        is_first.then(|| Err(EmitError::each(vec![Err(EmitError::payload("whose?"))])))
    };
    let pairs = HttpHandler::builder(server.url()).encoding(FormLines).batch(Batch::default().max_records(2));
    let stats = deliver(several(pairs.accept(one_too_few)), Delivery::AtLeastOnce, 5).stats();
    assert_eq!(all_lines(&server), "0 1 2 3 2 3 4");
    assert_eq!((stats.delivered, stats.rejected), (5, 0), "{stats}");
}

/// Says of the records of each request what `outcomes` has next, and then that all are well.
struct Scripted(std::vec::IntoIter<Vec<Result<(), EmitError>>>, Arc<Mutex<Vec<String>>>);

impl Scripted {
    fn of(outcomes: Vec<Vec<Result<(), EmitError>>>) -> (Self, Arc<Mutex<Vec<String>>>) {
        let offered = Arc::<Mutex<Vec<String>>>::default();
        (Self(outcomes.into_iter(), Arc::clone(&offered)), offered)
    }
}

impl Handler for Scripted {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        let messages: Vec<_> = records.iter().map(LogRecord::message).collect();
        self.1.lock().unwrap().push(messages.join(" "));
        self.0.next().map_or(Ok(()), |outcomes| Err(EmitError::each(outcomes)))
    }

    fn batch(&self) -> Batch {
        Batch::default()
    }
}

/// Some that are taken are no recovery as long as others wait.
#[test]
fn a_handler_whose_records_wait_is_failing_whatever_the_other_ones_do() {
    let (scripted, offered) = Scripted::of(vec![vec![Ok(()), Err(EmitError::transient("busy"))]]);
    let queue = BoundedQueue::new();
    let capture = CaptureHandler::new();
    let patient = Retry::default().first_delay(LONG).max_delay(LONG);
    let listener =
        QueueListener::new(queue.clone()).handler(scripted).handler(capture.clone()).retry(patient).on_error(|_| ());
    let handler = QueueHandler::new(queue).listener(&listener);
    for message in ["a", "b"] {
        // Not by the macro, which goes by the process's level.
        handler.log(&Record::builder().args(format_args!("{message}")).level(Level::Info).build());
    }
    let drained = listener.drain().unwrap();
    assert_eq!((drained.settled, drained.waiting), (1, 1));
    assert_eq!(capture.messages(), ["a", "b"]);
    assert!(matches!(listener.stats().state, State::Failing { .. }), "{}", listener.stats());
    // The next run has the rest, and nothing else.
    listener.start().unwrap();
    handler.flush(LONG).unwrap();
    let stats = listener.stop(LONG);
    assert_eq!((stats.delivered, stats.pending, stats.state), (2, 0, State::Idle), "{stats}");
    assert_eq!(*offered.lock().unwrap(), ["a b", "b"]);
    assert_eq!(capture.messages(), ["a", "b"]);
}

/// They are offered together, so none of them before its time.
#[test]
fn the_longest_delay_that_is_asked_for_holds() {
    let busy = |seconds| Err(EmitError::transient("busy").retry_after(Duration::from_secs(seconds)));
    let (scripted, offered) = Scripted::of(vec![vec![busy(1), Ok(()), busy(100), busy(50)]]);
    let delays = Arc::<Mutex<Vec<_>>>::default();
    let told = Arc::clone(&delays);
    let (logger, guard) = logpost::builder()
        .handler(scripted)
        .on_error(move |failure| told.lock().unwrap().push((failure.action(), failure.error().delay())))
        .build()
        .unwrap();
    for message in ["a", "b", "c", "d"] {
        info!(logger: logger, "{message}");
    }
    // Ends the batch, and waits for nothing.
    guard.flush(Duration::ZERO).unwrap_err();
    wait_until("the failure is told of", || !delays.lock().unwrap().is_empty());
    guard.flush(LONG).unwrap();
    let delays = delays.lock().unwrap();
    assert_eq!(delays.len(), 1);
    assert_eq!(delays[0].1, Some(Duration::from_secs(100)), "{delays:?}");
    assert_eq!(*offered.lock().unwrap(), ["a b c d", "a c d"]);
}

/// A lot that is odd: outcomes within outcomes, errors that panic when they are shown, or when they are dropped.
#[test]
fn odd_errors_leave_the_books_in_order() {
    struct Odd(&'static str);
    impl std::fmt::Debug for Odd {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }
    impl std::fmt::Display for Odd {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            assert_ne!(self.0, "shown");
            f.write_str(self.0)
        }
    }
    impl std::error::Error for Odd {}
    impl Drop for Odd {
        fn drop(&mut self) {
            assert_ne!(self.0, "dropped");
        }
    }
    let odd = |what| Err(EmitError::transient(Odd(what)));
    let nested = || Err(EmitError::each(vec![Ok(()), Err(EmitError::payload("inner"))]));
    let (scripted, offered) = Scripted::of(vec![
        vec![nested(), Ok(()), Ok(())],
        vec![odd("plain"), odd("shown")],
        vec![odd("plain"), odd("dropped")],
    ]);
    let stats = deliver(scripted, Delivery::AtLeastOnce, 3).stats();
    // A nested refusal is one of its record. What a panic leaves nobody knows of is rejected.
    assert_eq!((stats.delivered + stats.rejected, stats.abandoned), (3, 0), "{stats}");
    assert!(stats.delivered >= 2, "{stats}");
    assert_eq!(offered.lock().unwrap()[0], "0 1 2");
}

/// Four connections, outcomes at random: each record is taken once, or refused once.
#[test]
fn workers_take_no_record_twice_and_lose_none() {
    const COUNT: usize = 400;
    let taken = Arc::<Mutex<HashMap<String, usize>>>::default();
    let (by_server, dice) = (Arc::clone(&taken), AtomicUsize::new(0));
    let server = Server::responding(move |request| {
        let word = |message: String| {
            let number: usize = message.parse().unwrap();
            if number % 10 == 7 {
                return "bad";
            }
            if dice.fetch_add(7, Ordering::SeqCst) % 3 == 0 {
                return "busy";
            }
            *by_server.lock().unwrap().entry(message).or_default() += 1;
            "taken"
        };
        Answer::with(200, &[], &lines_of(request).into_iter().map(word).collect::<Vec<_>>().join(" "))
    });
    let word_by_word = |_, body: &[u8]| {
        let outcome = |word| match word {
            "taken" => Ok(()),
            "busy" => Err(EmitError::transient("busy")),
            word => Err(EmitError::payload(word)),
        };
        Some(Err(EmitError::each(std::str::from_utf8(body).unwrap().split(' ').map(outcome).collect())))
    };
    let handler = HttpHandler::builder(server.url()).only(["msg"]).encoding(FormLines).accept(word_by_word);
    let handler = handler.batch(Batch::default().max_records(7)).build().unwrap();
    let retry = Retry::default().first_delay(Duration::from_millis(1)).max_delay(Duration::from_millis(2));
    let rejected = Arc::<Mutex<Vec<String>>>::default();
    let told = Arc::clone(&rejected);
    let (logger, guard) = logpost::builder()
        .handler(Pipeline::new(handler).workers(4).retry(retry))
        .on_error(move |failure| {
            if failure.action() == logpost::Action::Reject {
                told.lock().unwrap().extend(failure.records().iter().map(|record| record.message().to_owned()));
            }
        })
        .build()
        .unwrap();
    for number in 0..COUNT {
        info!(logger: logger, "{number}");
    }
    guard.flush(LONG).unwrap();
    let stats = guard.stats();
    assert_eq!((stats.delivered, stats.rejected, stats.pending), (360, 40, 0), "{stats}");
    let (taken, rejected) = (taken.lock().unwrap(), rejected.lock().unwrap());
    assert!(taken.len() == 360 && taken.values().all(|times| *times == 1), "{taken:?}");
    assert_eq!(rejected.iter().collect::<HashSet<_>>().len(), 40);
}

/// A second answer that nobody has asked for must not be taken for that to the next request.
#[test]
fn an_answer_too_many_is_no_answer_to_the_next_request() {
    let twice = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".repeat(2);
    let answers = AtomicUsize::new(0);
    let server = Server::scripted(move |_| match answers.fetch_add(1, Ordering::SeqCst) {
        0 => Plan::Answer(Answer::raw(twice.clone())),
        1 => Plan::Answer(Answer::status(503)),
        _ => Plan::Answer(Answer::with(200, &[], "ok")),
    });
    let accept = |status, body: &[u8]| (status == 200 && body != b"ok").then(|| Err(EmitError::transient("no")));
    let handler = HttpHandler::builder(server.url()).accept(accept).build().unwrap();
    let stats = deliver(handler, Delivery::AtLeastOnce, 3).stats();
    assert_eq!(stats.delivered, 3, "{stats}");
    let taken = server.requests().into_iter().filter(|request| request.answered == Some(200));
    assert_eq!(taken.map(|request| request.msg()).collect::<Vec<_>>(), ["0", "1", "2"]);
}

#[test]
fn what_was_taken_by_the_word_of_accept_is_not_sent_again_with_another_token() {
    let server = Server::responding(|_| Answer::status(401));
    let asked = AtomicUsize::new(0);
    let handler = HttpHandler::builder(server.url())
        .bearer_token_with(move || Ok(format!("token{}", asked.fetch_add(1, Ordering::SeqCst))))
        .accept(|_, _| Some(Ok(())));
    let stats = deliver(handler.build().unwrap(), Delivery::AtMostOnce, 2).stats();
    assert_eq!((stats.delivered, server.messages().len()), (2, 2), "{stats}");
}

/// What is said of each record says no more of what was not read than what is said of all.
#[test]
fn outcomes_of_a_request_that_was_not_read_deliver_nothing() {
    let answers = AtomicUsize::new(0);
    let server = Server::scripted(move |_| match answers.fetch_add(1, Ordering::SeqCst) {
        0..2 => Plan::AnswerEarly(Answer::status(200)),
        _ => Plan::Answer(Answer::status(200)),
    });
    let accept = |status, _: &[u8]| (status == 200).then(|| Err(EmitError::each(vec![Ok(())])));
    let handler = HttpHandler::builder(server.url()).accept(accept).build().unwrap();
    let (logger, guard) = logpost::builder()
        .handler(Pipeline::new(handler).retry(Retry::default().first_delay(Duration::from_millis(1))))
        .max_message_bytes(64 * 1024 * 1024)
        .on_error(|_| ())
        .build()
        .unwrap();
    let large = "x".repeat(24 * 1024 * 1024);
    info!(logger: logger, "{large}");
    guard.flush(LONG).unwrap();
    let stats = guard.stats();
    assert_eq!((stats.delivered, stats.attempts), (1, 3), "{stats}");
    assert_eq!(server.requests().len(), 1, "those that were read");
}

/// Of a compressed batch too the answer may be as long as what is in it.
#[cfg(feature = "gzip")]
#[test]
fn an_answer_to_a_compressed_body_may_be_as_long_as_one_to_a_plain_body() {
    let long = "x".repeat(2 * 1024 * 1024);
    let server = Server::responding(move |_| Answer::with(200, &[], &long));
    let handler = HttpHandler::builder(server.url()).gzip_above(100).accept(|_, _| Some(Ok(())));
    let (logger, guard) = logpost::builder().handler(handler.build().unwrap()).on_error(|_| ()).build().unwrap();
    let message = "x".repeat(512 * 1024);
    info!(logger: logger, "{message}");
    guard.flush(LONG).unwrap();
    assert_eq!((guard.stats().delivered, server.requests().len()), (1, 1), "{}", guard.stats());
    assert!(server.requests()[0].body.len() < 100_000);
}

/// What the first failure says, where the server says this at first.
fn first_error(builder: impl FnOnce(&str) -> HttpHandlerBuilder, says: &str) -> (String, ErrorClass) {
    let says = says.to_owned();
    let server = Server::responding(move |_| Answer::with(200, &[], &says));
    let handler = builder(&format!("http://{}", server.address())).build().unwrap();
    let first = Arc::<Mutex<Option<_>>>::default();
    let told = Arc::clone(&first);
    let (logger, guard) = logpost::builder()
        .handler(handler)
        .on_error(move |failure| {
            told.lock().unwrap().get_or_insert_with(|| (failure.to_string(), failure.error().class()));
        })
        .flush_timeout(Duration::ZERO)
        .build()
        .unwrap();
    info!(logger: logger, "x");
    // Ends the batch.
    let _ = guard.flush(Duration::ZERO);
    wait_until("the failure is told of", || first.lock().unwrap().is_some());
    guard.stop(Duration::ZERO);
    first.lock().unwrap().clone().unwrap()
}

/// A server that is not to be trusted writes no lines of its own to the terminal, and no book.
#[test]
fn an_answer_in_an_error_is_one_short_line() {
    let says = format!("no\r\nlogpost: all is well\x1b[2J{}", "x".repeat(100_000));
    let repeat = |_, body: &[u8]| Some(Err(EmitError::endpoint(String::from_utf8_lossy(body).into_owned())));
    let (text, class) = first_error(|url| HttpHandler::builder(url).accept(repeat), &says);
    assert_eq!(class, ErrorClass::Endpoint);
    assert!(!text.contains(char::is_control) && text.len() < 400, "{} {text:?}", text.len());
    assert!(text.contains("no logpost: all is well"), "{text:?}");
}

/// Wherever the text is cut, no beginning of a token is left.
#[cfg(feature = "json")]
#[test]
fn a_secret_that_a_collector_repeats_is_hidden_though_the_text_is_cut_in_it() {
    let token = "B5A79AAD-D822-46CC-80D1-819F80D7BFB0";
    for filler in (100..200).step_by(9) {
        let says = format!(r#"{{"code":9,"text":"{}{token} is busy"}}"#, "x".repeat(filler));
        let (text, class) = first_error(|url| logpost::presets::splunk_hec(url, token), &says);
        assert_eq!(class, ErrorClass::Transient);
        assert!(text.contains("xxx") && !text.contains("B5A7"), "{text}");
    }
}
