//! Records reach a server, once each and in order.

use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use log::info;
use logpost::{Guard, HttpHandler, HttpHandlerBuilder, Logger, Method};
use logpost_test_support::{Answer, LONG, Plan, Server};

fn logger(handler: HttpHandlerBuilder) -> (Logger, Guard) {
    logpost::builder().handler(handler.build().unwrap()).build().unwrap()
}

/// What one record looks like on the wire.
fn request_of(handler: HttpHandlerBuilder, server: &Server) -> logpost_test_support::Request {
    let (logger, guard) = logger(handler);
    info!(logger: logger, "hello");
    guard.flush(LONG).unwrap();
    server.requests().pop().unwrap()
}

#[test]
fn each_record_is_one_request_on_one_connection() {
    let server = Server::start();
    let (logger, guard) = logger(HttpHandler::builder(server.url()));
    for number in 0..100 {
        info!(logger: logger, "record {number}");
    }
    guard.flush(LONG).unwrap();
    let expected: Vec<_> = (0..100).map(|number| format!("record {number}")).collect();
    assert_eq!(server.messages(), expected);
    assert_eq!(server.connections(), 1);
    let stats = guard.stats();
    assert_eq!((stats.accepted, stats.delivered, stats.pending), (100, 100, 0));
}

#[test]
fn the_connection_is_kept_whatever_the_answer_looks_like() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let answers = [
        Answer::status(204),
        Answer::with(200, &[], ""),
        Answer::with(200, &[], &"x".repeat(60_000)),
        Answer::raw(chunked),
        Answer::with(201, &[("X-Extra", "1")], "created"),
    ];
    let count = answers.len();
    let server = Server::scripted(move |request| Plan::Answer(answers[request.position % count].clone()));
    let (logger, guard) = logger(HttpHandler::builder(server.url()));
    for _ in 0..2 * count {
        info!(logger: logger, "hello");
    }
    guard.flush(LONG).unwrap();
    assert_eq!((server.requests().len(), server.connections()), (2 * count, 1));
}

#[test]
fn a_post_is_a_form_with_its_length() {
    let server = Server::start();
    let request = request_of(HttpHandler::builder(server.url() + "?key=1"), &server);
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/log?key=1"));
    assert_eq!(request.header("content-type"), ["application/x-www-form-urlencoded"]);
    assert_eq!(request.header("content-length"), [request.body.len().to_string()]);
    assert_eq!(request.header("user-agent"), [concat!("logpost/", env!("CARGO_PKG_VERSION"))]);
    assert_eq!(request.header("host"), [server.address().to_string()]);
    assert!(request.header("authorization").is_empty());
}

#[test]
fn a_get_has_the_form_in_its_query() {
    let server = Server::start();
    let request = request_of(HttpHandler::builder(server.url() + "?key=1#part").method(Method::Get), &server);
    assert_eq!(request.method, "GET");
    assert!(request.target.starts_with("/log?key=1&name=it%3A%3Adeliver&msg=hello&"), "{}", request.target);
    assert!(!request.target.contains("part"));
    assert!(request.header("content-type").is_empty() && request.header("content-length").is_empty());
}

#[test]
fn credentials_are_sent_with_the_first_request() {
    let server = Server::start();
    let request = request_of(HttpHandler::builder(server.url()).credentials("Aladdin", "open sesame"), &server);
    // The example of RFC 7617, section 2.
    assert_eq!(request.header("authorization"), ["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]);
    let url = server.url().replace("//", "//Aladdin:open%20sesame@");
    let request = request_of(HttpHandler::builder(url), &server);
    assert_eq!(request.header("authorization"), ["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]);
    assert_eq!(request.header("host"), [server.address().to_string()]);
}

#[test]
fn headers_are_sent_as_given() {
    let server = Server::start();
    let handler = HttpHandler::builder(server.url()).header("X-Tag", "a").header("x-tag", "b").header("X-Env", "test");
    let request = request_of(handler, &server);
    assert_eq!(request.header("x-tag"), ["a", "b"]);
    assert_eq!(request.header("x-env"), ["test"]);
}

#[test]
fn a_mapper_replaces_the_dictionary() {
    let server = Server::start();
    let handler = HttpHandler::builder(server.url()).field("token", "t").map_log_record(|record, fields| {
        fields.push("text", record.message()).push("priority", 1);
    });
    assert_eq!(request_of(handler, &server).body, b"text=hello&priority=1&token=t");
}

#[test]
fn a_server_that_comes_back_gets_everything() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (tell, told) = mpsc::channel();
    let (logger, guard) = logpost::builder()
        .handler(HttpHandler::new(format!("http://{address}/log")).unwrap())
        .on_error(move |failure| tell.send(failure.to_string()).unwrap())
        .build()
        .unwrap();
    for number in 0..50 {
        info!(logger: logger, "record {number}");
    }
    for attempt in 0..4 {
        let told = told.recv_timeout(LONG).unwrap();
        assert!(told.contains(&address.to_string()), "{told}");
        // The first attempt may be over before all are logged.
        assert!(attempt == 0 || told.contains("(50 records waiting)"), "{told}");
        guard.flush(Duration::ZERO).unwrap_err();
    }
    let listener = TcpListener::bind(address).unwrap();
    let server = Server::builder().start_on(listener);
    guard.flush(LONG).unwrap();
    assert_eq!(server.messages(), (0..50).map(|number| format!("record {number}")).collect::<Vec<_>>());
    let stats = guard.stats();
    assert_eq!((stats.delivered, stats.dropped.total()), (50, 0));
    assert!(stats.retries >= 4);
}

#[test]
fn a_redirect_is_not_followed() {
    let server = Server::scripted(|request| match request.target.as_str() {
        "/log" if request.position == 0 => Plan::Answer(Answer::with(302, &[("Location", "/elsewhere")], "")),
        _ => Plan::Answer(Answer::status(200)),
    });
    let (logger, guard) = logger(HttpHandler::builder(server.url()));
    info!(logger: logger, "hello");
    let requests = server.wait_for(1);
    assert_eq!(requests[0].method, "POST");
    guard.flush(LONG).unwrap();
    let targets: Vec<_> = server.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(targets, ["/log", "/log"]);
}

#[test]
fn a_refused_record_is_rejected_and_told() {
    let server = Server::scripted(|request| {
        let poison = request.position == 1;
        Plan::Answer(if poison { Answer::with(422, &[], "no such\nfield") } else { Answer::status(200) })
    });
    let (tell, told) = mpsc::channel();
    let (logger, guard) = logpost::builder()
        .handler(HttpHandler::new(server.url()).unwrap())
        .on_error(move |failure| {
            let records: Vec<_> = failure.records().iter().map(|record| record.message().to_owned()).collect();
            tell.send((records, failure.action(), failure.error().to_string())).unwrap();
        })
        .build()
        .unwrap();
    for number in 0..3 {
        info!(logger: logger, "record {number}");
    }
    guard.flush(LONG).unwrap();
    let stats = guard.stats();
    assert_eq!((stats.delivered, stats.rejected, stats.pending), (2, 1, 0));
    let (records, action, error) = told.recv_timeout(LONG).unwrap();
    assert_eq!((records, action), (vec!["record 1".to_owned()], logpost::Action::Reject));
    assert!(error.ends_with("answered 422 Unprocessable Entity: no such field"), "{error}");
}
