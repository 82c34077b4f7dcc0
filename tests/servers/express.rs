//! Express, with its parsers as they come.

use logpost::{Batch, Fields, HttpHandler, Json, JsonLines};
use serde_json::{Map, Value};

use crate::application::Application;
use crate::delivery::{as_form, as_json, assert_same, deliver, deliver_corpus, form_size, json_size};

/// The largest body that they take: "100kb".
const LARGEST_BODY: usize = 102_400;
/// `parameterLimit`
const MOST_FIELDS: usize = 1000;

#[test]
fn express_reads_every_form_up_to_its_limits() {
    let Some(express) = Application::node("express_app.js") else { return };
    let sent = deliver_corpus(HttpHandler::builder(express.url("/form")));
    let taken = sent.taken("413", |fields| fields.len() > MOST_FIELDS || form_size(fields) > LARGEST_BODY);
    assert!(taken.len() < sent.dictionaries.len());
    for fields in taken {
        let mut expected = as_form(fields);
        // Dropped without a word: what might be an object's prototype, and what has no name.
        expected.remove("__proto__");
        expected.remove("");
        assert_same(&reported(&express.understood()), &expected);
    }
    express.assert_no_more();
}

#[test]
fn express_reads_every_record_as_json_up_to_its_limit() {
    let Some(express) = Application::node("express_app.js") else { return };
    let is_refused = |fields: &Fields| json_size(fields) > LARGEST_BODY;
    for handler in [
        HttpHandler::builder(express.url("/json")).encoding(Json),
        HttpHandler::builder(express.url("/lines")).encoding(JsonLines),
    ] {
        let sent = deliver_corpus(handler);
        let taken = sent.taken("413", is_refused);
        assert!(taken.len() < sent.dictionaries.len());
        assert_are_understood(&express, &taken);
    }
}

/// 100 kB: a batch above it is halved until each part fits.
#[test]
fn a_batch_above_expresss_limit_is_halved() {
    let Some(express) = Application::node("express_app.js") else { return };
    let batch = Batch::default().max_bytes(4 * 1024 * 1024);
    let sent = deliver(HttpHandler::builder(express.url("/json")).encoding(Json).batch(batch), |logger| {
        for number in 0..100 {
            log::info!(logger: logger, number; "{}", "x".repeat(3000));
        }
    });
    assert_eq!((sent.stats.delivered, sent.stats.rejected), (100, 0), "{:?}", sent.failures);
    let requests = assert_are_understood(&express, &sent.dictionaries.iter().collect::<Vec<_>>());
    assert!(requests < sent.stats.attempts, "{}", sent.stats);
}

/// `extended: true` makes objects and lists of names with brackets, and drops what JavaScript objects are born with.
#[test]
fn the_extended_parser_changes_names_with_brackets() {
    let Some(express) = Application::node("express_app.js") else { return };
    let handler = HttpHandler::builder(express.url("/extended"));
    let sent = deliver(handler, |logger| {
        log::info!(logger: logger, "a[b]" = 1, "c[]" = 2, "d.e" = 3, "__proto__" = 4; "x");
    });
    assert_eq!(sent.stats.delivered, 1, "{:?}", sent.failures);
    let found = express.understood();
    let found: Map<String, Value> =
        found["form"].as_array().unwrap().iter().map(|pair| (pair[0].to_string(), pair[1].clone())).collect();
    assert_eq!(found["\"a\""], serde_json::json!({"b": "1"}));
    assert_eq!(found["\"c\""], serde_json::json!(["2"]));
    assert_eq!(found["\"d.e\""], serde_json::json!("3"));
    assert_eq!(found.get("\"__proto__\""), None);
}

/// What the application reports of a form: a value, or a list where there were several.
fn reported(request: &Value) -> Map<String, Value> {
    let pairs = request["form"].as_array().unwrap().iter().map(|pair| {
        let values = if pair[1].is_array() { pair[1].clone() } else { Value::Array(vec![pair[1].clone()]) };
        (pair[0].as_str().unwrap().to_owned(), values)
    });
    pairs.collect()
}

/// That the application has understood these records, in this order; in how many requests.
fn assert_are_understood(express: &Application, records: &[&Fields]) -> u64 {
    let (mut found, mut requests) = (Vec::new(), 0);
    while found.len() < records.len() {
        requests += 1;
        found.extend(express.understood()["json"].as_array().unwrap().iter().cloned());
    }
    assert_eq!(found.len(), records.len());
    for (found, fields) in found.iter().zip(records) {
        let numbers = |object: &Map<String, Value>| -> Map<String, Value> {
            object.iter().map(|(key, value)| (key.clone(), as_javascript_reads(value))).collect()
        };
        assert_same(&numbers(found.as_object().unwrap()), &numbers(&as_json(fields)));
    }
    express.assert_no_more();
    requests
}

/// All its numbers are doubles.
fn as_javascript_reads(value: &Value) -> Value {
    value.as_f64().map_or_else(|| value.clone(), Into::into)
}
