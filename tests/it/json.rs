//! JSON as other decoders than ours read it, in all the encodings that have it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use log::{info, kv};
use logpost::{Batch, Encode, FormField, HttpHandler, HttpHandlerBuilder, Json, JsonLines};
use logpost_test_support::{LONG, Request, Server, have};
use serde_json::{Value, json};

const MESSAGES: [&str; 5] =
    ["plain", "two\nlines\r\n", "\0\u{1}\u{1f}\u{7f}", "\"\\/&=%+", "Zo\u{eb} \u{2028} \u{1f980}"];

/// One request with all the messages.
fn sent(encoding: impl Encode, settings: impl FnOnce(HttpHandlerBuilder) -> HttpHandlerBuilder) -> Request {
    let server = Server::start();
    let batch = Batch::default().linger(LONG);
    let handler = HttpHandler::builder(server.url()).encoding(encoding).batch(batch).field("service", "x\ny");
    let (logger, guard) = logpost::builder().handler(settings(handler).build().unwrap()).build().unwrap();
    for message in MESSAGES {
        info!(
            logger: logger,
            paid = true, total = 19.9, none = kv::Value::null(), many = u64::MAX, rate = f64::NAN, text = "1", text = 2;
            "{message}"
        );
    }
    guard.flush(LONG).unwrap();
    let requests = server.requests();
    assert_eq!((requests.len(), guard.stats().delivered), (1, 5));
    requests[0].clone()
}

/// What Python makes of it: the array of records, with the names of the types of its values beside them.
fn by_python(array: &[u8]) -> Vec<(Value, Value)> {
    const SCRIPT: &str = "import json, sys
for record in json.load(sys.stdin.buffer):
    print(json.dumps([record, {key: type(value).__name__ for key, value in record.items()}]))";
    let mut python = Command::new("python3");
    let mut python = python.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    python.stdin.take().unwrap().write_all(array).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn assert_whole(records: &[(Value, Value)]) {
    assert_eq!(records.len(), MESSAGES.len());
    for ((record, types), message) in records.iter().zip(MESSAGES) {
        assert_eq!((&record["msg"], &record["service"]), (&json!(message), &json!("x\ny")));
        assert_eq!(
            json!([record["paid"], record["total"], record["none"], record["rate"], record["text"], record["text_2"]]),
            json!([true, 19.9, null, null, "1", 2])
        );
        let of = |key: &str| types[key].as_str().unwrap();
        assert_eq!(
            ["paid", "total", "many", "lineno", "created", "text"].map(of),
            ["bool", "float", "int", "int", "float", "str"]
        );
        assert_eq!(record["many"], u64::MAX);
    }
}

#[test]
fn python_reads_every_encoding_alike() {
    if !have("python3", "--version") {
        return;
    }
    let array = sent(Json, |handler| handler);
    assert_eq!(array.header("content-type"), ["application/json"]);
    assert_whole(&by_python(&array.body));

    let lines = sent(JsonLines, |handler| handler);
    assert_eq!(lines.header("content-type"), ["application/x-ndjson"]);
    let joined = String::from_utf8(lines.body).unwrap().lines().collect::<Vec<_>>().join(",");
    assert_whole(&by_python(format!("[{joined}]").as_bytes()));

    let form = sent(FormField("json"), |handler| handler);
    assert_eq!(form.header("content-type"), ["application/x-www-form-urlencoded"]);
    let fields = form.form();
    assert_eq!(fields.len(), 1);
    assert_whole(&by_python(fields[0].1.as_bytes()));
}

#[test]
fn large_integers_can_be_text_and_smaller_ones_stay_numbers() {
    let request = sent(Json, |handler| handler.large_integers_as_text(true));
    let records: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!((&records[0]["many"], &records[0]["text_2"]), (&json!(u64::MAX.to_string()), &json!(2)));
    assert!(records[0]["lineno"].is_u64() && records[0]["created"].is_f64());
}

#[cfg(feature = "gzip")]
#[test]
fn a_body_of_json_is_compressed_whole() {
    use std::io::Read as _;
    let request = sent(Json, |handler| handler.gzip_above(100));
    assert_eq!(request.header("content-encoding"), ["gzip"]);
    let mut plain = String::new();
    flate2::read::GzDecoder::new(&*request.body).read_to_string(&mut plain).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&plain).unwrap().as_array().unwrap().len(), MESSAGES.len());
}

/// Not only what is sent at once is whole: so are the halves, and what goes again.
#[test]
fn halves_of_an_array_are_arrays() {
    let server = Server::responding(|request| {
        let records = serde_json::from_slice::<Value>(&request.body).unwrap();
        logpost_test_support::Answer::status(if records.as_array().unwrap().len() > 2 { 413 } else { 200 })
    });
    let handler = HttpHandler::builder(server.url()).encoding(Json).batch(Batch::default().linger(LONG)).only(["msg"]);
    let (logger, guard) = logpost::builder().handler(handler.build().unwrap()).build().unwrap();
    for number in 0..7 {
        info!(logger: logger, "{number}");
    }
    guard.flush(LONG).unwrap();
    let requests = server.requests();
    let taken = requests.iter().filter(|request| request.answered == Some(200));
    let records = taken.map(|request| serde_json::from_slice::<Vec<Value>>(&request.body).unwrap());
    let messages: Vec<_> = records.flatten().map(|record| record["msg"].as_str().unwrap().to_owned()).collect();
    assert_eq!(messages, ["0", "1", "2", "3", "4", "5", "6"]);
}
