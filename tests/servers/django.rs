//! Django, with the settings that a new project has.

use logpost::{Batch, Fields, HttpHandler, Json, Method};

use crate::application::Application;
use crate::delivery::{as_form, as_json, assert_same, deliver, deliver_corpus, form_size, json_size};
use crate::flask::{assert_records_are_understood, assert_the_corpus_is_read_as_json, reported_form};

/// `DATA_UPLOAD_MAX_NUMBER_FIELDS`
const MOST_FIELDS: usize = 1000;
/// `DATA_UPLOAD_MAX_MEMORY_SIZE`
const LARGEST_BODY: usize = 2_621_440;

#[test]
fn django_reads_every_form_up_to_its_limits() {
    let Some(django) = Application::python("django_app.py") else { return };
    let sent = deliver_corpus(HttpHandler::builder(django.url("/form")));
    let (too_many, too_large) =
        (|fields: &Fields| fields.len() > MOST_FIELDS, |fields: &Fields| form_size(fields) > LARGEST_BODY);
    assert!(sent.dictionaries.iter().any(too_many) && sent.dictionaries.iter().any(too_large));
    for fields in sent.taken("400", |fields| too_many(fields) || too_large(fields)) {
        assert_same(&reported_form(&django.understood()), &as_form(fields));
    }
    django.assert_no_more();
}

#[test]
fn django_reads_what_is_sent_by_get_up_to_its_limits() {
    let Some(django) = Application::python("django_app.py") else { return };
    let sent = deliver_corpus(HttpHandler::builder(django.url("/form")).method(Method::Get));
    let too_long = |size: usize| size > 65_000;
    for fields in sent.taken("", |fields| fields.len() > MOST_FIELDS || too_long(form_size(fields))) {
        assert_same(&reported_form(&django.understood()), &as_form(fields));
    }
    django.assert_no_more();
}

#[test]
fn django_reads_every_record_as_json() {
    let Some(django) = Application::python("django_app.py") else { return };
    assert_the_corpus_is_read_as_json(&django);
}

/// 2.5 MB: a batch above it is halved until each part fits, and a record above it by itself is the only one that is lost.
#[test]
fn a_batch_above_djangos_limit_is_halved() {
    let Some(django) = Application::python("django_app.py") else { return };
    let batch = Batch::default().max_bytes(16 * 1024 * 1024);
    let sent = deliver(HttpHandler::builder(django.url("/json")).encoding(Json).batch(batch), |logger| {
        for number in 0..20 {
            let length = if number == 13 { LARGEST_BODY } else { 400_000 };
            log::info!(logger: logger, number; "{}", "x".repeat(length));
        }
    });
    let expected: Vec<_> =
        sent.dictionaries.iter().filter(|fields| json_size(fields) <= LARGEST_BODY).map(as_json).collect();
    assert_eq!((sent.stats.delivered, sent.stats.rejected), (19, 1), "{:?}", sent.failures);
    assert_eq!(expected.len(), 19);
    assert_records_are_understood(&django, &expected);
}
