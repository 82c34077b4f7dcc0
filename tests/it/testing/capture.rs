//! `CaptureHandler` has what was logged.

use std::thread;
use std::time::Duration;

use log::{Level, error, info};
use logpost::{CaptureHandler, Guard, Logger};
use logpost_test_support::LONG;

fn logger() -> (CaptureHandler, Logger, Guard) {
    let capture = CaptureHandler::new();
    let (logger, guard) = logpost::builder().handler(capture.clone()).build().unwrap();
    (capture, logger, guard)
}

#[test]
fn records_messages_and_fields_are_in_order() {
    let (capture, logger, guard) = logger();
    info!(logger: logger, target: "shop", order = 17; "one");
    error!(logger: logger, target: "shop", "two");
    guard.flush(LONG).unwrap();
    assert_eq!(capture.messages(), ["one", "two"]);
    let levels: Vec<_> = capture.records().iter().map(logpost::LogRecord::level).collect();
    assert_eq!(levels, [Level::Info, Level::Error]);
    let fields = capture.fields();
    let texts = |key| fields.iter().map(|fields| fields.get(key)?.as_str()).collect::<Vec<_>>();
    assert_eq!(texts("msg"), [Some("one"), Some("two")]);
    assert_eq!(texts("levelname"), [Some("INFO"), Some("ERROR")]);
    assert_eq!(texts("order"), [Some("17"), None]);
}

#[test]
fn a_mapper_of_ones_own_is_called_for_each_record() {
    let (capture, logger, guard) = logger();
    info!(logger: logger, "one");
    error!(logger: logger, "two");
    guard.flush(LONG).unwrap();
    // It may look at the handler itself.
    let fields = capture.fields_with(|record, fields| {
        fields.push("text", record.message()).push("of", capture.records().len());
    });
    assert_eq!(format!("{fields:?}"), r#"[{"text": "one", "of": 2}, {"text": "two", "of": 2}]"#);
}

#[test]
fn wait_for_needs_no_flush() {
    let (capture, logger, _guard) = logger();
    let logging = thread::spawn(move || {
        for number in 0..100 {
            info!(logger: logger, "record {number}");
        }
    });
    let records = capture.wait_for(100, LONG).unwrap();
    let messages: Vec<_> = records.iter().map(|record| record.message().to_owned()).collect();
    assert_eq!(messages, (0..100).map(|number| format!("record {number}")).collect::<Vec<_>>());
    assert_eq!(capture.wait_for(1, Duration::ZERO).unwrap().len(), 100);
    logging.join().unwrap();
}

#[test]
fn waiting_in_vain_says_what_came() {
    let (capture, logger, guard) = logger();
    error!(logger: logger, target: "shop", "no\nanswer");
    guard.flush(LONG).unwrap();
    let error = capture.wait_for(2, Duration::from_millis(1)).unwrap_err();
    assert_eq!((error.wanted(), error.arrived()), (2, 1));
    assert_eq!(error.to_string(), r#"waited 1ms for 2 records, but 1 came: ERROR shop: "no\nanswer""#);
    assert_eq!(CaptureHandler::new().wait_for(0, Duration::ZERO).unwrap().len(), 0);
}
