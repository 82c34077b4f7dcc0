//! Who is meant to send: logpost, and Python's `HTTPHandler`.

use std::process::Command;
use std::time::Duration;

use logpost::{
    Batch, Encode, Form, FormField, FormLines, HttpHandler, HttpHandlerBuilder, Json, JsonLines, Method, Stats,
};
use logpost_collector::Settings;
use logpost_test_support::{LONG, have};
use serde_json::json;

use crate::support::{Running, field};

const COUNT: usize = 2000;

/// Logs `COUNT` records, and returns what has become of them.
fn sent(handler: HttpHandlerBuilder) -> Stats {
    let (logger, guard) = logpost::builder().handler(handler.build().unwrap()).build().unwrap();
    for number in 0..COUNT {
        log::warn!(logger: logger, target: "a::b", number, text = "ü & = +%\n"; "record {number}");
    }
    guard.flush(LONG).unwrap();
    guard.stats()
}

/// That all are there, once, in their order and whole.
fn all_arrived(collector: &Running) {
    assert_eq!(collector.count(""), COUNT);
    for number in [0, 1, 777, COUNT - 1] {
        let record = collector.record(number + 1);
        assert_eq!(record["message"], format!("record {number}"));
        assert_eq!((&record["level"], &record["target"]), (&json!(2), &json!("a::b")));
        assert_eq!(field(&record, "text"), "ü & = +%\n");
        assert_eq!(field(&record, "number"), number.to_string());
        assert_eq!(field(&record, "process"), std::process::id().to_string());
        let created: f64 = field(&record, "created").parse().unwrap();
        assert!((created * 1e6 - record["created"].as_f64().unwrap()).abs() < 2.0);
    }
}

fn with_encoding(encoding: impl Encode) {
    let collector = Running::start();
    let batch = Batch::default().linger(Duration::from_millis(20));
    let stats = sent(HttpHandler::builder(collector.endpoint()).encoding(encoding).batch(batch));
    assert_eq!((stats.delivered, stats.retries), (COUNT as u64, 0));
    all_arrived(&collector);
}

#[test]
fn form() {
    let collector = Running::start();
    sent(HttpHandler::builder(collector.endpoint()).encoding(Form));
    all_arrived(&collector);
}

#[test]
fn form_lines() {
    with_encoding(FormLines);
}

#[test]
fn json() {
    with_encoding(Json);
}

#[test]
fn json_lines() {
    with_encoding(JsonLines);
}

#[test]
fn json_in_a_field() {
    with_encoding(FormField("json"));
}

#[test]
fn compressed() {
    let collector = Running::start();
    let stats = sent(HttpHandler::builder(collector.endpoint()).encoding(JsonLines).gzip_above(0));
    assert_eq!((stats.delivered, stats.retries), (COUNT as u64, 0));
    all_arrived(&collector);
}

#[test]
fn by_get() {
    let collector = Running::start();
    sent(HttpHandler::builder(collector.endpoint()).method(Method::Get));
    all_arrived(&collector);
}

#[test]
fn with_a_token() {
    let collector = Running::with(Settings { token: Some("secret".to_owned()), ..Settings::default() });
    let handler = HttpHandler::builder(collector.endpoint()).encoding(FormLines).bearer_token("secret");
    assert_eq!(sent(handler).delivered, COUNT as u64);
    let handler = HttpHandler::builder(collector.endpoint()).encoding(FormLines).credentials("any", "secret");
    assert_eq!(sent(handler).delivered, COUNT as u64);
}

#[test]
fn python_s_http_handler() {
    if !have("python3", "--version") {
        return;
    }
    let collector = Running::start();
    let address = collector.url.strip_prefix("http://").unwrap();
    let script = r#"
import logging, logging.handlers, queue, sys
for method in ("POST", "GET"):
    handler = logging.handlers.HTTPHandler(sys.argv[1], "/log", method=method)
    logger = logging.getLogger("app." + method)
    logger.addHandler(handler)
    logger.error("%s of %s", 1, "zwölf & mehr", extra={"order": 17})
    # By a queue, which formats.
    waiting = queue.Queue()
    logging.handlers.QueueHandler(waiting).handle(logger.makeRecord(logger.name, 50, "app.py", 1, "%d %%", (7,), None))
    handler.handle(waiting.get())
"#;
    let python = Command::new("python3").args(["-c", script, address]).env_remove("http_proxy").output().unwrap();
    assert!(python.status.success() && python.stderr.is_empty(), "{}", String::from_utf8_lossy(&python.stderr));
    assert_eq!(collector.count(""), 4);
    for (id, target) in [(1, "app.POST"), (3, "app.GET")] {
        let raw = collector.record(id);
        assert_eq!((&raw["target"], &raw["level"]), (&json!(target), &json!(1)));
        assert_eq!((&raw["message"], field(&raw, "args")), (&json!("%s of %s"), "(1, 'zwölf & mehr')".to_owned()));
        assert_eq!((field(&raw, "order"), field(&raw, "levelname")), ("17".to_owned(), "ERROR".to_owned()));
        let queued = collector.record(id + 1);
        assert_eq!((&queued["message"], field(&queued, "levelname")), (&json!("7 %"), "CRITICAL".to_owned()));
    }
}
