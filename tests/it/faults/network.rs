//! The network fails, or the server's end of it.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use logpost::{ErrorClass, HttpHandler, State};
use logpost_test_support::{Answer, Connection, Plan, Port, Server};

use super::{CUT, Sender, answer, during, outlasts, outlasts_until_cut, quick};

/// Longer than a test takes: who waits for it has failed.
const NEVER: Duration = Duration::from_secs(600);

#[test]
fn refused_then_up() {
    let port = Port::reserve();
    let sender = Sender::to(port.url());
    sender.log_many(20);
    for _ in 0..4 {
        let failure = sender.failure();
        assert_eq!(failure.class, ErrorClass::Transient);
        assert!(failure.text.contains(&port.address().to_string()), "{failure:?}");
    }
    assert_eq!(sender.stats().pending, 20);
    let server = Server::builder().start_on(port.listen(128));
    sender.assert_all_delivered(&server);
    assert_eq!(server.requests().len(), 20);
}

/// Connects until nobody answers any more.
#[cfg(target_os = "linux")]
pub(super) fn fill(address: SocketAddr) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    loop {
        match TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            Ok(stream) => streams.push(stream),
            Err(error) if error.kind() == ErrorKind::TimedOut => return streams,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Linux alone lets an attempt to connect to a full backlog go unanswered.
#[cfg(target_os = "linux")]
#[test]
fn black_holed_connect() {
    let listener = Port::reserve().listen(0);
    let address = listener.local_addr().unwrap();
    let streams = fill(address);
    let handler = HttpHandler::builder(format!("http://{address}/log")).connect_timeout(Duration::from_millis(200));
    let sender = Sender::with(handler, |pipeline| pipeline);
    sender.log_many(5);
    for _ in 0..2 {
        assert_eq!(sender.failure().class, ErrorClass::Transient);
    }
    assert_eq!(sender.stats().pending, 5);
    drop(streams);
    let server = Server::builder().start_on(listener);
    sender.assert_all_delivered(&server);
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn unknown_host() {
    let sender = Sender::with(HttpHandler::builder("http://name.invalid/").timeout(CUT), |pipeline| pipeline);
    sender.log_many(3);
    for _ in 0..2 {
        let failure = sender.failure();
        assert_eq!(failure.class, ErrorClass::Transient, "{failure:?}");
        assert!(failure.text.contains("http://name.invalid"), "{failure:?}");
    }
    let stats = sender.stats();
    assert_eq!(stats.pending, 3, "{stats}");
    assert!(matches!(stats.state, State::Failing { .. }), "{stats}");
}

#[test]
fn reset_before_the_head() {
    let server =
        Server::builder().connections(|number| if number < 10 { Connection::Reset } else { Connection::Serve }).start();
    let sender = Sender::to(server.url());
    sender.log_many(20);
    sender.assert_all_delivered(&server);
    assert_eq!(server.requests().len(), 20);
    assert_eq!(sender.stats().retries, 10);
}

#[test]
fn reset_in_the_body() {
    let told = outlasts(Plan::ResetInBody);
    // The first of the three came on a connection that had been kept, and nobody was told.
    assert_eq!(told.len(), 2, "{told:?}");
}

/// The one place where records arrive twice, and the key tells that they do.
#[test]
fn reset_after_the_body() {
    let server = Server::scripted(during(2..12, Plan::ResetAfterBody));
    let sender = Sender::to(server.url());
    sender.log_many(20);
    sender.assert_all_delivered(&server);
    let requests = server.requests();
    assert_eq!(requests.len(), 30);
    assert!(requests[2..13].iter().all(|request| request.msg() == "record 2"));
}

/// A server that closes each kept connection at the moment of its second request is no failure at all.
fn idle_close_race(plan: &Plan) -> Server {
    const RACES: usize = 1000;
    let plan = plan.clone();
    let server = Server::scripted(move |request| if request.position == 0 { answer(200) } else { plan.clone() });
    let patient = quick().max_delay(NEVER).first_delay(NEVER);
    let sender = Sender::with(HttpHandler::builder(server.url()), |pipeline| pipeline.retry(patient));
    sender.log_many(RACES + 1);
    sender.assert_all_delivered(&server);
    let failures = sender.failures();
    assert!(failures.is_empty(), "{failures:?}");
    let stats = sender.stats();
    assert_eq!((stats.retries, stats.last_error), (RACES as u64, None));
    assert_eq!(server.connections(), RACES + 1);
    server
}

#[test]
fn idle_close_race_1000_times() {
    let server = idle_close_race(&Plan::ResetInBody);
    assert_eq!(server.requests().len(), 1001);
}

#[test]
fn idle_close_race_behind_the_body_1000_times() {
    let server = idle_close_race(&Plan::CloseAfterBody);
    assert_eq!(server.requests().len(), 2001);
}

/// More than the buffers of both sockets hold.
pub(super) const LARGE: usize = 8 * 1024 * 1024;

fn large(handler: logpost::HttpHandlerBuilder) -> logpost::HttpHandlerBuilder {
    let filler = "x".repeat(LARGE);
    handler.map_log_record(move |record, fields| {
        fields.push("msg", record.message()).push("filler", filler.as_str());
    })
}

#[test]
fn a_server_that_never_reads() {
    let server = Server::scripted(during(1..2, Plan::NeverRead));
    let sender = Sender::with(large(HttpHandler::builder(server.url()).timeout(CUT)), |pipeline| pipeline);
    sender.log_many(3);
    sender.assert_all_delivered(&server);
    let failure = sender.failure();
    assert!(failure.class == ErrorClass::Transient && failure.text.contains("timeout"), "{failure:?}");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_server_that_never_reads_nor_answers_a_small_request() {
    outlasts_until_cut(Plan::NeverRead);
}

#[test]
fn slow_read() {
    let server = Server::scripted(|_| Plan::SlowRead(20, Duration::from_millis(1)));
    let sender = Sender::to(server.url());
    sender.log_many(5);
    sender.assert_all_delivered(&server);
    assert!(sender.failures().is_empty());
    assert_eq!((server.requests().len(), server.connections()), (5, 1));
}

#[test]
fn slow_read_of_a_large_body() {
    let server = Server::scripted(|_| Plan::SlowRead(LARGE / 64, Duration::from_millis(2)));
    let sender = Sender::with(large(HttpHandler::builder(server.url())), |pipeline| pipeline);
    sender.log_many(2);
    sender.assert_all_delivered(&server);
    assert!(sender.failures().is_empty());
    assert_eq!(server.requests().len(), 2);
}

/// The time-outs for reads never strike, as there is always something to read: the one of the whole call does.
#[test]
fn trickled_response() {
    let head = format!("HTTP/1.1 200 OK\r\nX-Slow: {}", "x".repeat(50_000));
    outlasts_until_cut(Plan::Trickle(Answer::raw(head), Duration::from_millis(1)));
}

#[test]
fn trickled_response_in_time() {
    let server = Server::scripted(|_| Plan::Trickle(Answer::status(200), Duration::from_millis(1)));
    let sender = Sender::to(server.url());
    sender.log_many(5);
    sender.assert_all_delivered(&server);
    assert!(sender.failures().is_empty());
    assert_eq!((server.requests().len(), server.connections()), (5, 1));
}
