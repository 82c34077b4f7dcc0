//! `testing::Server` decodes what is sent, and answers as it is told.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Barrier;
use std::time::Duration;

use log::info;
use logpost::testing::{Answer, MAX_BODY_BYTES, Server};
use logpost::{Batch, FormLines, Guard, HttpHandler, HttpHandlerBuilder, Logger, Method};
use logpost_test_support::{LONG, have};

fn logger(handler: HttpHandlerBuilder) -> (Logger, Guard) {
    logpost::builder().handler(handler.build().unwrap()).on_error(|_| ()).build().unwrap()
}

/// Sends the mapper's `text` and nothing else.
fn text_only(server: &Server) -> HttpHandlerBuilder {
    HttpHandler::builder(server.url()).map_log_record(|record, fields| {
        fields.push("text", record.message());
    })
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.url().strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

/// Sends these bytes, and reads all that comes back until the server closes the connection.
fn exchange(server: &Server, request: &str) -> String {
    let mut stream = connect(server);
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// That the server has closed the connection, in good order or not.
fn assert_closed(stream: &mut TcpStream) {
    let read = stream.read(&mut [0]);
    let closed = match &read {
        Ok(bytes) => *bytes == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    };
    assert!(closed, "{read:?}");
}

fn statuses(server: &Server) -> Vec<Option<u16>> {
    server.requests().iter().map(logpost::testing::Request::status).collect()
}

#[test]
fn a_post_is_a_form_with_its_request() {
    let server = Server::start().unwrap();
    let handler = HttpHandler::builder(format!("{}/a%20b?key=1", server.url())).header("X-Tag", "t").field("host", "h");
    let (logger, _guard) = logger(handler);
    info!(logger: logger, order = 17; "100 % & more: Zoë can't pay");
    let form = &server.wait_for(1, LONG).unwrap()[0];
    assert_eq!(form.get("msg"), Some("100 % & more: Zoë can't pay"));
    let keys: Vec<_> = form.iter().map(|(key, _)| key).collect();
    assert_eq!((keys[0], &keys[keys.len() - 2..]), ("name", &["host", "order"][..]));
    let request = &server.requests()[0];
    assert_eq!((request.method(), request.path(), request.query()), ("POST", "/a%20b", Some("key=1")));
    assert_eq!(request.header("X-Tag"), Some("t"));
    assert_eq!(request.header("content-length"), Some(request.body().len().to_string().as_str()));
    assert!(request.body().starts_with(b"name=it%3A%3Atesting%3A%3Aserver&msg=100+%25+%26+more"));
    assert_eq!(request.forms(), std::slice::from_ref(form));
    assert_eq!(request.status(), Some(200));
}

#[test]
fn a_get_has_its_form_in_the_query() {
    let server = Server::start().unwrap();
    let (logger, _guard) = logger(text_only(&server).method(Method::Get));
    info!(logger: logger, "a&b");
    assert_eq!(server.wait_for(1, LONG).unwrap()[0], [("text", "a&b")]);
    assert_eq!(server.requests()[0].method(), "GET");
}

#[test]
fn each_line_of_a_batch_is_a_form() {
    let server = Server::start().unwrap();
    let batch = Batch::default().max_records(8);
    let (logger, guard) = logger(text_only(&server).encoding(FormLines).batch(batch));
    for number in 0..20 {
        info!(logger: logger, "line\n{number}");
    }
    guard.flush(LONG).unwrap();
    let forms = server.forms();
    assert_eq!(forms.len(), 20);
    for (number, form) in forms.iter().enumerate() {
        assert_eq!(*form, [("text", format!("line\n{number}").as_str())]);
    }
    let in_each: Vec<_> = server.requests().iter().map(|request| request.forms().len()).collect();
    assert!(in_each.len() >= 3 && in_each.iter().all(|&count| count <= 8), "{in_each:?}");
}

#[cfg(feature = "gzip")]
#[test]
fn compressed_bodies_are_decoded() {
    let server = Server::start().unwrap();
    let (logger, _guard) = logger(text_only(&server).encoding(FormLines).gzip_above(10));
    let text = "long".repeat(1000);
    info!(logger: logger, "{text}");
    assert_eq!(server.wait_for(1, LONG).unwrap()[0], [("text", text.as_str())]);
    let request = &server.requests()[0];
    assert_eq!(request.header("Content-Encoding"), Some("gzip"));
    assert_eq!(request.body(), format!("text={text}\n").as_bytes());
}

#[test]
fn ordered_answers_come_first_and_in_order() {
    let server = Server::start().unwrap();
    server.answer(204);
    server.answer_next(2, 503);
    server.answer_next(0, 422);
    server.answer_next(1, Answer::new(429).header("Retry-After", "0").body("too many"));
    let (logger, guard) = logger(text_only(&server));
    info!(logger: logger, "hello");
    guard.flush(LONG).unwrap();
    assert_eq!(statuses(&server), [Some(503), Some(503), Some(429), Some(204)]);
    // The others were the same record.
    assert_eq!(server.forms().len(), 1);
    let stats = guard.stats();
    assert_eq!((stats.delivered, stats.retries), (1, 3));
}

#[test]
fn an_answer_arrives_whole() {
    let server = Server::start().unwrap();
    let answer = Answer::new(418).header("X-A", "1").header("x-a", "2").body("teapot");
    server.answer(answer);
    let text = exchange(&server, "GET /?a=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert!(text.starts_with("HTTP/1.1 418 I'm a teapot\r\n"), "{text}");
    assert!(text.contains("x-a: 1\r\nx-a: 2\r\n") && text.contains("content-length: 6\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\nteapot"), "{text}");
}

#[test]
fn a_disconnect_leaves_the_client_without_an_answer() {
    let server = Server::start().unwrap();
    server.answer_next(1, Answer::disconnect());
    assert_eq!(exchange(&server, "GET /?a=1 HTTP/1.1\r\nHost: localhost\r\n\r\n"), "");
    assert_eq!(statuses(&server), [None]);
    assert_eq!(server.requests()[0].forms()[0], [("a", "1")]);
    assert!(server.forms().is_empty());
}

#[test]
fn a_hang_lasts_until_the_server_ends() {
    let server = Server::start().unwrap();
    server.answer(Answer::hang());
    let mut stream = connect(&server);
    stream.write_all(b"GET /?a=1 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert_eq!(server.wait_for_requests(1, LONG).unwrap()[0].status(), None);
    stream.set_nonblocking(true).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    stream.set_nonblocking(false).unwrap();
    drop(server);
    assert_closed(&mut stream);
}

#[test]
fn nobody_is_let_in_once_it_is_dropped() {
    let server = Server::start().unwrap();
    let address = server.url().strip_prefix("http://").unwrap().to_owned();
    let mut open = connect(&server);
    drop(server);
    assert_closed(&mut open);
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn it_starts_and_ends_within_an_async_test() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let forms = runtime.block_on(async {
        let server = Server::start().unwrap();
        exchange(&server, "GET /?a=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        server.forms()
    });
    assert_eq!(forms[0], [("a", "1")]);
}

#[test]
fn a_body_without_a_length_is_decoded() {
    let server = Server::start().unwrap();
    let head = "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\
                Content-Type: application/x-www-form-urlencoded\r\n\r\n";
    exchange(&server, &format!("{head}4\r\na=1&\r\n3\r\nb=2\r\n0\r\n\r\n"));
    assert_eq!(server.forms()[0], [("a", "1"), ("b", "2")]);
}

#[test]
fn a_body_that_is_too_large_is_refused_and_not_kept() {
    let server = Server::start().unwrap();
    let (logger, guard) = logpost::builder()
        .max_message_bytes(2 * MAX_BODY_BYTES)
        .handler(text_only(&server).build().unwrap())
        .on_error(|_| ())
        .build()
        .unwrap();
    let text = "x".repeat(MAX_BODY_BYTES);
    info!(logger: logger, "{text}");
    server.wait_for_requests(1, LONG).unwrap();
    guard.stop(Duration::ZERO);
    let request = &server.requests()[0];
    assert_eq!((request.status(), request.body(), request.forms().len()), (Some(413), &[][..], 0));
}

#[test]
fn a_request_that_breaks_off_is_none() {
    let server = Server::start().unwrap();
    let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    exchange(&server, &format!("{head}Content-Length: 100\r\n\r\na=1"));
    exchange(&server, "what is this");
    assert!(server.requests().is_empty());
}

#[test]
fn wait_for_wakes_at_the_form_that_was_missing() {
    let server = Server::start().unwrap();
    let (logger, _guard) = logger(text_only(&server));
    let both = Barrier::new(2);
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            both.wait();
            server.wait_for(3, LONG)
        });
        both.wait();
        for number in 0..3 {
            info!(logger: logger, "{number}");
        }
        let forms = waiter.join().unwrap().unwrap();
        assert_eq!(forms.iter().map(|form| form.get("text").unwrap()).collect::<Vec<_>>(), ["0", "1", "2"]);
    });
}

#[test]
fn waiting_in_vain_says_what_came_instead() {
    let server = Server::start().unwrap();
    server.answer_next(1, 500);
    let get = |path| exchange(&server, &format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
    get("/a?msg=x");
    get("/b?msg=y");
    let error = server.wait_for(2, Duration::ZERO).unwrap_err();
    assert_eq!((error.wanted(), error.arrived()), (2, 1));
    let requests = r#"GET /a answered 500 {"msg": "x"}; GET /b answered 200 {"msg": "y"}"#;
    assert_eq!(error.to_string(), format!("waited 0ns for 2 forms, but 1 came: {requests}"));
    let error = server.wait_for_requests(3, Duration::ZERO).unwrap_err();
    assert_eq!(error.to_string(), format!("waited 0ns for 3 requests, but 2 came: {requests}"));
}

#[test]
fn what_python_sends_is_decoded_alike() {
    if !have("python3", "--version") {
        return;
    }
    let server = Server::start().unwrap();
    let script = "import logging.handlers, sys\n\
                  for method in 'GET', 'POST':\n    \
                      handler = logging.handlers.HTTPHandler(sys.argv[1], '/log?key=1', method=method)\n    \
                      record = logging.makeLogRecord({'msg': '100 % & more: Zoë', 'levelname': 'ERROR'})\n    \
                      handler.emit(record)\n";
    let address = server.url().strip_prefix("http://").unwrap();
    let python = std::process::Command::new("python3").args(["-c", script, address]).status().unwrap();
    assert!(python.success());
    let forms = server.wait_for(2, LONG).unwrap();
    for form in &forms {
        assert_eq!((form.get("msg"), form.get("levelname")), (Some("100 % & more: Zoë"), Some("ERROR")));
    }
    assert_eq!((forms[0].get("key"), forms[1].get("key")), (Some("1"), None));
    assert_eq!(
        server.requests().iter().map(|request| request.method().to_owned()).collect::<Vec<_>>(),
        ["GET", "POST"]
    );
}
