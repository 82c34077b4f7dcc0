//! Where the process has another backend's logger, `init` fails and leaves everything as it was.

mod threads;

use log::{LevelFilter, Log, Metadata, Record};
use logpost::CaptureHandler;
use logpost_test_support::LONG;

use self::threads::{threads, wait_until_threads_are};

struct Other;

impl Log for Other {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, _: &Record<'_>) {}

    fn flush(&self) {}
}

#[test]
fn another_backends_logger_stays_and_no_thread_is_left_behind() {
    log::set_boxed_logger(Box::new(Other)).unwrap();
    log::set_max_level(LevelFilter::Warn);
    let before = threads();
    let handler = CaptureHandler::new;
    let several = logpost::builder().handler(handler()).handler(handler()).init();
    for result in [logpost::init("http://127.0.0.1:9020/log"), several] {
        let error = result.unwrap_err();
        assert!(error.is_already_initialized(), "{error}");
    }
    assert_eq!(log::max_level(), LevelFilter::Warn);
    assert!(logpost::stats().is_none());
    logpost::flush(LONG).unwrap();
    wait_until_threads_are(before, 0);
}
