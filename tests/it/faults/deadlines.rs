//! Flush and stop come back in time, wherever the listener is stuck.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use log::info;
use logpost::HttpHandler;
use logpost_test_support::{Answer, LONG, Plan, Port, Server, wait_until};

use super::{CUT, Sender, answer, during, quick};

const COUNT: u64 = 10;
const SOON: Duration = Duration::from_millis(100);
/// Who takes this much longer than asked for hangs; no request here is over so soon unless it is cut short.
const MARGIN: Duration = Duration::from_secs(5);

/// Flushes from many threads, and a stop, with the listener stuck at the first of `COUNT` records, or waiting to try it
/// again.
fn assert_deadlines_hold(sender: &Sender) {
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                assert_eq!(sender.guard.flush(SOON).unwrap_err().pending(), COUNT);
                assert!(began.elapsed() >= SOON);
            });
        }
    });
    assert!(began.elapsed() < SOON + MARGIN, "{:?}", began.elapsed());
    let stats = sender.stats();
    assert_eq!((stats.pending, stats.accepted), (COUNT, COUNT), "{stats}");

    let began = Instant::now();
    let stats = sender.guard.stop(SOON);
    assert!(began.elapsed() < SOON + MARGIN, "{:?}", began.elapsed());
    assert!(stats.abandoned >= COUNT - 1 && stats.abandoned + stats.pending == COUNT, "{stats}");
    // The one in flight is cut short.
    wait_until("the last record is accounted for", || sender.stats().pending == 0);
    assert!(began.elapsed() < SOON + MARGIN, "{:?}", began.elapsed());
    let stats = sender.stats();
    assert_eq!((stats.accepted, stats.abandoned, stats.dropped.total()), (COUNT, COUNT, 0), "{stats}");
    assert_all_is_over(sender);
}

/// What may be asked of a logger that was stopped.
fn assert_all_is_over(sender: &Sender) {
    let before = sender.stats();
    info!(logger: sender.logger, "too late");
    sender.guard.flush(LONG).unwrap();
    assert_eq!(sender.guard.stop(LONG).dropped.closed, 1);
    let stats = sender.guard.stop(Duration::ZERO);
    assert_eq!(stats.dropped.closed, 1, "{stats}");
    assert_eq!(
        (stats.accepted, stats.delivered, stats.abandoned, stats.attempts),
        (before.accepted, before.delivered, before.abandoned, before.attempts)
    );
}

#[test]
fn during_a_backoff() {
    let busy = Answer::with(503, &[("Retry-After", "300")], "");
    let server = Server::scripted(move |_| Plan::Answer(busy.clone()));
    let sender = Sender::to(server.url());
    sender.log_many(10);
    sender.failure();
    assert_deadlines_hold(&sender);
}

#[test]
fn during_many_backoffs() {
    let port = Port::reserve();
    let sender = Sender::to(port.url());
    sender.log_many(10);
    sender.failure();
    assert_deadlines_hold(&sender);
}

/// Linux alone lets an attempt to connect to a full backlog go unanswered.
#[cfg(target_os = "linux")]
#[test]
fn during_a_connect() {
    let listener = Port::reserve().listen(0);
    let address = listener.local_addr().unwrap();
    let _streams = super::network::fill(address);
    // A connection in the making can't be cut short: the record in flight is given up after this.
    let handler = HttpHandler::builder(format!("http://{address}/log")).connect_timeout(CUT);
    let sender = Sender::with(handler, |pipeline| pipeline);
    sender.log_many(10);
    assert_deadlines_hold(&sender);
}

#[test]
fn during_a_write() {
    let (tell, told) = mpsc::channel();
    let server = Server::scripted(move |_| {
        tell.send(()).unwrap();
        Plan::NeverRead
    });
    let filler = "x".repeat(super::network::LARGE);
    let handler = HttpHandler::builder(server.url()).map_log_record(move |record, fields| {
        fields.push("msg", record.message()).push("filler", filler.as_str());
    });
    let sender = Sender::with(handler, |pipeline| pipeline);
    sender.log_many(10);
    told.recv_timeout(LONG).unwrap();
    assert_deadlines_hold(&sender);
}

#[test]
fn during_a_read() {
    let server = Server::scripted(|_| Plan::Stall);
    let sender = Sender::to(server.url());
    sender.log_many(10);
    server.wait_for(1);
    assert_deadlines_hold(&sender);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn during_a_trickled_answer() {
    let head = format!("HTTP/1.1 200 OK\r\nX-Slow: {}", "x".repeat(60_000));
    let server = Server::scripted(move |_| Plan::Trickle(Answer::raw(head.as_str()), Duration::from_millis(1)));
    let sender = Sender::to(server.url());
    sender.log_many(10);
    server.wait_for(1);
    assert_deadlines_hold(&sender);
    assert_eq!(server.requests().len(), 1);
}

/// A good server is not waited for until its delay is over.
#[test]
fn a_stop_in_a_backoff_makes_one_more_attempt() {
    let busy = Answer::with(503, &[("Retry-After", "300")], "");
    let server = Server::scripted(during(0..1, Plan::Answer(busy)));
    let sender = Sender::to(server.url());
    sender.log_many(10);
    sender.failure();
    let stats = sender.guard.stop(LONG);
    assert_eq!((stats.delivered, stats.pending), (COUNT, 0), "{stats}");
    sender.assert_delivered_but(&server, &[]);
    assert_all_is_over(&sender);
}

#[test]
fn a_flush_in_a_backoff_makes_one_attempt() {
    let busy = Answer::with(503, &[("Retry-After", "300")], "");
    let server = Server::scripted(move |_| Plan::Answer(busy.clone()));
    let sender = Sender::to(server.url());
    sender.log_many(10);
    for attempt in 1..=5 {
        sender.failure();
        assert_eq!(sender.stats().attempts, attempt);
        sender.guard.flush(Duration::ZERO).unwrap_err();
    }
    sender.failure();
    sender.guard.stop(Duration::ZERO);
}

#[test]
fn a_stop_during_an_outage_delivers_what_it_can() {
    let server = Server::scripted(during(2..5, answer(503)));
    let sender = Sender::to(server.url());
    sender.log_many(10);
    let stats = sender.guard.stop(LONG);
    assert_eq!((stats.delivered, stats.pending), (COUNT, 0), "{stats}");
    sender.assert_delivered_but(&server, &[]);
}

#[test]
fn flush_from_many_threads_during_a_fault() {
    let server = Server::scripted(during(5..50, answer(503)));
    let sender = Sender::with(HttpHandler::builder(server.url()), |pipeline| pipeline.retry(quick()));
    thread::scope(|scope| {
        for thread in 0..8 {
            let sender = &sender;
            scope.spawn(move || {
                for number in 0..5 {
                    sender.log(&format!("{thread} {number}"));
                    sender.guard.flush(LONG).unwrap();
                }
            });
        }
    });
    sender.assert_all_delivered(&server);
    assert_eq!(sender.stats().retries, 45);
}

/// Not even a server that goes on for ever in the middle of a stop changes what has been counted.
#[test]
fn stop_from_many_threads_during_a_fault() {
    let server = Server::scripted(|_| Plan::Stall);
    let sender = Sender::to(server.url());
    sender.log_many(10);
    server.wait_for(1);
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| sender.guard.stop(SOON));
        }
    });
    assert!(began.elapsed() < SOON + MARGIN, "{:?}", began.elapsed());
    wait_until("the last record is accounted for", || sender.stats().pending == 0);
    assert_eq!(sender.stats().abandoned, COUNT);
    assert_all_is_over(&sender);
}
