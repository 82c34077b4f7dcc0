//! What is logged is what was asked for: levels and directives, of the logger and of a pipeline, set and replaced.
//!
//! In a process of their own, as they raise its level: a logger that was given no level lets everything through then.
#![cfg(feature = "env-filter")]

use std::cell::Cell;
use std::fmt;
use std::sync::mpsc;
use std::thread;

use log::{Level, LevelFilter, debug, error, info, log, log_enabled, trace, warn};
use logpost::{Builder, CaptureHandler, Error, Guard, Logger, Pipeline};
use logpost_test_support::LONG;

fn logging(configure: impl FnOnce(Builder) -> Builder) -> (Logger, Guard, CaptureHandler) {
    // The macros look at the process's level first, which is raised by whoever builds a logger, and lowered by nobody.
    let (_, _all) = logpost::builder().level(LevelFilter::Trace).handler(CaptureHandler::new()).build().unwrap();
    let capture = CaptureHandler::new();
    let (logger, guard) = configure(logpost::builder()).handler(capture.clone()).build().unwrap();
    (logger, guard, capture)
}

/// A record for each target and level.
fn log_all(logger: &Logger) {
    for target in ["my_app", "my_app::db", "other"] {
        for level in Level::iter() {
            log!(logger: logger, target: target, level, "{target} {level}");
        }
    }
}

fn logged(capture: &CaptureHandler, guard: &Guard) -> Vec<String> {
    guard.flush(LONG).unwrap();
    capture.messages()
}

#[test]
fn directives_decide_by_target() {
    let (logger, guard, capture) = logging(|builder| builder.filter("off,my_app=warn,my_app::db=debug"));
    log_all(&logger);
    let expected =
        ["my_app ERROR", "my_app WARN", "my_app::db ERROR", "my_app::db WARN", "my_app::db INFO", "my_app::db DEBUG"];
    assert_eq!(logged(&capture, &guard), expected);
    assert!(log_enabled!(logger: logger, target: "my_app::db", Level::Debug));
    assert!(!log_enabled!(logger: logger, target: "my_app::db", Level::Trace));
    assert!(!log_enabled!(logger: logger, target: "my_app", Level::Info));
    assert!(!log_enabled!(logger: logger, target: "other", Level::Error));
}

#[test]
fn of_a_level_and_a_filter_the_last_one_holds() {
    let (logger, guard, capture) = logging(|builder| builder.level(LevelFilter::Trace).filter("other=error"));
    log_all(&logger);
    assert_eq!(logged(&capture, &guard), ["other ERROR"]);
    let (logger, guard, capture) = logging(|builder| builder.filter("other=trace").level(LevelFilter::Error));
    log_all(&logger);
    assert_eq!(logged(&capture, &guard), ["my_app ERROR", "my_app::db ERROR", "other ERROR"]);
}

#[test]
fn a_pipeline_gets_what_passes_both_filters() {
    let (by_level, by_filter) = (CaptureHandler::new(), CaptureHandler::new());
    let (logger, guard, all) = logging(|builder| {
        builder
            .filter("error,my_app::db=debug")
            .handler(Pipeline::new(by_level.clone()).level(LevelFilter::Info))
            .handler(Pipeline::new(by_filter.clone()).filter("other=trace,my_app::db=debug"))
    });
    log_all(&logger);
    let of_db = ["my_app::db ERROR", "my_app::db WARN", "my_app::db INFO", "my_app::db DEBUG"];
    assert_eq!(logged(&all, &guard), [&["my_app ERROR"], &of_db[..], &["other ERROR"]].concat());
    assert_eq!(by_level.messages(), [&["my_app ERROR"], &of_db[..3], &["other ERROR"]].concat());
    assert_eq!(by_filter.messages(), [&of_db[..], &["other ERROR"]].concat());
}

/// Counts how often it is shown; or fails to be.
struct Shown<'a>(&'a Cell<u32>, bool);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.set(self.0.get() + 1);
        f.write_str("needle")?;
        if self.1 { Err(fmt::Error) } else { Ok(()) }
    }
}

#[test]
fn a_text_behind_the_slash_must_be_in_the_message_which_is_formatted_once() {
    let picky = CaptureHandler::new();
    let (logger, guard, capture) = logging(|builder| {
        builder.filter("info/needle").handler(Pipeline::new(picky.clone()).filter("trace/and thread"))
    });
    let count = Cell::new(0);
    info!(logger: logger, "{} and thread", Shown(&count, false));
    info!(logger: logger, "{} alone", Shown(&count, false));
    info!(logger: logger, "thread and thread");
    info!(logger: logger, "a needle in a literal");
    debug!(logger: logger, "{} too detailed", Shown(&count, false));
    // `env_filter` itself would panic over it.
    info!(logger: logger, "{}", Shown(&count, true));
    let failed = "needle [a Display implementation returned an error]";
    let expected = ["needle and thread", "needle alone", "a needle in a literal", failed];
    assert_eq!(logged(&capture, &guard), expected);
    assert_eq!(picky.messages(), ["needle and thread"]);
    assert_eq!(count.get(), 3);
}

#[cfg(feature = "regex")]
#[test]
fn with_the_feature_regex_what_is_behind_the_slash_is_one() {
    let (logger, guard, capture) = logging(|builder| builder.filter("info/^a.c$"));
    for message in ["abc", "a.c", "abcd", ""] {
        info!(logger: logger, "{message}");
    }
    assert_eq!(logged(&capture, &guard), ["abc", "a.c"]);
    let error = logpost::builder().filter("info/(").handler(CaptureHandler::new()).build().unwrap_err();
    assert_eq!(error.setting(), Some("filter"));
}

#[test]
fn directives_that_do_not_parse_are_errors_that_show_them() {
    let check = |result: Result<(Logger, Guard), Error>, value: &str| {
        let error = result.unwrap_err();
        assert_eq!(error.setting(), Some("filter"), "{error}");
        assert!(error.to_string().starts_with(&format!("filter: {value:?}")), "{error}");
    };
    for directives in ["my_app=loud", "a=b=c", "", ",", "/text", "info/a/b"] {
        let builder = || logpost::builder().level(LevelFilter::Info);
        check(builder().filter(directives).handler(CaptureHandler::new()).build(), directives);
        check(builder().handler(Pipeline::new(CaptureHandler::new()).filter(directives)).build(), directives);
    }
}

#[test]
fn an_unset_variable_is_as_if_it_had_not_been_asked_for() {
    let unset = "LOGPOST_TEST_VARIABLE_THAT_NOBODY_SETS";
    let (logger, guard, capture) = logging(|builder| builder.level(LevelFilter::Warn).filter_env(unset));
    warn!(logger: logger, "logged");
    info!(logger: logger, "not logged");
    assert_eq!(logged(&capture, &guard), ["logged"]);
}

#[test]
fn a_filter_is_replaced_without_a_stop_and_a_bad_one_is_not_taken() {
    let (logger, guard, capture) = logging(|builder| builder);
    info!(logger: logger, target: "my_app", "1");
    guard.set_filter("warn,my_app=trace").unwrap();
    trace!(logger: logger, target: "my_app", "2");
    info!(logger: logger, target: "other", "not this");
    guard.set_level(LevelFilter::Debug);
    debug!(logger: logger, target: "other", "3");
    trace!(logger: logger, target: "my_app", "nor this");
    let error = guard.set_filter("my_app=loud").unwrap_err();
    assert_eq!(error.setting(), Some("filter"));
    assert!(error.to_string().contains("my_app=loud"), "{error}");
    debug!(logger: logger, target: "other", "4");
    guard.set_level(LevelFilter::Off);
    error!(logger: logger, "nor that");
    guard.set_filter("error/5").unwrap();
    error!(logger: logger, "5");
    error!(logger: logger, "nor 4");
    assert_eq!(logged(&capture, &guard), ["1", "2", "3", "4", "5", "nor 4"][..5]);
    assert_eq!(guard.stats().accepted, 5);
}

/// Code of the program's runs in between: the message is formatted.
#[test]
fn a_filter_replaced_before_the_message_is_known_has_all_the_say() {
    struct Replaces<'a>(&'a Guard, &'a str);
    impl fmt::Display for Replaces<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.set_filter(self.1).unwrap();
            f.write_str("hay")
        }
    }
    // Whether the one that was asked first would have taken it makes no difference.
    for first in ["debug/needle", "debug/hay"] {
        for (second, expected) in [
            ("error,other=warn", &[][..]),
            ("error,other=warn/hay", &[]),
            ("debug/more needles", &[]),
            ("error,filters=debug", &["hay"]),
            ("debug/hay", &["hay"]),
        ] {
            let (logger, guard, capture) = logging(|builder| builder.filter(first));
            debug!(logger: logger, "{}", Replaces(&guard, second));
            assert_eq!(logged(&capture, &guard), expected, "{first}, then {second}");
            assert_eq!(guard.stats().accepted, expected.len() as u64);
        }
    }
}

/// Each thread sees its own replacement, and those made before it was told of them.
#[test]
fn a_filter_is_replaced_from_any_thread() {
    let (logger, guard, capture) = logging(|builder| builder.level(LevelFilter::Off));
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        let (logger, guard) = (&logger, &guard);
        scope.spawn(move || {
            guard.set_filter("my_app=debug").unwrap();
            debug!(logger: logger, target: "my_app", "by the one that replaced it");
            tell.send(()).unwrap();
        });
        told.recv_timeout(LONG).unwrap();
        debug!(logger: logger, target: "my_app", "by another one");
        debug!(logger: logger, target: "other", "by nobody");
    });
    assert_eq!(logged(&capture, &guard), ["by the one that replaced it", "by another one"]);
}
