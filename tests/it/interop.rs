//! Python's own `logging` as the receiver: what arrives are records that it rebuilds and formats.

use std::collections::BTreeMap;
use std::process::Command;
use std::thread;

use log::Level;
use logpost::{HttpHandler, Logger, Method};
use logpost_test_support::{LONG, Program, have};
use serde_json::{Value, json};

/// Threads that log, and what Python calls the level at which they do.
const SENDERS: [(&str, Level, &str); 4] = [
    ("sender-0", Level::Error, "ERROR"),
    ("sender-1", Level::Warn, "WARNING"),
    ("sender 2 ü", Level::Info, "INFO"),
    ("sender=3&", Level::Info, "INFO"),
];
const RECORDS_PER_SENDER: usize = 1250;
const USER_AGENT: &str = concat!("logpost/", env!("CARGO_PKG_VERSION"));

#[test]
fn python_rebuilds_what_is_posted() {
    if !have("python3", "--version") {
        return;
    }
    for request in received_by_python(Method::Post) {
        assert_eq!((&request["method"], &request["path"]), (&"POST".into(), &"/log".into()));
        let headers = &request["headers"];
        assert_eq!(headers["Content-Type"], json!(["application/x-www-form-urlencoded"]));
        let length = request["length"].to_string();
        assert_eq!(headers["Content-Length"], json!([length]));
        assert_eq!(headers["Transfer-Encoding"], json!([]));
    }
}

#[test]
fn python_rebuilds_what_is_sent_by_get() {
    if !have("python3", "--version") {
        return;
    }
    for request in received_by_python(Method::Get) {
        assert_eq!((&request["method"], &request["path"]), (&"GET".into(), &"/log".into()));
        for absent in ["Content-Type", "Content-Length", "Transfer-Encoding"] {
            assert_eq!(request["headers"][absent], json!([]), "{absent}");
        }
    }
}

/// Has several threads log to Python, checks the records that it got, and returns what it reported of each request.
fn received_by_python(method: Method) -> Vec<Value> {
    let python = python("receiver.py");
    let hello = parsed(&python.line());
    let handler = HttpHandler::builder(format!("http://127.0.0.1:{}/log", hello["port"])).method(method);
    let (logger, guard) = logpost::builder().handler(handler.build().unwrap()).build().unwrap();
    let expected: BTreeMap<String, Vec<String>> = thread::scope(|scope| {
        let senders = SENDERS.map(|(name, level, level_name)| {
            let logger = &logger;
            let sender =
                move || (0..RECORDS_PER_SENDER).map(|number| log_one(logger, level, level_name, number)).collect();
            let thread = thread::Builder::new().name(name.to_owned());
            (name.to_owned(), thread.spawn_scoped(scope, sender).unwrap())
        });
        senders.into_iter().map(|(name, sender)| (name, sender.join().unwrap())).collect()
    });
    guard.flush(LONG).unwrap();
    assert_eq!(guard.stats().delivered, (SENDERS.len() * RECORDS_PER_SENDER) as u64);

    let mut requests: Vec<_> = python.finish().iter().map(|line| parsed(line)).collect();
    let goodbye = requests.pop().unwrap();
    let mut formatted: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for request in &requests {
        assert_eq!(request.get("error"), None, "{request}");
        assert_eq!(request["connection"], 0, "{request}");
        assert_eq!(request["headers"]["User-Agent"], json!([USER_AGENT]));
        // The last field: the form came whole.
        assert_eq!(request["process"], std::process::id(), "{request}");
        let asctime = string(&request["asctime"]);
        assert!(
            string(&hello["now"]) <= asctime && asctime <= string(&goodbye["now"]),
            "{request} is not between {hello} and {goodbye}"
        );
        let line = string(&request["formatted"]).strip_prefix(asctime).unwrap();
        let thread = string(&request["thread"]).to_owned();
        formatted.entry(thread).or_default().push(line.to_owned());
    }
    assert!(formatted == expected, "{}", first_difference(&formatted, &expected));
    requests
}

/// Logs a record, and returns how Python should format it, from behind the time on.
fn log_one(logger: &Logger, level: Level, level_name: &str, number: usize) -> String {
    let message = format!("record {number}: 100% of a+b=c&d;\0\r\n\t\"ü\" 😀");
    let line = line!() + 1;
    log::log!(logger: logger, level, "{message}");
    let thread = thread::current();
    let thread = thread.name().unwrap();
    format!(" {level_name} {} interop.rs:{line} {thread} {message}", module_path!())
}

/// Two times 5,000 lines are too many to read.
fn first_difference(found: &BTreeMap<String, Vec<String>>, expected: &BTreeMap<String, Vec<String>>) -> String {
    for (thread, expected) in expected {
        let found = found.get(thread).map(Vec::as_slice).unwrap_or_default();
        if let Some(at) = (0..expected.len().max(found.len())).find(|&at| found.get(at) != expected.get(at)) {
            let (found, expected) = (found.get(at), expected.get(at));
            return format!("record {at} of {thread}: {found:?} instead of {expected:?}");
        }
    }
    format!("records of the threads {:?}", found.keys())
}

pub(crate) fn parsed(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

pub(crate) fn string(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// One of the scripts in tests/data, running.
pub(crate) fn python(script: &str) -> Program {
    Program::start(Command::new("python3").arg(format!("{}/tests/data/{script}", env!("CARGO_MANIFEST_DIR"))))
}

/// Forms, decoded by Python.
pub(crate) struct Decoder(Program);

/// What `parse_qs` makes of a form, as the list of its dictionary's items.
pub(crate) type Dictionary = Vec<(String, Vec<String>)>;

impl Decoder {
    pub(crate) fn start() -> Self {
        Self(python("parse_forms.py"))
    }

    /// What `parse_qs` makes of `form`, and what `parse_qsl` does.
    pub(crate) fn decode(&mut self, form: &[u8]) -> (Dictionary, Vec<(String, String)>) {
        self.0.send(form);
        let line = self.0.line();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:.300}"))
    }
}
