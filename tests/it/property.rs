//! Whatever the fields are, those who decode the form get them back.

use std::cell::RefCell;

use log::Record;
use logpost::{Handler as _, HttpHandler, LogRecord, Method};
use logpost_test_support::{Server, have};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::interop::Decoder;

#[test]
fn any_list_of_pairs_survives_a_post() {
    any_list_of_pairs_survives(Method::Post);
}

#[test]
fn any_list_of_pairs_survives_a_get() {
    any_list_of_pairs_survives(Method::Get);
}

fn any_list_of_pairs_survives(method: Method) {
    if !have("python3", "--version") {
        return;
    }
    let server = Server::start();
    let handler = HttpHandler::builder(server.url()).method(method).map_log_record(|record, fields| {
        for (key, value) in record.key_values() {
            fields.push(key, value);
        }
    });
    // The runner calls the test by a shared reference.
    let handler = RefCell::new(handler.build().unwrap());
    let python = RefCell::new(Decoder::start());
    let requests = RefCell::new(0..);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let pairs = prop::collection::vec((any_text(), any_text()), 0..12);
    let result = TestRunner::new(config).run(&pairs, |pairs| {
        let key_values = &pairs[..];
        let record = LogRecord::from(&Record::builder().key_values(&key_values).build());
        handler.borrow_mut().emit(&[record]).unwrap();
        let number: usize = requests.borrow_mut().next().unwrap();
        let request = server.requests().swap_remove(number);
        prop_assert_eq!(&request.form(), &pairs);
        let form = match method {
            Method::Get => request.target.strip_prefix("/log?").unwrap().as_bytes(),
            _ => &request.body,
        };
        let (_, decoded) = python.borrow_mut().decode(form);
        prop_assert_eq!(&decoded, &pairs);
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

/// Text of all kinds, and more often than chance would have it what means something in a form.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::collection::vec(any::<char>(), 0..16).prop_map(String::from_iter),
        "[&=+%;#?*~ a\\x00\\r\\n\u{85}\u{feff}]{0,12}",
        "(%[0-9a-fA-F]{2}|&[a-z]=){0,4}",
    ]
}
