//! A handler of the user's that hands on to an `HttpHandler` what it likes: each request is of just those records, and has
//! a key of their own.

use std::time::Duration;

use log::info;
use logpost::{Batch, CaptureHandler, EmitError, FormLines, Handler, HttpHandler, LogRecord, Pipeline, Retry};
use logpost_test_support::{LONG, Request, Server};

/// A linger that nobody waits out.
const FOR_EVER: Duration = Duration::from_secs(60 * 60);

/// In each attempt, hands on the records at other places; all but the last attempt fail, whatever the server says.
struct Forwards {
    inner: HttpHandler,
    attempts: Vec<&'static [usize]>,
}

impl Handler for Forwards {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        let places = self.attempts.remove(0);
        let part: Vec<_> = places.iter().map(|&place| records[place].clone()).collect();
        self.inner.emit(&part)?;
        if self.attempts.is_empty() { Ok(()) } else { Err(EmitError::transient("once more")) }
    }

    fn batch(&self) -> Batch {
        Batch::default().max_records(3).linger(FOR_EVER)
    }
}

/// What is sent of three records, `0`, `1` and `2`: the messages, and the key.
fn sent(attempts: &[&'static [usize]]) -> Vec<(String, String)> {
    let server = Server::start();
    let handler = HttpHandler::builder(server.url()).encoding(FormLines).map_log_record(|record, fields| {
        fields.push("m", record.message());
    });
    let forwards = Forwards { inner: handler.build().unwrap(), attempts: attempts.to_vec() };
    let retry = Retry::default().first_delay(Duration::from_millis(1)).max_delay(Duration::from_millis(5));
    let (logger, guard) =
        logpost::builder().handler(Pipeline::new(forwards).retry(retry)).on_error(|_| {}).build().unwrap();
    for number in 0..3 {
        info!(logger: logger, "{number}");
    }
    guard.flush(LONG).unwrap();
    let stats = guard.stats();
    assert_eq!((stats.delivered, stats.attempts), (3, attempts.len() as u64), "{stats}");
    server.requests().iter().map(|request| (lines(request), key(request))).collect()
}

fn lines(request: &Request) -> String {
    String::from_utf8(request.body.clone()).unwrap().replace("m=", "").replace('\n', "")
}

fn key(request: &Request) -> String {
    request.header("idempotency-key")[0].to_owned()
}

#[test]
fn each_part_of_a_batch_is_sent_as_it_is() {
    let sent = sent(&[&[0, 1], &[0, 2], &[0, 2], &[0, 1, 2], &[2, 1, 0], &[0], &[2]]);
    let bodies: Vec<_> = sent.iter().map(|(body, _)| body.as_str()).collect();
    assert_eq!(bodies, ["01", "02", "02", "012", "210", "0", "2"]);
}

#[test]
fn each_part_of_a_batch_has_its_own_key() {
    let sent = sent(&[&[0, 1], &[0, 2], &[0, 2], &[0, 1, 2], &[0, 2, 1], &[0], &[2]]);
    for (place, (body, key)) in sent.iter().enumerate() {
        let same: Vec<_> = sent[..place].iter().filter(|(_, other)| other == key).collect();
        // A part that is sent again is the one that it was.
        let expected: Vec<_> = sent[..place].iter().filter(|(other, _)| other == body).collect();
        assert_eq!(same, expected, "{sent:?}");
    }
}

/// The numbers of records begin anew in each queue.
#[test]
fn records_of_two_queues_are_two() {
    let server = Server::start();
    let mut handler = HttpHandler::new(server.url()).unwrap();
    for message in ["of one queue", "of another queue"] {
        let capture = CaptureHandler::new();
        let (logger, guard) = logpost::builder().handler(capture.clone()).build().unwrap();
        info!(logger: logger, "{message}");
        guard.flush(LONG).unwrap();
        handler.emit(&capture.records()).unwrap();
        // The same again is the same.
        handler.emit(&capture.records()).unwrap();
    }
    assert_eq!(server.messages(), ["of one queue", "of one queue", "of another queue", "of another queue"]);
    let keys: Vec<_> = server.requests().iter().map(key).collect();
    assert!(keys[0] == keys[1] && keys[2] == keys[3] && keys[0] != keys[2], "{keys:?}");
}
