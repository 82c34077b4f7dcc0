//! ClickHouse's engine of today, as a library: what it has taken is asked back.

use logpost::{Fields, HttpHandler, presets};
use serde_json::{Map, Value, json};

use crate::application::Application;
use crate::delivery::{assert_about_same_time, assert_same, deliver, deliver_as_it_is, deliver_corpus_as_it_is};

#[test]
fn a_form_is_a_row_with_the_types_of_its_columns() {
    let Some(chdb) = Application::python("chdb_app.py") else { return };
    let sent = deliver_as_it_is(presets::clickhouse_form(chdb.url("/"), "logs"), log_types);
    for fields in sent.all_taken() {
        // A form has no word for what is absent, so it is Rust's.
        assert_is(&rows(&chdb)[0], fields, &json!("None"));
    }
    chdb.assert_no_more();
}

#[test]
fn lines_of_json_are_rows_with_the_types_of_their_columns() {
    let Some(chdb) = Application::python("chdb_app.py") else { return };
    let sent = deliver_as_it_is(presets::clickhouse(chdb.url("/"), "logs"), log_types);
    let mut found = Vec::new();
    while found.len() < sent.dictionaries.len() {
        found.extend(rows(&chdb));
    }
    for (row, fields) in found.iter().zip(sent.all_taken()) {
        assert_is(row, fields, &Value::Null);
    }
    chdb.assert_no_more();
}

#[test]
fn a_row_that_the_engine_does_not_take_is_rejected_alone() {
    let Some(chdb) = Application::python("chdb_app.py") else { return };
    let sent = deliver_as_it_is(presets::clickhouse(chdb.url("/"), "logs"), |logger| {
        for number in 0..20 {
            if number == 7 {
                log::info!(logger: logger, whole = number, half = "no number"; "x");
            } else {
                log::info!(logger: logger, whole = number, half = 0.5; "x");
            }
        }
    });
    assert_eq!((sent.stats.delivered, sent.stats.rejected), (19, 1), "{:?}", sent.failures);
    let last = sent.failures.last().unwrap();
    assert!(last.contains("ClickHouse answered 400: Code: "), "{last}");
    let mut numbers = Vec::new();
    while numbers.len() < 19 {
        numbers.extend(rows(&chdb).iter().map(|row| row["whole"].as_i64().unwrap()));
    }
    assert_eq!(numbers, (0..20).filter(|number| *number != 7).collect::<Vec<_>>());
    chdb.assert_no_more();
}

#[test]
fn every_message_of_the_corpus_is_asked_back_by_form() {
    let Some(chdb) = Application::python("chdb_app.py") else { return };
    let sent = deliver_corpus_as_it_is(presets::clickhouse_form(chdb.url("/"), "logs"));
    for fields in sent.all_taken() {
        let rows = rows(&chdb);
        for (column, key) in [("message", "msg"), ("name", "name"), ("level", "levelname")] {
            let (found, expected) = (rows[0][column].as_str().unwrap(), fields.get(key).unwrap().to_string());
            assert!(found == expected, "{column}: {found:.300} instead of {expected:.300}");
        }
    }
    chdb.assert_no_more();
}

#[test]
fn a_form_with_a_column_twice_is_refused_unless_names_are_told_apart() {
    let Some(chdb) = Application::python("chdb_app.py") else { return };
    for (safe_names, taken) in [(false, 0), (true, 1)] {
        let handler = presets::clickhouse_form(chdb.url("/"), "logs").safe_names(safe_names);
        let sent = deliver_as_it_is(handler, |logger| log::info!(logger: logger, whole = 1, whole = 2; "x"));
        assert_eq!((sent.stats.delivered, sent.stats.rejected), (taken, 1 - taken), "{:?}", sent.failures);
        assert!(sent.failures.iter().all(|failure| failure.contains("Duplicate field")), "{:?}", sent.failures);
    }
    assert_eq!(rows(&chdb)[0]["whole"], 1);
}

/// Which is why the preset sends `%20`.
#[test]
fn the_plus_of_an_ordinary_form_is_no_space_to_clickhouse() {
    let Some(chdb) = Application::python("chdb_app.py") else { return };
    let url = chdb.url("/?query=INSERT+INTO+logs+FORMAT+Form");
    deliver(HttpHandler::builder(url), |logger| {
        log::info!(logger: logger, level = "two words"; "x");
    });
    assert_eq!(rows(&chdb)[0]["level"], "two+words");
}

fn log_types(logger: &logpost::Logger) {
    for number in 0..50 {
        let (whole, half) = (i64::MIN + i64::from(number), f64::from(number) + 0.25);
        log::info!(logger: logger, whole, large = u64::MAX, half, yes = number % 2 == 0, nothing = None::<u8>, passed_by = 1;
            "message {number}: a+b & c");
    }
}

fn assert_is(row: &Map<String, Value>, fields: &Fields, nothing: &Value) {
    let text = |key: &str| fields.get(key).unwrap().to_string();
    let mut row = row.clone();
    assert_about_same_time(row.remove("timestamp").as_ref(), fields);
    let expected = json!({
        "level": text("levelname"), "message": text("msg"), "name": text("name"),
        "lineno": text("lineno").parse::<u32>().unwrap(), "whole": text("whole").parse::<i64>().unwrap(),
        "large": u64::MAX, "half": text("half").parse::<f64>().unwrap(), "yes": text("yes") == "true",
        "nothing": nothing,
    });
    assert_same(&row, expected.as_object().unwrap());
}

fn rows(chdb: &Application) -> Vec<Map<String, Value>> {
    let request = chdb.understood();
    request["rows"].as_array().unwrap().iter().map(|row| row.as_object().unwrap().clone()).collect()
}
