//! When not to try again: what `AtMostOnce` and the limits of `Retry` give up; and the key by which a server tells.

use std::collections::HashSet;
use std::time::Duration;

use logpost::{Action, Delivery, HttpHandler, Method, Pipeline, Retry};
use logpost_test_support::{Answer, Plan, Port, Request, Server};

use super::{CUT, Sender, answer, during, key, quick};

fn at_most_once(pipeline: Pipeline) -> Pipeline {
    pipeline.delivery(Delivery::AtMostOnce)
}

/// The record that met the fault is given up, and no request is made twice.
fn is_given_up_at_once(plan: Plan) {
    let server = Server::scripted(during(2..3, plan));
    let handler = HttpHandler::builder(server.url()).timeout(CUT);
    let sender = Sender::with(handler, at_most_once);
    sender.log_many(10);
    sender.flush();
    sender.assert_delivered_but(&server, &["record 2".to_owned()]);
    let stats = sender.stats();
    assert_eq!((stats.abandoned, stats.attempts, stats.retries), (1, 10, 0), "{stats}");
    let failures = sender.failures();
    assert_eq!((failures.len(), failures[0].action), (1, Action::Abandon), "{failures:?}");
    assert_eq!(failures[0].messages, ["record 2"]);
}

#[test]
fn at_most_once_sends_nothing_twice_that_may_have_arrived() {
    is_given_up_at_once(Plan::ResetAfterBody);
    is_given_up_at_once(Plan::CloseAfterBody);
    is_given_up_at_once(Plan::Stall);
    is_given_up_at_once(Plan::Answer(Answer::raw("garbage\r\n\r\n")));
    // The server may have taken the record before it failed.
    is_given_up_at_once(answer(500));
    is_given_up_at_once(answer(503));
}

/// The retry that nobody is told of may be the second delivery.
#[test]
fn at_most_once_makes_no_silent_retry() {
    is_given_up_at_once(Plan::ResetInBody);
}

#[test]
fn at_most_once_retries_what_was_refused() {
    for status in [301, 401, 404, 408, 425, 429] {
        let server = Server::scripted(during(2..5, answer(status)));
        let sender = Sender::with(HttpHandler::builder(server.url()), at_most_once);
        sender.log_many(10);
        sender.assert_all_delivered(&server);
        assert_eq!(sender.stats().retries, 3, "{status}");
    }
}

#[test]
fn at_most_once_retries_what_never_left() {
    let port = Port::reserve();
    let sender = Sender::with(HttpHandler::builder(port.url()), at_most_once);
    sender.log_many(10);
    for _ in 0..4 {
        assert!(matches!(sender.failure().action, Action::Retry(_)));
    }
    let server = Server::builder().start_on(port.listen(128));
    sender.assert_all_delivered(&server);
    assert_eq!(server.requests().len(), 10);
}

#[test]
fn max_attempts_is_how_often_a_record_is_sent() {
    let server = Server::scripted(during(0..12, answer(503)));
    let sender = Sender::with(HttpHandler::builder(server.url()), |pipeline| pipeline.retry(quick().max_attempts(3)));
    sender.log_many(5);
    sender.flush();
    let lost: Vec<_> = (0..4).map(|number| format!("record {number}")).collect();
    sender.assert_delivered_but(&server, &lost);
    let stats = sender.stats();
    assert_eq!((stats.abandoned, stats.attempts, stats.retries), (4, 13, 8), "{stats}");
    let failures = sender.failures();
    assert_eq!(failures.len(), 12);
    for (number, failure) in failures.iter().enumerate() {
        assert_eq!(failure.action == Action::Abandon, number % 3 == 2, "{failure:?}");
        assert_eq!(failure.messages, [format!("record {}", number / 3)]);
    }
}

#[test]
fn max_age_gives_up_what_is_too_old() {
    let server = Server::scripted(|_| answer(503));
    let retry = quick().max_age(Duration::from_millis(50));
    let sender = Sender::with(HttpHandler::builder(server.url()), |pipeline| pipeline.retry(retry));
    sender.log_many(3);
    sender.flush();
    let all = sender.logged().clone();
    sender.assert_delivered_but(&server, &all);
    let last = sender.failures().pop().unwrap();
    assert_eq!((last.action, last.messages), (Action::Abandon, vec!["record 2".to_owned()]));
}

#[test]
fn max_age_spares_what_is_not() {
    let server = Server::scripted(during(2..12, answer(503)));
    let retry = quick().max_age(Duration::from_secs(3600));
    let sender = Sender::with(HttpHandler::builder(server.url()), |pipeline| pipeline.retry(retry));
    sender.log_many(5);
    sender.assert_all_delivered(&server);
}

#[test]
fn an_idempotency_key_is_one_records_own() {
    let server = Server::scripted(|request| answer(if request.position % 3 == 2 { 200 } else { 503 }));
    let sender = Sender::to(server.url());
    sender.log_many(10);
    sender.assert_all_delivered(&server);
    let other = Sender::to(server.url());
    other.log_many(10);
    other.flush();
    let requests = server.requests();
    assert_eq!(requests.len(), 60);
    for attempts in requests.chunks(3) {
        assert!(attempts.iter().all(|request| key(request) == key(&attempts[0])), "{attempts:?}");
    }
    assert_eq!(requests.iter().map(key).collect::<HashSet<_>>().len(), 20);
}

#[test]
fn a_get_has_no_idempotency_key() {
    let server = Server::scripted(during(2..5, answer(503)));
    let sender = Sender::with(HttpHandler::builder(server.url()).method(Method::Get), |pipeline| pipeline);
    sender.log_many(10);
    sender.flush();
    let requests = server.requests();
    assert!(requests.iter().all(|request| request.method == "GET" && request.header("idempotency-key").is_empty()));
    let taken = requests.iter().filter(|request| request.answered == Some(200)).map(Request::msg);
    assert_eq!(taken.collect::<Vec<_>>(), *sender.logged());
    assert_eq!((requests.len(), sender.stats().delivered), (13, 10));
}

#[test]
fn a_delay_beyond_all_bounds_does_not_end_the_listener() {
    for _ in 0..10 {
        let server = Server::scripted(during(0..1, answer(401)));
        let retry = Retry::default().max_delay(Duration::MAX);
        let sender = Sender::with(HttpHandler::builder(server.url()), |pipeline| pipeline.retry(retry));
        sender.log_many(1);
        sender.failure();
        sender.assert_all_delivered(&server);
    }
}

#[test]
fn a_time_out_without_end_is_none() {
    let server = Server::start();
    let handler = HttpHandler::builder(server.url()).timeout(Duration::MAX).connect_timeout(Duration::MAX);
    let sender = Sender::with(handler, |pipeline| pipeline);
    sender.log_many(3);
    sender.assert_all_delivered(&server);
}
