//! https: certificates that are good and bad, handshakes that stall, records that come late.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use logpost::{Action, Delivery, ErrorClass, HttpHandler, HttpHandlerBuilder, TlsProvider};
use logpost_test_support::{Answer, Authority, Connection, LONG, Plan, Server, ServerBuilder};

use crate::told::{check, log, logger};

/// All that there are: each test is one of each.
pub(crate) const PROVIDERS: &[TlsProvider] = &[
    #[cfg(feature = "rustls")]
    TlsProvider::Rustls,
    #[cfg(feature = "native-tls")]
    TlsProvider::NativeTls,
];

pub(crate) fn trusting(provider: TlsProvider, authority: &Authority, url: String) -> HttpHandlerBuilder {
    HttpHandler::builder(url).tls_provider(provider).root_certificate(authority.pem())
}

#[test]
fn records_reach_a_trusted_server_on_one_connection() {
    for &provider in PROVIDERS {
        let authority = Authority::new();
        let server = Server::builder().tls(authority.server()).start();
        let (logger, guard, told) = logger(trusting(provider, &authority, server.url()), Delivery::AtLeastOnce);
        log(&logger, 50);
        guard.flush(LONG).unwrap();
        check(&server, &guard, 50);
        assert_eq!((server.connections(), told.try_iter().count()), (1, 0));
    }
}

/// Behind a server with a bad certificate comes one, at the same address, with a good one.
fn kept_until_the_certificate_is_good(
    provider: TlsProvider,
    bad: ServerBuilder,
    authority: &Authority,
    delivery: Delivery,
) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = bad.start_on(listener.try_clone().unwrap());
    let (logger, guard, told) = logger(trusting(provider, authority, server.url()), delivery);
    log(&logger, 10);
    for _ in 0..3 {
        let told = told.recv_timeout(LONG).unwrap();
        assert_eq!(told.class, ErrorClass::Endpoint, "{told:?}");
        assert!(matches!(told.action, Action::Retry(_)) && told.not_arrived, "{told:?}");
        assert!(told.text.contains(&server.address().to_string()), "{told:?}");
        assert!(told.text.contains("certificate"), "{told:?}");
    }
    let stats = guard.stats();
    assert_eq!((stats.delivered, stats.pending), (0, 10), "{stats}");
    assert!(server.requests().is_empty());
    drop(server);
    let server = Server::builder().tls(authority.server()).start_on(listener);
    guard.flush(LONG).unwrap();
    check(&server, &guard, 10);
}

#[test]
fn an_authority_that_is_not_trusted_gets_nothing_and_costs_nothing() {
    for &provider in PROVIDERS {
        for delivery in [Delivery::AtLeastOnce, Delivery::AtMostOnce] {
            let (authority, other) = (Authority::new(), Authority::new());
            kept_until_the_certificate_is_good(provider, Server::builder().tls(other.server()), &authority, delivery);
        }
    }
}

#[test]
fn an_expired_certificate_gets_nothing_and_costs_nothing() {
    for &provider in PROVIDERS {
        for delivery in [Delivery::AtLeastOnce, Delivery::AtMostOnce] {
            let authority = Authority::new();
            kept_until_the_certificate_is_good(
                provider,
                Server::builder().tls(authority.expired_server()),
                &authority,
                delivery,
            );
        }
    }
}

#[test]
fn a_handshake_that_stalls_is_cut_by_the_connect_timeout() {
    for &provider in PROVIDERS {
        const STALLED: usize = 3;
        let authority = Authority::new();
        let server = Server::builder()
            .tls(authority.server())
            .connections(|number| if number < STALLED { Connection::Ignore } else { Connection::Serve })
            .start();
        let timeout = Duration::from_millis(300);
        // Whoever waits for one of the other time-outs fails this test.
        let handler = trusting(provider, &authority, server.url()).connect_timeout(timeout).timeout(LONG);
        let (logger, guard, told) = logger(handler, Delivery::AtMostOnce);
        let since = Instant::now();
        log(&logger, 10);
        for number in 1..=STALLED {
            let told = told.recv_timeout(LONG).unwrap();
            assert_eq!(told.class, ErrorClass::Transient, "{told:?}");
            assert!(matches!(told.action, Action::Retry(_)) && told.not_arrived, "{told:?}");
            let number = u32::try_from(number).unwrap();
            assert!(since.elapsed() >= timeout * number, "{number}: {:?}", since.elapsed());
            assert!(since.elapsed() < timeout * number + Duration::from_secs(5), "{number}: {:?}", since.elapsed());
        }
        guard.flush(LONG).unwrap();
        check(&server, &guard, 10);
        assert_eq!(server.connections(), STALLED + 1);
    }
}

/// A server that sends session tickets late does so behind its answer, when the connection seems to be idle.
#[test]
fn a_tls_record_behind_the_answer_loses_nothing_and_doubles_nothing() {
    for &provider in PROVIDERS {
        const RECORDS: usize = 300;
        let authority = Authority::new();
        let server = Server::builder()
            .tls(authority.server())
            .script(|_| Plan::Answer(Answer::status(200).then_late_record()))
            .start();
        let (logger, guard, told) = logger(trusting(provider, &authority, server.url()), Delivery::AtLeastOnce);
        log(&logger, RECORDS);
        guard.flush(LONG).unwrap();
        check(&server, &guard, RECORDS);
        assert_eq!(told.try_iter().count(), 0);
    }
}

#[test]
fn a_tls_server_that_closes_behind_its_answer_loses_nothing() {
    for &provider in PROVIDERS {
        let authority = Authority::new();
        let server = Server::builder()
            .tls(authority.server())
            .script(|request| {
                let answer = Answer::status(200);
                Plan::Answer(if request.position == 2 { answer.then_close() } else { answer })
            })
            .start();
        let (logger, guard, _told) = logger(trusting(provider, &authority, server.url()), Delivery::AtLeastOnce);
        log(&logger, 30);
        guard.flush(LONG).unwrap();
        check(&server, &guard, 30);
        assert!(server.connections() >= 10);
    }
}

/// Somebody has turned TLS off at the server, or given the wrong port.
fn kept_until_tls_is_spoken(provider: TlsProvider, listener: TcpListener, answer: &'static [u8]) {
    let authority = Authority::new();
    let address = listener.local_addr().unwrap();
    let plain = listener.try_clone().unwrap();
    let handler = trusting(provider, &authority, format!("https://{address}/log"));
    let (logger, guard, told) = logger(handler, Delivery::AtLeastOnce);
    log(&logger, 10);
    for _ in 0..3 {
        let (mut stream, _) = plain.accept().unwrap();
        let _ = stream.write_all(answer);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        // What is left unread would turn the end of the connection into a reset.
        let _ = stream.read_to_end(&mut Vec::new());
        let told = told.recv_timeout(LONG).unwrap();
        assert_ne!(told.class, ErrorClass::Payload, "{told:?}");
        assert!(matches!(told.action, Action::Retry(_)), "{told:?}");
    }
    let stats = guard.stats();
    assert_eq!((stats.delivered, stats.pending, stats.panics), (0, 10, 0), "{stats}");
    let server = Server::builder().tls(authority.server()).start_on(listener);
    guard.flush(LONG).unwrap();
    check(&server, &guard, 10);
}

#[test]
fn a_plain_server_at_an_https_url_costs_nothing() {
    for &provider in PROVIDERS {
        for answer in [
            b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" as &[_],
            b"",
            b"\x15\x03\x03\x00\x02\x02\x28", // a TLS alert: handshake failure
        ] {
            kept_until_tls_is_spoken(provider, TcpListener::bind("127.0.0.1:0").unwrap(), answer);
        }
    }
}

#[test]
fn a_tls_server_at_an_http_url_costs_nothing() {
    let authority = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::builder().tls(authority.server()).start_on(listener.try_clone().unwrap());
    let url = format!("http://{}/log", server.address());
    let (logger, guard, told) = logger(HttpHandler::builder(url), Delivery::AtLeastOnce);
    log(&logger, 10);
    for _ in 0..3 {
        let told = told.recv_timeout(LONG).unwrap();
        assert!(matches!(told.action, Action::Retry(_)), "{told:?}");
    }
    drop(server);
    let server = Server::builder().start_on(listener);
    guard.flush(LONG).unwrap();
    check(&server, &guard, 10);
}

/// Two listeners at once must not agree on anything but the certificates.
#[test]
fn many_clients_of_one_tls_server() {
    for &provider in PROVIDERS {
        let authority = Authority::new();
        let server = Server::builder().tls(authority.server()).start();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (logger, guard, _told) =
                    logger(trusting(provider, &authority, server.url()), Delivery::AtLeastOnce);
                thread::spawn(move || {
                    log(&logger, 20);
                    guard.flush(LONG).unwrap();
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!((server.requests().len(), server.connections()), (80, 4));
    }
}
