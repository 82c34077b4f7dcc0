//! Many records a request: what is in a body, how many records wait for how long, and what becomes of those refused.

use std::collections::HashSet;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use log::info;
use logpost::{
    Action, Batch, CaptureHandler, EmitError, FormLines, Guard, Handler, HttpHandler, HttpHandlerBuilder, LogRecord,
    Logger, Overflow, Pipeline, Retry,
};
use logpost_test_support::{Answer, LONG, Plan, Port, Request, Server};

/// A linger that nobody waits out.
const FOR_EVER: Duration = Duration::from_secs(60 * 60);

type Told = (Vec<String>, Action);

/// A logger that sends lines to a server, with failed attempts made again within milliseconds.
fn logger_of(
    handler: HttpHandlerBuilder,
    settings: impl FnOnce(Pipeline) -> Pipeline,
) -> (Logger, Guard, Receiver<Told>) {
    let (tell, told) = mpsc::channel();
    let retry = Retry::default().first_delay(Duration::from_millis(1)).max_delay(Duration::from_millis(5));
    let (logger, guard) = logpost::builder()
        .handler(settings(Pipeline::new(handler.build().unwrap()).retry(retry)))
        .on_error(move |failure| {
            let messages = failure.records().iter().map(|record| record.message().to_owned()).collect();
            // The test may be over.
            let _ = tell.send((messages, failure.action()));
        })
        .flush_timeout(Duration::ZERO)
        .build()
        .unwrap();
    (logger, guard, told)
}

/// Lines with the message alone, so that a test can tell how long they are.
fn short_lines(url: impl Into<String>, batch: Batch) -> HttpHandlerBuilder {
    HttpHandler::builder(url).encoding(FormLines).batch(batch).map_log_record(|record, fields| {
        fields.push("m", record.message());
    })
}

/// A batch that only a flush, a stop or its size ends.
fn patient(max_records: usize) -> Batch {
    Batch::default().max_records(max_records).max_bytes(usize::MAX).linger(FOR_EVER)
}

/// The message of this number: always as long as any other, so that each line has `LINE` bytes.
fn numbered(number: usize) -> String {
    format!("{number:06}")
}

const LINE: usize = "m=000000\n".len();

fn log_numbered(logger: &Logger, count: usize) {
    for number in 0..count {
        let message = numbered(number);
        info!(logger: logger, "{message}");
    }
}

/// How many such lines the request has, by its head.
fn lines_in(request: &Request) -> usize {
    request.header("content-length")[0].parse::<usize>().unwrap() / LINE
}

/// The body's lines, each decoded as a form.
fn lines_of(body: &[u8]) -> Vec<Vec<(String, String)>> {
    let lines = body.strip_suffix(b"\n").expect("each line ends with a newline").split(|byte| *byte == b'\n');
    lines.map(|line| form_urlencoded::parse(line).into_owned().collect()).collect()
}

/// The value of the only field of each of the body's lines.
fn messages_of(request: &Request) -> Vec<String> {
    let only = |line: Vec<(String, String)>| match <[_; 1]>::try_from(line) {
        Ok([(_, value)]) => value,
        Err(line) => panic!("{line:?}"),
    };
    lines_of(&request.body).into_iter().map(only).collect()
}

/// All messages that the server took, in its order.
fn taken(server: &Server) -> Vec<String> {
    let requests = server.requests();
    requests.iter().filter(|request| request.answered == Some(200)).flat_map(messages_of).collect()
}

fn all_numbered(count: usize) -> Vec<String> {
    (0..count).map(numbered).collect()
}

/// How many lines each request has.
fn sizes(server: &Server) -> Vec<usize> {
    server.requests().iter().map(|request| messages_of(request).len()).collect()
}

fn key(request: &Request) -> &str {
    match request.header("idempotency-key")[..] {
        [key] => key,
        ref keys => panic!("{keys:?}"),
    }
}

fn answer(status: u16) -> Plan {
    Plan::Answer(Answer::status(status))
}

#[test]
fn each_line_is_the_form_of_its_record() {
    let server = Server::start();
    let handler = HttpHandler::builder(server.url()).encoding(FormLines).batch(patient(100)).field("service", "x\ny");
    let (logger, guard, _told) = logger_of(handler, |pipeline| pipeline);
    let messages = ["plain", "two\nlines", "\n\n", "", "a&b=c;d%0A+e", "\r\nü\u{2028}\0"];
    for message in messages {
        info!(logger: logger, key = "v\nw"; "{message}");
    }
    guard.flush(LONG).unwrap();
    let requests = server.requests();
    let [request] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!(request.header("content-type"), ["application/x-www-form-urlencoded-lines"]);
    assert_eq!(request.header("content-length"), [request.body.len().to_string()]);
    assert!(request.header("content-encoding").is_empty());
    let lines = lines_of(&request.body);
    assert_eq!(lines.len(), messages.len());
    for (line, message) in lines.iter().zip(messages) {
        let value = |key: &str| &line.iter().find(|(found, _)| found == key).expect(key).1;
        assert_eq!(
            (value("msg").as_str(), value("service").as_str(), value("key").as_str()),
            (message, "x\ny", "v\nw")
        );
        assert_eq!(value("levelname"), "INFO");
    }
}

#[test]
fn batches_hold_as_many_records_as_they_may_and_keep_the_order() {
    let server = Server::start();
    let (logger, guard, _told) = logger_of(short_lines(server.url(), patient(10)), |pipeline| pipeline);
    log_numbered(&logger, 1234);
    guard.flush(LONG).unwrap();
    assert_eq!(taken(&server), all_numbered(1234));
    let sizes = sizes(&server);
    let (last, full) = sizes.split_last().unwrap();
    assert!(full.iter().all(|size| *size == 10), "{sizes:?}");
    assert_eq!((sizes.len(), *last, server.connections()), (124, 4, 1));
    let stats = guard.stats();
    assert_eq!((stats.delivered, stats.attempts, stats.retries), (1234, 124, 0), "{stats}");
}

#[test]
fn batches_hold_as_many_bytes_as_they_may_and_a_larger_record_goes_alone() {
    const MOST: usize = 100;
    let server = Server::start();
    let batch = patient(1000).max_bytes(MOST);
    let (logger, guard, _told) = logger_of(short_lines(server.url(), batch), |pipeline| pipeline);
    let messages: Vec<_> = (0..200).map(|number: usize| "x".repeat(number * 37 % 150)).collect();
    for message in &messages {
        info!(logger: logger, "{message}");
    }
    guard.flush(LONG).unwrap();
    assert_eq!(taken(&server), messages);
    let requests = server.requests();
    for request in &requests {
        assert!(request.body.len() <= MOST || messages_of(request).len() == 1, "{request:?}");
    }
    for pair in requests.windows(2) {
        let next = messages_of(&pair[1])[0].len() + "m=\n".len();
        assert!(pair[0].body.len() + next > MOST, "there was room for {next} bytes in {:?}", pair[0]);
    }
    assert!(requests.iter().any(|request| request.body.len() > MOST));
}

/// Each record finds room only when the one before has been taken, so the listener has had each by itself.
#[test]
fn a_batch_that_is_not_full_waits_for_more() {
    let server = Server::start();
    let (logger, guard, _told) = logger_of(short_lines(server.url(), patient(100)), |pipeline| {
        pipeline.capacity(1).overflow(Overflow::Block(LONG))
    });
    log_numbered(&logger, 20);
    assert_eq!(guard.stats().attempts, 0);
    guard.flush(LONG).unwrap();
    assert_eq!(sizes(&server), [20]);
}

#[test]
fn a_batch_that_is_not_full_goes_when_it_has_waited_long_enough() {
    let server = Server::start();
    let batch = patient(100).linger(Duration::from_millis(1));
    let (logger, guard, _told) = logger_of(short_lines(server.url(), batch), |pipeline| pipeline);
    for count in 1..=3 {
        info!(logger: logger, "alone");
        assert_eq!(messages_of(&server.wait_for(count)[count - 1]), ["alone"]);
    }
    drop(guard);
}

/// The pause only lets the listener begin to wait for the rest, which is the harder case; nothing depends on its length.
#[test]
fn a_full_batch_does_not_wait() {
    let server = Server::start();
    let (logger, guard, _told) = logger_of(short_lines(server.url(), patient(10)), |pipeline| pipeline);
    for round in 1..=3 {
        info!(logger: logger, "{}", numbered(0));
        std::thread::park_timeout(Duration::from_millis(30));
        log_numbered(&logger, 9);
        server.wait_for(round);
    }
    assert_eq!(sizes(&server), [10; 3]);
    log_numbered(&logger, 5);
    let stats = guard.stop(LONG);
    assert_eq!(stats.delivered, 35, "{stats}");
}

#[test]
fn neither_a_stop_nor_a_dropped_logger_waits_for_a_batch() {
    let server = Server::start();
    let (logger, guard, _told) = logger_of(short_lines(server.url(), patient(100)), |pipeline| pipeline);
    log_numbered(&logger, 5);
    let stats = guard.stop(LONG);
    assert_eq!((stats.delivered, stats.pending, sizes(&server)), (5, 0, vec![5]), "{stats}");

    let (logger, guard, _told) = logger_of(short_lines(server.url(), patient(100)), |pipeline| pipeline);
    log_numbered(&logger, 7);
    drop((logger, guard));
    server.wait_for(2);
    assert_eq!(sizes(&server), [5, 7]);
}

/// Whatever becomes of a request, the next attempt is the same to the byte, and so is its key.
#[test]
fn every_attempt_at_a_batch_is_the_same() {
    let plans = [
        answer(503),
        answer(401),
        Plan::ResetAfterBody,
        answer(500),
        Plan::CloseAfterBody,
        Plan::Answer(Answer::raw("garbage\r\n\r\n")),
        answer(200),
    ];
    let each = plans.len();
    let turn = Mutex::new(plans.into_iter().cycle());
    let server = Server::scripted(move |_| turn.lock().unwrap().next().unwrap());
    let handler = HttpHandler::builder(server.url()).encoding(FormLines).batch(patient(10));
    let (logger, guard, _told) = logger_of(handler, |pipeline| pipeline);
    log_numbered(&logger, 45);
    guard.flush(LONG).unwrap();
    let requests = server.requests();
    // One that fails on a kept connection may be made again at once, which the script takes for a turn as well.
    let batches: Vec<_> = requests.chunk_by(|a, b| key(a) == key(b)).collect();
    assert_eq!(batches.len(), 5);
    for attempts in &batches {
        assert_eq!(attempts.len(), each);
        assert!(attempts.iter().all(|request| request.body == attempts[0].body));
        assert_eq!(attempts.last().unwrap().answered, Some(200));
    }
    assert_eq!(batches.iter().map(|attempts| key(&attempts[0])).collect::<HashSet<_>>().len(), 5);
    let stats = guard.stats();
    assert_eq!((stats.delivered, stats.rejected + stats.abandoned), (45, 0), "{stats}");
}

#[test]
fn batches_that_are_too_large_for_the_server_are_halved() {
    for most in [1, 7, 100, 511] {
        for early in [false, true] {
            let server = Server::scripted(move |request| match (lines_in(request) > most, early) {
                (false, _) => answer(200),
                (true, false) => answer(413),
                (true, true) => Plan::AnswerEarly(Answer::status(413)),
            });
            let (logger, guard, told) = logger_of(short_lines(server.url(), patient(512)), |pipeline| pipeline);
            log_numbered(&logger, 1000);
            guard.flush(LONG).unwrap();
            assert_eq!(taken(&server), all_numbered(1000));
            let stats = guard.stats();
            assert_eq!((stats.delivered, stats.rejected, stats.pending), (1000, 0, 0), "{stats}");
            let told: Vec<_> = told.try_iter().collect();
            // An early answer may be lost, as the connection is reset with it: then the attempt is made again.
            assert!(told.iter().all(|(_, action)| early && matches!(action, Action::Retry(_))), "{told:?}");
        }
    }
}

/// The guilty line is a byte longer than the others, so the server knows it by the length of the body.
#[test]
fn one_poisonous_line_among_512_is_found_in_few_requests_and_rejected_alone() {
    for guilty in [0, 1, 255, 256, 300, 511] {
        let server = Server::scripted(|request| {
            let length: usize = request.header("content-length")[0].parse().unwrap();
            answer(if length % LINE == 0 { 200 } else { 422 })
        });
        let (logger, guard, told) = logger_of(short_lines(server.url(), patient(512)), |pipeline| pipeline);
        let mut messages = all_numbered(512);
        messages[guilty].push('!');
        for message in &messages {
            info!(logger: logger, "{message}");
        }
        guard.flush(LONG).unwrap();
        let poison = messages.remove(guilty);
        assert_eq!(taken(&server), messages);
        // The whole, and two halves on each of the levels below.
        assert_eq!(server.requests().len(), 1 + 2 * 512_usize.ilog2() as usize);
        let stats = guard.stats();
        assert_eq!((stats.delivered, stats.rejected, stats.retries), (511, 1, 0), "{stats}");
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [(vec![poison], Action::Reject)]);
        let requests = server.requests();
        assert_eq!(requests.iter().map(key).collect::<HashSet<_>>().len(), requests.len(), "a key for each part");
    }
}

#[test]
fn nothing_is_lost_when_the_server_goes_away_amid_batches_and_comes_back() {
    const COUNT: usize = 300;
    let listener = Port::reserve().listen(128);
    let (tell, told) = mpsc::channel();
    let first = Server::builder()
        .script(move |request| {
            if request.position < 7 {
                return answer(200);
            }
            tell.send(()).unwrap();
            Plan::Stall
        })
        .start_on(listener.try_clone().unwrap());
    let (logger, guard, _told) = logger_of(short_lines(first.url(), patient(10)), |pipeline| pipeline);
    log_numbered(&logger, COUNT);
    let _ = guard.flush(Duration::ZERO);
    told.recv_timeout(LONG).unwrap();
    let (before, cut) = (taken(&first), first.requests().pop());
    drop(first);
    let second = Server::builder().start_on(listener);
    guard.flush(LONG).unwrap();
    assert_eq!(before, all_numbered(70));
    let after = taken(&second);
    assert_eq!([before, after].concat(), all_numbered(COUNT));
    if let Some(cut) = cut.filter(|request| request.answered.is_none()) {
        assert_eq!((key(&cut), &cut.body), (key(&second.requests()[0]), &second.requests()[0].body));
    }
    let stats = guard.stats();
    assert_eq!((stats.delivered, stats.pending), (COUNT as u64, 0), "{stats}");
}

#[test]
fn a_notice_of_drops_is_a_line_of_a_batch_of_its_own() {
    let (tell, arrived) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let server = Server::scripted(move |_| {
        tell.send(()).unwrap();
        let _ = released.lock().unwrap().recv();
        answer(200)
    });
    let batch = patient(100).linger(Duration::ZERO);
    let (logger, guard, _told) = logger_of(short_lines(server.url(), batch), |pipeline| pipeline.capacity(10));
    info!(logger: logger, "first");
    arrived.recv_timeout(LONG).unwrap();
    log_numbered(&logger, 30);
    assert_eq!(guard.stats().dropped.full, 20);
    drop(release);
    guard.flush(LONG).unwrap();
    let batches: Vec<_> = server.requests().iter().map(messages_of).collect();
    let notice = vec!["logpost: 20 records dropped (queue full)".to_owned()];
    assert_eq!(batches, [vec!["first".to_owned()], notice, all_numbered(10)]);
    assert_eq!(guard.stats().delivered, 11);
}

#[cfg(feature = "gzip")]
mod gzip {
    use std::io::Read as _;

    use super::*;

    /// What a request's body is, and whether it came compressed.
    fn plain(request: &Request) -> (Vec<u8>, bool) {
        assert_eq!(request.header("content-length"), [request.body.len().to_string()]);
        assert_eq!(request.header("content-type"), ["application/x-www-form-urlencoded-lines"]);
        match request.header("content-encoding")[..] {
            [] => (request.body.clone(), false),
            ["gzip"] => {
                let mut body = Vec::new();
                flate2::read::GzDecoder::new(&request.body[..]).read_to_end(&mut body).unwrap();
                (body, true)
            }
            ref codings => panic!("{codings:?}"),
        }
    }

    #[test]
    fn bodies_are_compressed_above_the_size_only() {
        let server = Server::start();
        // Ten lines are just as long as they may be, eleven are not.
        let handler = short_lines(server.url(), patient(1000)).gzip_above(10 * LINE);
        let (logger, guard, _told) = logger_of(handler, |pipeline| pipeline);
        let counts = [10, 11, 1, 1000, 10];
        for count in counts {
            // One batch each, as the flush before has not been seen yet or is over: whichever, all of them arrive.
            log_numbered(&logger, count);
            guard.flush(LONG).unwrap();
        }
        let mut lines = Vec::new();
        for request in server.requests() {
            let (body, compressed) = plain(&request);
            assert_eq!(compressed, body.len() > 10 * LINE);
            assert!(!compressed || body.len() < 50 * LINE || request.body.len() < body.len() / 2);
            lines.extend(lines_of(&body).into_iter().map(|line| line[0].1.clone()));
        }
        assert_eq!(lines, counts.into_iter().flat_map(all_numbered).collect::<Vec<_>>());
    }

    #[test]
    fn exactly_at_the_size_and_above() {
        for (count, expected) in [(10, false), (11, true)] {
            let server = Server::start();
            let handler = short_lines(server.url(), patient(1000)).gzip_above(10 * LINE);
            let (logger, guard, _told) = logger_of(handler, |pipeline| pipeline);
            log_numbered(&logger, count);
            guard.flush(LONG).unwrap();
            let (body, compressed) = plain(&server.requests()[0]);
            assert_eq!((body.len(), compressed), (count * LINE, expected));
        }
    }

    #[test]
    fn a_large_body_that_hardly_shrinks_is_whole() {
        let server = Server::start();
        let handler = short_lines(server.url(), patient(1000)).gzip_above(100);
        let (logger, guard, _told) = logger_of(handler, |pipeline| pipeline);
        let mut random = fastrand::Rng::with_seed(7);
        let messages: Vec<String> = (0..20).map(|_| (0..50_000).map(|_| random.alphanumeric()).collect()).collect();
        for message in &messages {
            info!(logger: logger, "{message}");
        }
        guard.flush(LONG).unwrap();
        let (body, compressed) = plain(&server.requests()[0]);
        assert!(compressed && lines_of(&body).into_iter().map(|line| line[0].1.clone()).eq(messages));
    }

    #[test]
    fn attempts_and_halves_are_compressed_as_they_should_be() {
        let script = Mutex::new([503, 422, 503].into_iter());
        let server = Server::scripted(move |_| answer(script.lock().unwrap().next().unwrap_or(200)));
        let handler = short_lines(server.url(), patient(1000)).gzip_above(10 * LINE);
        let (logger, guard, _told) = logger_of(handler, |pipeline| pipeline);
        log_numbered(&logger, 16);
        guard.flush(LONG).unwrap();
        let requests = server.requests();
        let [first, again, left, left_again, right] = &requests[..] else { panic!("{requests:?}") };
        assert!(first.body == again.body && plain(first).1);
        assert!(left.body == left_again.body && !plain(left).1 && !plain(right).1);
        assert_eq!(plain(first).0, [plain(left).0, plain(right).0].concat());
    }
}

/// A handler that takes as many records at once as a function says.
struct Portions<F> {
    portion: F,
    /// What `emit` got.
    offered: Arc<Mutex<Vec<Vec<String>>>>,
    failures: usize,
}

impl<F: FnMut(&[LogRecord]) -> usize + Send> Handler for Portions<F> {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        let messages = records.iter().map(|record| record.message().to_owned()).collect();
        self.offered.lock().unwrap().push(messages);
        if self.failures > 0 {
            self.failures -= 1;
            return Err(EmitError::transient("down"));
        }
        Ok(())
    }

    fn batch(&self) -> Batch {
        patient(100)
    }

    fn portion(&mut self, records: &[LogRecord]) -> usize {
        (self.portion)(records)
    }
}

/// What such a handler got of ten records.
fn portions(failures: usize, portion: impl FnMut(&[LogRecord]) -> usize + Send + 'static) -> (Vec<usize>, Guard) {
    let offered = Arc::default();
    let handler = Portions { portion, offered: Arc::clone(&offered), failures };
    let retry = Retry::default().first_delay(Duration::from_millis(1)).max_delay(Duration::from_millis(5));
    let (logger, guard) =
        logpost::builder().handler(Pipeline::new(handler).retry(retry)).on_error(|_| {}).build().unwrap();
    log_numbered(&logger, 10);
    guard.flush(LONG).unwrap();
    let offered = offered.lock().unwrap().clone();
    let (failed, taken) = offered.split_at(failures);
    assert!(failed.iter().all(|portion| *portion == taken[0]), "{offered:?}");
    assert_eq!(taken.concat(), all_numbered(10));
    assert_eq!((guard.stats().delivered, guard.stats().pending), (10, 0));
    (offered.iter().map(Vec::len).collect(), guard)
}

#[test]
fn a_handler_gets_the_portions_that_it_asks_for() {
    assert_eq!(portions(0, <[LogRecord]>::len).0, [10]);
    assert_eq!(portions(0, |_| 3).0, [3, 3, 3, 1]);
    assert_eq!(portions(0, |records| records.len() / 2).0, [5, 2, 1, 1, 1], "none of one is one");
    assert_eq!(portions(0, |_| usize::MAX).0, [10]);
    assert_eq!(portions(0, |_| 0).0, [1; 10]);
}

#[test]
fn an_attempt_made_again_is_at_the_same_portion() {
    assert_eq!(portions(3, |_| 4).0, [4, 4, 4, 4, 4, 2]);
}

#[test]
fn a_portion_that_panics_is_of_one() {
    assert_eq!(portions(0, |_| panic!("on purpose, in portion")).0, [1; 10]);
}

/// What is captured is captured at once, and in order, however many at a time.
#[test]
fn a_capture_handler_takes_batches_in_order_and_does_not_linger() {
    let capture = CaptureHandler::new();
    let (logger, guard) = logpost::builder().handler(capture.clone()).build().unwrap();
    log_numbered(&logger, 2000);
    logpost_test_support::wait_until("all are captured", || capture.records().len() == 2000);
    assert_eq!(capture.messages(), all_numbered(2000));
    drop(guard);
}
