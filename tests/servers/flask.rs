//! Flask.

use logpost::{FormField, HttpHandler, Json, JsonLines, Method};
use serde_json::{Map, Value};

use crate::application::Application;
use crate::delivery::{as_form, as_json, assert_same, deliver, deliver_corpus, form_size};

/// A form as the applications report it: a list of keys and lists of values.
pub(crate) fn reported_form(request: &Value) -> Map<String, Value> {
    let pairs = request["form"].as_array().unwrap().iter();
    pairs.map(|pair| (pair[0].as_str().unwrap().to_owned(), pair[1].clone())).collect()
}

#[test]
fn flask_reads_every_form() {
    let Some(flask) = Application::python("flask_app.py") else { return };
    let sent = deliver_corpus(HttpHandler::builder(flask.url("/form")));
    for fields in sent.all_taken() {
        assert_same(&reported_form(&flask.understood()), &as_form(fields));
    }
    flask.assert_no_more();
}

#[test]
fn flask_reads_every_record_as_json() {
    let Some(flask) = Application::python("flask_app.py") else { return };
    assert_the_corpus_is_read_as_json(&flask);
}

#[test]
fn flask_reads_a_field_of_a_form_that_is_json() {
    let Some(flask) = Application::python("flask_app.py") else { return };
    let handler = HttpHandler::builder(flask.url("/field")).encoding(FormField("json"));
    let sent = deliver(handler, |logger| {
        for number in 0..1000 {
            log::info!(logger: logger, number, half = f64::from(number) / 2.0, even = number % 2 == 0; "ü & + {number}");
        }
    });
    assert_records_are_understood(&flask, &sent.all_taken().into_iter().map(as_json).collect::<Vec<_>>());
}

#[test]
fn flask_reads_what_is_sent_by_get() {
    let Some(flask) = Application::python("flask_app.py") else { return };
    let sent = deliver_corpus(HttpHandler::builder(flask.url("/form")).method(Method::Get));
    // logpost's own limit, before Flask's: what no URL can hold.
    for fields in sent.taken("no URL can hold", |fields| form_size(fields) > 65_000) {
        assert_same(&reported_form(&flask.understood()), &as_form(fields));
    }
    flask.assert_no_more();
}

/// That the application reads every record, as an array and as lines.
pub(crate) fn assert_the_corpus_is_read_as_json(application: &Application) {
    for handler in [
        HttpHandler::builder(application.url("/json")).encoding(Json),
        HttpHandler::builder(application.url("/lines")).encoding(JsonLines),
    ] {
        let sent = deliver_corpus(handler);
        assert_records_are_understood(application, &sent.all_taken().into_iter().map(as_json).collect::<Vec<_>>());
    }
}

/// That the application has understood these records, in this order, in as many requests as it wants.
pub(crate) fn assert_records_are_understood(application: &Application, expected: &[Map<String, Value>]) {
    let mut found = Vec::new();
    while found.len() < expected.len() {
        found.extend(application.understood()["json"].as_array().unwrap().iter().cloned());
    }
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_same(found.as_object().unwrap(), expected);
    }
    application.assert_no_more();
}
