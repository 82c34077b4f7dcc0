//! The process's level follows the filter of the process's logger, and of no other. A single test, as a process has a
//! single logger.

use log::{LevelFilter, debug, info, trace};
use logpost::{CaptureHandler, Pipeline};
use logpost_test_support::LONG;

#[test]
fn the_process_s_level_follows_the_filter_of_its_logger() {
    assert_eq!(log::max_level(), LevelFilter::Off);
    logpost::set_level(LevelFilter::Trace);
    assert_eq!(log::max_level(), LevelFilter::Off, "there is no logger of ours");
    let (_built, built_guard) = logpost::builder().handler(CaptureHandler::new()).build().unwrap();
    assert_eq!(log::max_level(), LevelFilter::Info, "raised by `build`, as documented");
    built_guard.set_level(LevelFilter::Trace);
    assert_eq!(log::max_level(), LevelFilter::Info, "not this logger's to set");

    let (capture, errors) = (CaptureHandler::new(), CaptureHandler::new());
    let guard = logpost::builder()
        .level(LevelFilter::Warn)
        .handler(Pipeline::new(capture.clone()).level(LevelFilter::Debug))
        .handler(Pipeline::new(errors.clone()).level(LevelFilter::Error))
        .init()
        .unwrap();
    assert_eq!(log::max_level(), LevelFilter::Warn);
    info!("too detailed");
    guard.set_level(LevelFilter::Info);
    assert_eq!(log::max_level(), LevelFilter::Info);
    info!("by a level");
    guard.set_level(LevelFilter::Trace);
    assert_eq!(log::max_level(), LevelFilter::Debug, "no handler wants more");
    debug!("by a wider level");
    trace!("for nobody");

    #[cfg(feature = "env-filter")]
    {
        guard.set_filter("warn,elsewhere=info").unwrap();
        assert_eq!(log::max_level(), LevelFilter::Info, "the widest in it");
        info!(target: "elsewhere", "by directives");
        info!("not by directives");
        guard.set_filter("elsewhere=loud").unwrap_err();
        assert_eq!(log::max_level(), LevelFilter::Info);
    }
    #[cfg(not(feature = "env-filter"))]
    info!(target: "elsewhere", "by directives");

    built_guard.set_level(LevelFilter::Off);
    guard.set_level(LevelFilter::Off);
    assert_eq!(log::max_level(), LevelFilter::Off);
    log::error!("for nobody");
    built_guard.set_level(LevelFilter::Trace);
    assert_eq!(log::max_level(), LevelFilter::Off);
    logpost::set_level(LevelFilter::Error);
    assert_eq!(log::max_level(), LevelFilter::Error);
    log::error!("for both");
    #[cfg(feature = "env-filter")]
    {
        logpost::set_filter("off,elsewhere=warn").unwrap();
        assert_eq!(log::max_level(), LevelFilter::Warn);
        log::warn!(target: "elsewhere", "by the process's directives");
        assert_eq!(logpost::set_filter("elsewhere=loud").unwrap_err().setting(), Some("filter"));
    }
    #[cfg(not(feature = "env-filter"))]
    {
        logpost::set_level(LevelFilter::Warn);
        log::warn!(target: "elsewhere", "by the process's directives");
    }

    guard.flush(LONG).unwrap();
    assert_eq!(
        capture.messages(),
        ["by a level", "by a wider level", "by directives", "for both", "by the process's directives"]
    );
    assert_eq!(errors.messages(), ["for both"]);
}
