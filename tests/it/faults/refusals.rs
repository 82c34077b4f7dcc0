//! The server answers, and does not take what it was sent: for now, or for good.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use logpost::{Action, ErrorClass, HttpHandler};
use logpost_test_support::{Answer, Plan, Request, Server};

use super::{Sender, answer, broken, during, outlasts, outlasts_as, raw};

#[test]
fn what_somebody_has_to_mend_is_kept() {
    for status in [401, 403, 404, 405, 407, 410, 501, 505] {
        outlasts_as(ErrorClass::Endpoint, answer(status));
    }
    outlasts_as(ErrorClass::Endpoint, raw("HTTP/1.1 101 Switching Protocols\r\n\r\n"));
}

#[test]
fn what_mends_itself_is_kept() {
    for status in [408, 425, 429, 500, 502, 503, 504, 507, 599] {
        outlasts_as(ErrorClass::Transient, answer(status));
    }
}

#[test]
fn a_token_expires_and_is_renewed() {
    let (server, expired) = broken(answer(401));
    let sender = Sender::to(server.url());
    sender.log_many(50);
    for _ in 0..10 {
        let failure = sender.failure();
        assert!(failure.class == ErrorClass::Endpoint && failure.text.contains("401"), "{failure:?}");
    }
    assert_eq!(sender.stats().pending, 50);
    expired.store(false, Ordering::SeqCst);
    sender.assert_all_delivered(&server);
}

/// A redirected POST would become a GET, whose 200 would look like success.
#[test]
fn redirects_never_count_as_delivered() {
    let elsewhere = Server::start();
    for status in [300, 301, 302, 303, 304, 307, 308] {
        let script = |location: String| {
            let redirects = during(2..5, Plan::Answer(Answer::with(status, &[("Location", &location)], "")));
            move |request: &Request| if request.target == "/log" { redirects(request) } else { answer(200) }
        };
        for location in ["/elsewhere".to_owned(), elsewhere.url()] {
            let server = Server::scripted(script(location));
            let sender = Sender::to(server.url());
            sender.log_many(10);
            sender.assert_all_delivered(&server);
            let requests = server.requests();
            assert!(requests.iter().all(|request| request.method == "POST" && request.target == "/log"));
            assert_eq!(requests.len(), 13, "{status}");
            let failures = sender.failures();
            assert_eq!(failures.len(), 3, "{failures:?}");
            for failure in failures {
                assert!(failure.class == ErrorClass::Endpoint && failure.text.contains(&status.to_string()));
            }
        }
    }
    assert_eq!(elsewhere.connections(), 0);
}

/// The delay that a server gets which asks for it in these words.
fn delay_for(status: u16, retry_after: &str) -> Duration {
    let busy = Answer::with(status, &[("Retry-After", retry_after)], "later");
    let server = Server::scripted(during(0..1, Plan::Answer(busy)));
    let sender = Sender::to(server.url());
    sender.log_many(3);
    let failure = sender.failure();
    // The flush does not wait for it.
    sender.assert_all_delivered(&server);
    assert_eq!(server.requests().len(), 4);
    failure.delay()
}

/// What is left of a delay of so many seconds, on a machine that is busy.
fn about(seconds: u64) -> std::ops::RangeInclusive<Duration> {
    Duration::from_secs(seconds - 5)..=Duration::from_secs(seconds)
}

fn date_in(seconds: u64) -> String {
    httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(seconds))
}

const YEAR: u64 = 365 * 24 * 60 * 60;

#[test]
fn retry_after_is_granted_up_to_five_minutes() {
    for status in [429, 503] {
        for (asked_for, granted) in [
            ("7", 7),
            ("120", 120),
            (&date_in(60), 60),
            (&YEAR.to_string(), 300),
            ("99999999999999999999999999", 300),
            (&date_in(YEAR), 300),
        ] {
            let delay = delay_for(status, asked_for);
            assert!(about(granted).contains(&delay), "{status}, {asked_for}: {delay:?}");
        }
    }
}

#[test]
fn retry_after_in_the_past_or_garbage_asks_for_nothing() {
    for asked_for in ["0", "Sun, 06 Nov 1994 08:49:37 GMT", "soon", "-7", "7.5", "", "Sun, 99 Nov 2094 08:49:37 GMT"] {
        let delay = delay_for(429, asked_for);
        assert!(delay <= Duration::from_millis(1), "{asked_for:?}: {delay:?}");
    }
}

const MIB: usize = 1024 * 1024;

/// A record whose request is larger than both sockets' buffers, among others that are not.
fn large_among_small(server: &Server) -> Sender {
    let filler = "x".repeat(8 * MIB);
    let handler = HttpHandler::builder(server.url()).map_log_record(move |record, fields| {
        fields.push("msg", record.message());
        if record.message() == "large" {
            fields.push("filler", filler.as_str());
        }
    });
    let sender = Sender::with(handler, |pipeline| pipeline);
    sender.log_many(5);
    sender.log("large");
    sender.log_many(5);
    sender
}

fn is_large(request: &Request) -> bool {
    request.header("content-length")[0].parse::<usize>().unwrap() > MIB
}

/// The server refused this one record, and took the others.
fn assert_rejected(sender: &Sender, server: &Server, message: &str) {
    sender.flush();
    sender.assert_delivered_but(server, &[message.to_owned()]);
    assert_eq!(sender.stats().rejected, 1);
    let mut failures = sender.failures();
    let last = failures.pop().unwrap();
    assert!(last.action == Action::Reject && last.class == ErrorClass::Payload, "{:?} {}", last.action, last.text);
    assert_eq!(last.messages, [message]);
    assert!(failures.iter().all(|failure| matches!(failure.action, Action::Retry(_))));
}

#[test]
fn early_413() {
    let script =
        |request: &Request| if is_large(request) { Plan::AnswerEarly(Answer::status(413)) } else { answer(200) };
    let server = Server::scripted(script);
    assert_rejected(&large_among_small(&server), &server, "large");

    // As large as a message gets, and three times that on the wire.
    let server = Server::scripted(script);
    let sender = Sender::to(server.url());
    sender.log_many(5);
    let message = "\u{1}".repeat(MIB - 1);
    sender.log(&message);
    sender.log_many(5);
    assert_rejected(&sender, &server, &message);
}

#[test]
fn a_server_that_resets_large_bodies_refuses_them_in_the_end() {
    let server = Server::scripted(|request| if is_large(request) { Plan::ResetInBody } else { answer(200) });
    let sender = large_among_small(&server);
    assert_rejected(&sender, &server, "large");
    let stats = sender.stats();
    assert_eq!((stats.attempts, stats.retries), (13, 2), "{stats}");
}

#[test]
fn a_large_body_that_is_reset_twice_is_delivered() {
    let resets = during(0..2, Plan::ResetInBody);
    let server = Server::scripted(move |request| if is_large(request) { resets(request) } else { answer(200) });
    let sender = large_among_small(&server);
    sender.assert_all_delivered(&server);
    assert_eq!(server.requests().len(), 11);
}

#[test]
fn small_bodies_that_are_reset_are_no_refusal() {
    let server = Server::scripted(during(1..11, Plan::ResetInBody));
    let sender = Sender::to(server.url());
    sender.log_many(5);
    sender.assert_all_delivered(&server);
    assert_eq!(server.requests().len(), 5);
}

/// An answer to what was not read can't be about the record.
#[test]
fn an_early_200_is_no_delivery() {
    let early = during(0..2, Plan::AnswerEarly(Answer::status(200)));
    let server = Server::scripted(move |request| if is_large(request) { early(request) } else { answer(200) });
    let sender = large_among_small(&server);
    sender.assert_all_delivered(&server);
    assert_eq!(server.requests().len(), 11);
}

#[test]
fn refused_records_are_rejected_and_the_others_delivered() {
    for status in [400, 413, 414, 415, 422, 431] {
        let server = Server::scripted(during(2..5, answer(status)));
        let sender = Sender::to(server.url());
        sender.log_many(10);
        sender.flush();
        let refused: Vec<_> = (2..5).map(|number| format!("record {number}")).collect();
        sender.assert_delivered_but(&server, &refused);
        let stats = sender.stats();
        assert_eq!((stats.rejected, stats.retries, server.requests().len()), (3, 0, 10), "{stats}");
        let failures = sender.failures();
        assert!(failures.iter().all(|failure| failure.action == Action::Reject), "{failures:?}");
        assert_eq!(failures.into_iter().flat_map(|failure| failure.messages).collect::<Vec<_>>(), refused);
    }
}

/// Otherwise a wrong configuration would eat the whole queue in a moment.
#[test]
fn a_server_that_refuses_everything_gets_three_records_and_then_has_to_wait() {
    let no = Answer::with(422, &[("Retry-After", "300")], "no such field");
    let (server, misconfigured) = broken(Plan::Answer(no));
    let sender = Sender::to(server.url());
    sender.log_many(10);
    for number in 0..3 {
        let failure = sender.failure();
        assert_eq!((failure.action, failure.messages), (Action::Reject, vec![format!("record {number}")]));
    }
    for _ in 0..3 {
        assert!(about(300).contains(&sender.failure().delay()));
        assert_eq!(sender.stats().pending, 7);
        sender.guard.flush(Duration::ZERO).unwrap_err();
    }
    sender.failure();
    misconfigured.store(false, Ordering::SeqCst);
    sender.flush();
    sender.assert_delivered_but(&server, &["record 0", "record 1", "record 2"].map(ToOwned::to_owned));
    let stats = sender.stats();
    assert_eq!((stats.rejected, stats.delivered), (3, 7), "{stats}");
}

#[test]
fn a_reason_is_told_in_one_line() {
    let why = "field \"msg\"\r\n\tis\x1b[31m too long";
    let told = outlasts(Plan::Answer(Answer::with(403, &[], why)));
    assert!(told[0].text.contains("403 Forbidden: field \"msg\" is\u{fffd}[31m too long"), "{told:?}");
}

/// The server has said what is wrong, and it is not the record.
#[test]
fn an_early_503_or_429_to_a_large_body_is_no_refusal() {
    for status in [429, 503] {
        let early = during(0..5, Plan::AnswerEarly(Answer::status(status)));
        let server = Server::scripted(move |request| if is_large(request) { early(request) } else { answer(200) });
        let sender = large_among_small(&server);
        sender.assert_all_delivered(&server);
    }
}
