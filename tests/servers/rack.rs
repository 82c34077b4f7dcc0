//! Rack, which Rails and Sinatra read forms with.

use std::process::Command;

use logpost::HttpHandler;
use logpost_test_support::have;
use serde_json::{Map, Value, json};

use crate::application::{Application, program};
use crate::delivery::{
    as_form, assert_same, deliver, deliver_as_it_is, deliver_corpus, last_values, log_odd_names, odd_names_made_safe,
};

#[test]
fn rack_reads_every_form_but_for_names_with_brackets() {
    let Some(rack) = start() else { return };
    let sent = deliver_corpus(HttpHandler::builder(rack.url("/")));
    for fields in sent.all_taken() {
        // A field without a name is dropped.
        let is_kept = |key: &String| !key.contains(['[', ']']) && !key.is_empty();
        let mut expected = last_values(&as_form(fields));
        expected.retain(|key, _| is_kept(key));
        let mut found = reported(&rack.understood());
        found.retain(|key, _| fields.get(key).is_some());
        assert_same(&found, &expected);
    }
    rack.assert_no_more();
}

#[test]
fn rack_makes_hashes_and_lists_of_names_with_brackets() {
    let Some(rack) = start() else { return };
    let sent = deliver(HttpHandler::builder(rack.url("/")), |logger| {
        log::info!(logger: logger, "a[b]" = 1, "c[]" = 2, "d.e" = 3, k = 4, "x]" = 5; "x");
        log::info!(logger: logger, k = 4, "k[a]" = 5; "a name can't be a hash and a text");
    });
    assert_eq!((sent.stats.delivered, sent.stats.rejected), (1, 1), "{:?}", sent.failures);
    let found = reported(&rack.understood());
    assert_eq!(found["a"], json!({"b": "1"}));
    assert_eq!(found["c"], json!(["2"]));
    assert_eq!(found["d.e"], json!("3"));
    assert_eq!(found["x"], json!("5"));
    assert!(sent.failures[0].contains("400"), "{:?}", sent.failures);
}

/// 4,096 fields, and 4 MiB.
#[test]
fn rack_refuses_what_is_above_its_limits() {
    let Some(rack) = start() else { return };
    let handler = (0..4096).fold(HttpHandler::builder(rack.url("/")), |handler, number| {
        handler.field(&format!("f{number}"), &number.to_string())
    });
    let sent = deliver_as_it_is(handler, |logger| log::info!(logger: logger, "x"));
    assert_eq!((sent.stats.delivered, sent.stats.rejected), (0, 1), "{:?}", sent.failures);
    assert!(sent.failures[0].contains("exceeds limit (4096)"), "{:?}", sent.failures);
    let sent = deliver(HttpHandler::builder(rack.url("/")), |logger| {
        log::info!(logger: logger, "{}", "x".repeat(4 * 1024 * 1024));
        log::info!(logger: logger, "short");
    });
    assert_eq!((sent.stats.delivered, sent.stats.rejected), (1, 1), "{:?}", sent.failures);
    assert!(sent.failures[0].contains("exceeds limit (4194304)"), "{:?}", sent.failures);
    assert_eq!(reported(&rack.understood())["msg"], "short");
}

/// `safe_names`: Rack has nothing left to change.
#[test]
fn rack_leaves_safe_names_as_they_are() {
    let Some(rack) = start() else { return };
    let sent = deliver(HttpHandler::builder(rack.url("/")).safe_names(true), log_odd_names);
    sent.all_taken();
    assert_same(&reported(&rack.understood()), &odd_names_made_safe(&sent.dictionaries[0]));
}

fn start() -> Option<Application> {
    have("ruby", "-rrack").then(|| Application::announced(Command::new("ruby").arg(program("rack_app.rb"))))
}

fn reported(request: &Value) -> Map<String, Value> {
    let pairs = request["form"].as_array().unwrap().iter();
    pairs.map(|pair| (pair[0].as_str().unwrap().to_owned(), pair[1].clone())).collect()
}
