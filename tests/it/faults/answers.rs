//! Answers that are hardly HTTP, and what still counts as delivered.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use logpost::{ErrorClass, HttpHandler};
use logpost_test_support::{Answer, Plan, Server};

use super::{CUT, Sender, answer, during, outlasts, outlasts_as, outlasts_until_cut, raw, raw_then_close};

#[test]
fn garbage_for_a_status_line() {
    outlasts_as(ErrorClass::Transient, raw("\0\x01\u{fffd} what?\r\n\r\n"));
    outlasts_as(ErrorClass::Transient, raw("HTTP/9.9 2OO OK\r\nContent-Length: 0\r\n\r\n"));
    outlasts_as(ErrorClass::Transient, raw("SSH-2.0-OpenSSH_9.9\r\n\r\n"));
}

#[test]
fn no_answer_but_a_close() {
    let told = outlasts(Plan::CloseAfterBody);
    assert_eq!(told.len(), 2, "{told:?}");
}

#[test]
fn half_a_head_and_a_close() {
    outlasts_as(ErrorClass::Transient, raw_then_close("HTTP/1.1 200 OK\r\nContent-Le"));
}

#[test]
fn huge_headers() {
    let filler = "X-Filler: 0123456789\r\n".repeat(5000);
    outlasts_as(ErrorClass::Transient, raw(format!("HTTP/1.1 200 OK\r\n{filler}Content-Length: 0\r\n\r\n")));
}

#[test]
fn one_huge_header() {
    let filler = "x".repeat(100_000);
    let head = format!("HTTP/1.1 200 OK\r\nX-Filler: {filler}\r\nContent-Length: 0\r\n\r\n");
    outlasts_as(ErrorClass::Transient, raw(head));
}

#[test]
fn endless_headers() {
    let plan = Plan::Endless(Answer::raw("HTTP/1.1 200 OK\r\n"), b"X-Filler: 0123456789\r\n".repeat(100));
    outlasts_as(ErrorClass::Transient, plan);
}

#[test]
fn endless_early_hints() {
    let hints = b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100);
    outlasts_as(ErrorClass::Transient, Plan::Endless(Answer::raw(""), hints));
}

#[test]
fn a_length_that_is_no_number() {
    for length in ["banana", "-1", "99999999999999999999999"] {
        let head = format!("HTTP/1.1 503 Busy\r\nContent-Length: {length}\r\n\r\n");
        outlasts_as(ErrorClass::Transient, raw(head));
    }
}

/// All records are delivered by one request each, and nobody is told of anything.
fn counts_as_delivered(plan: Plan) -> Server {
    const COUNT: usize = 10;
    let server = Server::scripted(during(2..5, plan));
    let sender = Sender::to(server.url());
    sender.log_many(COUNT);
    sender.assert_all_delivered(&server);
    let failures = sender.failures();
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!((server.requests().len(), sender.stats().retries), (COUNT, 0));
    server
}

#[test]
fn endless_response() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let server = counts_as_delivered(Plan::Endless(Answer::raw(chunked), b"5\r\nagain\r\n".repeat(100)));
    assert_eq!(server.connections(), 4);
    let unframed = Answer::raw("HTTP/1.1 200 OK\r\n\r\n");
    let server = counts_as_delivered(Plan::Endless(unframed, b"again ".repeat(100)));
    assert_eq!(server.connections(), 4);
}

#[test]
fn endless_refusal() {
    let head = "HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n";
    outlasts_as(ErrorClass::Transient, Plan::Endless(Answer::raw(head), b"5\r\nagain\r\n".repeat(100)));
}

/// What was read of the answer is enough to know that the record has arrived.
#[test]
fn a_trickled_response_body_is_cut_and_the_record_delivered() {
    let slow = Plan::TrickleBody(Answer::with(200, &[], &"x".repeat(50_000)), Duration::from_millis(1));
    let server = Server::scripted(during(0..1, slow));
    let handler = HttpHandler::builder(server.url()).timeout(CUT);
    let sender = Sender::with(handler, |pipeline| pipeline);
    sender.log_many(2);
    sender.assert_all_delivered(&server);
    assert_eq!((server.requests().len(), server.connections()), (2, 2));
}

#[test]
fn unsolicited_100_continue() {
    let server =
        counts_as_delivered(raw("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    assert_eq!(server.connections(), 1);
}

#[test]
fn unsolicited_103_early_hints() {
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n";
    let server = counts_as_delivered(raw(format!("{hints}{hints}HTTP/1.1 204 No Content\r\n\r\n")));
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_length_too_short_confuses_no_later_request() {
    let server = counts_as_delivered(raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok, and more"));
    assert_eq!(server.connections(), 4);
}

/// What follows an answer looks like the next one, which it is not: the records behind it must reach the server.
#[test]
fn a_stray_answer_is_not_taken_for_the_next_one() {
    let one = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    counts_as_delivered(raw(format!("{one}{one}{one}")));
    let refusal = "HTTP/1.1 422 No\r\nContent-Length: 2\r\n\r\nno";
    counts_as_delivered(raw(format!("{one}{refusal}{refusal}")));
}

#[test]
fn a_length_too_long() {
    let server = counts_as_delivered(raw_then_close("HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\nok"));
    assert_eq!(server.connections(), 4);
}

#[test]
fn a_cut_chunk() {
    counts_as_delivered(raw_then_close("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\nok"));
    counts_as_delivered(raw_then_close("HTTP/1.1 201 OK\r\nTransfer-Encoding: chunked\r\n\r\nwhat?\r\n"));
    let told = outlasts(raw_then_close("HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n20\r\nbusy"));
    assert!(told.len() == 3 && told.iter().all(|failure| failure.text.contains("503")), "{told:?}");
}

#[test]
fn an_answer_that_ends_with_its_connection() {
    let server = counts_as_delivered(raw_then_close("HTTP/1.1 200 OK\r\n\r\nok"));
    assert_eq!(server.connections(), 4);
    counts_as_delivered(raw_then_close("HTTP/1.0 200 OK\r\n\r\nok"));
}

#[test]
fn a_good_answer_and_a_close() {
    let server = counts_as_delivered(Plan::Answer(Answer::with(200, &[("Connection", "close")], "ok").then_close()));
    assert_eq!(server.connections(), 4);
}

#[test]
fn a_good_answer_and_a_close_without_a_word() {
    let server = Server::scripted(during(2..50, Plan::Answer(Answer::status(200).then_close())));
    let sender = Sender::to(server.url());
    sender.log_many(100);
    sender.assert_all_delivered(&server);
    // Some of the next requests went to a connection that was about to be closed; nobody needs to know.
    assert!(sender.failures().is_empty());
    assert_eq!(server.requests().len(), 100);
}

#[test]
fn a_stalled_answer() {
    outlasts_until_cut(Plan::Stall);
}

#[test]
fn flapping() {
    const STATUSES: [u16; 8] = [500, 200, 502, 200, 503, 503, 200, 504];
    let seen = AtomicUsize::new(0);
    let server = Server::scripted(move |_| answer(STATUSES[seen.fetch_add(1, Ordering::SeqCst) % STATUSES.len()]));
    let sender = Sender::to(server.url());
    sender.log_many(99);
    sender.assert_all_delivered(&server);
    // Three of each eight are taken; the last one is the seventh of its eight.
    assert_eq!((server.requests().len(), sender.failures().len()), (33 * 8 - 1, 33 * 5 - 1));
}
