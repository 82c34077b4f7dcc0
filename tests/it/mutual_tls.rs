//! Servers that want to know who their clients are, and clients that do not want to know who the server is.

use std::net::TcpListener;

use logpost::{Delivery, ErrorClass, HttpHandler, HttpHandlerBuilder, TlsProvider};
use logpost_test_support::{Authority, LONG, Server};

use crate::tls::{PROVIDERS, trusting};
use crate::told::{Told, check, log, logger};

#[test]
fn a_client_with_its_certificate_is_served() {
    for &provider in PROVIDERS {
        let (servers, clients) = (Authority::new(), Authority::new());
        let server = Server::builder().tls(servers.server_for_clients_of(&clients)).start();
        let (certificate, key) = clients.client();
        // As it is often kept: both in one file.
        let both = format!("{key}{certificate}");
        for (chain, key) in [(&certificate, &key), (&both, &both)] {
            let handler = trusting(provider, &servers, server.url()).client_certificate(chain.clone(), key.clone());
            let (logger, guard, told) = logger(handler, Delivery::AtLeastOnce);
            log(&logger, 20);
            guard.flush(LONG).unwrap();
            assert_eq!((guard.stats().delivered, told.try_iter().count()), (20, 0));
        }
        assert_eq!((server.requests().len(), server.connections()), (40, 2));
    }
}

/// The server does not want this client; then comes one, at the same address, that takes all.
fn kept_until_the_client_is_wanted(
    servers: &Authority,
    clients: &Authority,
    who: fn(HttpHandlerBuilder) -> HttpHandlerBuilder,
) {
    for &provider in PROVIDERS {
        for delivery in [Delivery::AtLeastOnce, Delivery::AtMostOnce] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let strict = Server::builder().tls(servers.server_for_clients_of(clients));
            let server = strict.start_on(listener.try_clone().unwrap());
            let (logger, guard, told) = logger(who(trusting(provider, servers, server.url())), delivery);
            log(&logger, 10);
            for _ in 0..3 {
                let told = Told::next(&told);
                assert_eq!(told.class, ErrorClass::Endpoint, "{told:?}");
            }
            assert!(server.requests().is_empty());
            drop(server);
            let server = Server::builder().tls(servers.server()).start_on(listener);
            guard.flush(LONG).unwrap();
            check(&server, &guard, 10);
        }
    }
}

#[test]
fn a_client_without_a_certificate_is_refused_and_loses_nothing() {
    kept_until_the_client_is_wanted(&Authority::new(), &Authority::new(), |handler| handler);
}

#[test]
fn a_client_with_a_strangers_certificate_is_refused_and_loses_nothing() {
    kept_until_the_client_is_wanted(&Authority::new(), &Authority::new(), |handler| {
        let (certificate, key) = Authority::new().client();
        handler.client_certificate(certificate, key)
    });
}

#[test]
fn a_key_that_is_not_the_certificates_is_an_error() {
    for &provider in PROVIDERS {
        let clients = Authority::new();
        let ((certificate, key), (_, other)) = (clients.client(), clients.client());
        let build = |chain: &str, key: &str| {
            let builder = HttpHandler::builder("https://127.0.0.1:9/").tls_provider(provider);
            builder.client_certificate(chain, key).build()
        };
        assert!(build(&certificate, &key).is_ok());
        for (chain, key) in [(&certificate, &other), (&certificate, &certificate), (&key, &key)] {
            let error = build(chain, key).unwrap_err();
            assert_eq!(error.setting(), Some("client_certificate"), "{provider:?}: {error}");
            assert!(!error.to_string().contains("PRIVATE"), "{error}");
        }
    }
}

fn accepting(provider: TlsProvider, server: &Server, accept: bool) -> HttpHandlerBuilder {
    HttpHandler::builder(server.url()).tls_provider(provider).danger_accept_invalid_certs(accept)
}

#[test]
fn certificates_that_are_not_looked_at_are_good() {
    for &provider in PROVIDERS {
        for config in [Authority::new().server(), Authority::new().expired_server()] {
            let server = Server::builder().tls(config).start();
            let (logger, guard, told) = logger(accepting(provider, &server, true), Delivery::AtLeastOnce);
            log(&logger, 10);
            guard.flush(LONG).unwrap();
            check(&server, &guard, 10);
            assert_eq!(told.try_iter().count(), 0);
        }
    }
}

#[test]
fn certificates_are_looked_at_unless_told_otherwise() {
    for &provider in PROVIDERS {
        let server = Server::builder().tls(Authority::new().server()).start();
        for handler in [accepting(provider, &server, false), HttpHandler::builder(server.url()).tls_provider(provider)]
        {
            let (logger, guard, told) = logger(handler, Delivery::AtLeastOnce);
            log(&logger, 1);
            assert_eq!(Told::next(&told).class, ErrorClass::Endpoint);
            assert_eq!(guard.stats().delivered, 0);
        }
        assert!(server.requests().is_empty());
    }
}

/// What is in the system's store is not known here; that this certificate is not is.
#[cfg(feature = "platform-verifier")]
#[test]
fn the_system_does_not_trust_a_tests_authority() {
    let server = Server::builder().tls(Authority::new().server()).start();
    let (logger, guard, told) = logger(HttpHandler::builder(server.url()).platform_verifier(), Delivery::AtLeastOnce);
    log(&logger, 1);
    Told::next(&told);
    assert_eq!((guard.stats().delivered, server.requests().len()), (0, 0));
}
