//! Tests of a program that logs: what it logs, the dictionary it makes of that, and how it fares when the server fails.
//!
//! ```text
//! cargo run --example testing --features testing
//! ```
//!
//! In a program of yours these are `#[test]`s, and the feature stands in `[dev-dependencies]`:
//! `logpost = { version = "0.1", features = ["testing"] }`.

use std::error::Error;
use std::time::Duration;

use log::{Level, Log, error, info};
use logpost::testing::{Answer, FormData, Server};
use logpost::{CaptureHandler, Fields, HttpHandler, HttpHandlerBuilder, LogRecord};

/// No test waits this long, but one that fails.
const LONG: Duration = Duration::from_secs(10);

/// The program: it is handed its logger, so that each test has one of its own.
fn pay(logger: &impl Log, amount: u32) {
    if amount > 1000 {
        error!(logger: logger, amount; "payment refused");
    } else {
        info!(logger: logger, amount; "payment accepted");
    }
}

/// The program's mapper.
fn notification(record: &LogRecord, fields: &mut Fields) {
    let priority = if record.level() == Level::Error { 1 } else { -1 };
    fields.push("text", record.message()).push("priority", priority);
    for (key, value) in record.key_values() {
        fields.push(key, value);
    }
}

/// The program's handler, whatever its server is.
fn notifications(url: &str) -> HttpHandlerBuilder {
    HttpHandler::builder(format!("{url}/notify")).header("X-Api-Key", "secret").map_log_record(notification)
}

type Result = std::result::Result<(), Box<dyn Error>>;
type Test = fn() -> Result;

/// Without a server: the records, and what the mapper makes of them.
fn what_is_logged() -> Result {
    let capture = CaptureHandler::new();
    let (logger, guard) = logpost::builder().handler(capture.clone()).build()?;
    pay(&logger, 20);
    pay(&logger, 2000);
    guard.flush(LONG)?;
    assert_eq!(capture.messages(), ["payment accepted", "payment refused"]);
    assert_eq!(capture.records()[1].level(), Level::Error);
    let fields = &capture.fields_with(notification)[1];
    assert_eq!(format!("{fields:?}"), r#"{"text": "payment refused", "priority": 1, "amount": 2000}"#);
    Ok(())
}

/// With a server: what comes over the wire.
fn what_the_server_gets() -> Result {
    let server = Server::start()?;
    let (logger, _guard) = logpost::builder().handler(notifications(server.url()).build()?).build()?;
    pay(&logger, 2000);
    let forms = server.wait_for(1, LONG)?;
    assert_eq!(forms[0], [("text", "payment refused"), ("priority", "1"), ("amount", "2000")]);
    let request = &server.requests()[0];
    assert_eq!((request.method(), request.path()), ("POST", "/notify"));
    assert_eq!(request.header("X-Api-Key"), Some("secret"));
    Ok(())
}

/// A server that fails, and then doesn't: nothing is lost.
fn a_failing_server() -> Result {
    let server = Server::start()?;
    server.answer_next(1, Answer::disconnect());
    server.answer_next(1, Answer::new(503).header("Retry-After", "0"));
    let (logger, guard) = logpost::builder().handler(notifications(server.url()).build()?).on_error(|_| ()).build()?;
    pay(&logger, 20);
    pay(&logger, 2000);
    guard.flush(LONG)?;
    let texts: Vec<_> = server.forms().iter().filter_map(|form| form.get("text").map(str::to_owned)).collect();
    assert_eq!(texts, ["payment accepted", "payment refused"]);
    assert_eq!(server.requests().len(), 4);
    Ok(())
}

/// A server that refuses a record for good: the books say so.
fn a_server_that_refuses() -> Result {
    let server = Server::start()?;
    server.answer(422);
    let (logger, guard) = logpost::builder().handler(notifications(server.url()).build()?).on_error(|_| ()).build()?;
    pay(&logger, 20);
    guard.flush(LONG)?;
    assert_eq!(guard.stats().rejected, 1);
    assert_eq!(server.forms(), Vec::<FormData>::new()); // none that was accepted
    Ok(())
}

fn main() -> Result {
    let tests: [(&str, Test); 4] = [
        ("what_is_logged", what_is_logged),
        ("what_the_server_gets", what_the_server_gets),
        ("a_failing_server", a_failing_server),
        ("a_server_that_refuses", a_server_that_refuses),
    ];
    for (name, test) in tests {
        test().map_err(|error| format!("{name}: {error}"))?;
        println!("test {name} ... ok");
    }
    Ok(())
}
