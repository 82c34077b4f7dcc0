//! What `Stats` says before, during and after a fault.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use logpost::{LastError, State, Stats};
use logpost_test_support::{Answer, Plan, Server};

use super::{Sender, answer, broken, during};

fn failing_since(stats: &Stats) -> SystemTime {
    let State::Failing { since } = stats.state else { panic!("{stats}") };
    since
}

#[test]
fn a_fault_shows_while_it_lasts_and_its_error_afterwards() {
    let busy = Answer::with(503, &[("Retry-After", "300")], "closed for lunch");
    let (server, down) = broken(Plan::Answer(busy));
    down.store(false, Ordering::SeqCst);
    let sender = Sender::to(server.url());
    assert_eq!(sender.stats(), Stats::default());
    sender.log_many(1);
    sender.flush();
    let stats = sender.stats();
    assert_eq!((stats.attempts, stats.retries, stats.state, stats.last_error), (1, 0, State::Idle, None));

    let mut last_since = SystemTime::UNIX_EPOCH;
    for outage in 0..3 {
        let before = SystemTime::now();
        down.store(true, Ordering::SeqCst);
        sender.log_many(5);
        sender.failure();
        let first = sender.stats();
        let since = failing_since(&first);
        assert!(before <= since && since <= SystemTime::now() && since > last_since, "{first}");
        let LastError { text, at, .. } = first.last_error.clone().unwrap();
        assert!(text.contains("503 Service Unavailable: closed for lunch"), "{text}");
        assert!(text.contains(&server.address().to_string()) && at == since, "{text}");
        assert_eq!((first.attempts, first.retries, first.pending), (2 + outage * 7, outage * 2, 5), "{first}");

        sender.guard.flush(Duration::ZERO).unwrap_err();
        sender.failure();
        let second = sender.stats();
        assert_eq!(failing_since(&second), since);
        assert!(second.last_error.as_ref().unwrap().at >= at);
        assert_eq!((second.attempts, second.retries), (first.attempts + 1, first.retries + 1), "{second}");

        down.store(false, Ordering::SeqCst);
        sender.flush();
        let stats = sender.stats();
        assert_eq!((stats.state, &stats.last_error), (State::Idle, &second.last_error));
        assert_eq!((stats.attempts, stats.retries), (first.attempts + 6, first.retries + 2), "{stats}");
        last_since = since;
    }
    sender.assert_delivered_but(&server, &[]);
}

#[test]
fn a_slow_server_is_no_fault() {
    let server = Server::scripted(|_| Plan::Stall);
    let sender = Sender::to(server.url());
    sender.log_many(2);
    server.wait_for(1);
    let stats = sender.stats();
    assert_eq!((stats.state, stats.pending, stats.attempts), (State::Delivering, 2, 0), "{stats}");
    sender.guard.stop(Duration::ZERO);
}

/// A rejection is told, and is no outage.
#[test]
fn a_refused_record_is_an_error_but_what_follows_is_not_failing() {
    let server = Server::scripted(during(1..2, answer(422)));
    let sender = Sender::to(server.url());
    sender.log_many(3);
    sender.flush();
    let stats = sender.stats();
    assert_eq!((stats.state, stats.attempts, stats.retries), (State::Idle, 3, 0), "{stats}");
    assert!(stats.last_error.unwrap().text.contains("422"));
}
