//! `init` works once, and one that fails changes nothing. A single test, as a process has a single logger.

mod threads;

use std::time::Duration;

use log::{LevelFilter, info};
use logpost::{CaptureHandler, HttpHandler, Pipeline};
use logpost_test_support::{LONG, Server};

use self::threads::{threads, wait_until_threads_are};

#[test]
fn init_works_once_and_one_that_fails_changes_nothing() {
    let server = Server::start();
    let before = threads();
    assert!(logpost::stats().is_none());
    logpost::flush(Duration::ZERO).unwrap();

    for (setting, result) in [
        ("url", logpost::init("127.0.0.1:9020/log")),
        ("url", logpost::init("ftp://127.0.0.1:9020/log")),
        ("handler", logpost::builder().init()),
        (
            "capacity",
            logpost::builder()
                .handler(CaptureHandler::new())
                .handler(Pipeline::new(CaptureHandler::new()).capacity(0))
                .init(),
        ),
    ] {
        let error = result.unwrap_err();
        assert_eq!(error.setting(), Some(setting));
        assert!(error.to_string().starts_with(setting), "{error}");
        assert!(!error.is_already_initialized());
    }
    assert!(logpost::stats().is_none());
    assert_eq!(log::max_level(), LevelFilter::Off);
    wait_until_threads_are(before, 0);

    let guard = logpost::init(server.url()).unwrap();
    assert_eq!(log::max_level(), LevelFilter::Info);
    assert_eq!(logpost::stats(), Some(guard.stats()));
    wait_until_threads_are(before, 1);

    let again = logpost::builder().handler(HttpHandler::new(server.url()).unwrap()).level(LevelFilter::Trace).init();
    let error = again.unwrap_err();
    assert!(error.is_already_initialized());
    assert_eq!(error.setting(), None);
    assert_eq!(log::max_level(), LevelFilter::Info);
    wait_until_threads_are(before, 1);
    assert_eq!(server.connections(), 0, "before the first record");

    info!("still the first logger's");
    guard.flush(LONG).unwrap();
    assert_eq!(server.messages(), ["still the first logger's"]);
    assert_eq!(logpost::stats().unwrap().delivered, 1);
}
