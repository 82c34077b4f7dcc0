//! Several destinations: none delays another, and each has its own books, under its own name.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use log::info;
use logpost::{CaptureHandler, EmitError, Handler, LogRecord, Overflow, Pipeline, State};
use logpost_test_support::{LONG, wait_until};

/// A handler that says that it was called, and does not come back until the test drops the other end.
struct Hangs {
    called: Sender<()>,
    released: Receiver<()>,
}

impl Handler for Hangs {
    fn emit(&mut self, _: &[LogRecord]) -> Result<(), EmitError> {
        let _ = self.called.send(());
        let _ = self.released.recv();
        Ok(())
    }
}

fn hangs() -> (Hangs, Receiver<()>, Sender<()>) {
    let (release, released) = mpsc::channel();
    let (call, called) = mpsc::channel();
    (Hangs { called: call, released }, called, release)
}

struct Fails(Sender<()>);

impl Handler for Fails {
    fn emit(&mut self, _: &[LogRecord]) -> Result<(), EmitError> {
        let _ = self.0.send(());
        Err(EmitError::endpoint("never"))
    }
}

#[test]
fn stats_are_kept_by_name() {
    let (hangs, _called, release) = hangs();
    let capture = CaptureHandler::new();
    let (logger, guard) = logpost::builder()
        .handler(Pipeline::new(hangs).name("slack"))
        .handler(capture.clone())
        .handler(Pipeline::new(CaptureHandler::new()).name("errors").level(log::LevelFilter::Error))
        .build()
        .unwrap();
    info!(logger: logger, "one");
    info!(logger: logger, "two");
    wait_until("the second pipeline has delivered", || guard.stats_of("pipeline-2").unwrap().delivered == 2);

    let all = guard.stats_by_pipeline();
    let names: Vec<_> = all.iter().map(|pipeline| pipeline.name.as_str()).collect();
    assert_eq!(names, ["slack", "pipeline-2", "errors"]);
    let counts: Vec<_> = all.iter().map(|of| (of.stats.accepted, of.stats.delivered, of.stats.pending)).collect();
    assert_eq!(counts, [(2, 0, 2), (2, 2, 0), (0, 0, 0)]);
    assert!(all[0].to_string().starts_with("slack: accepted 2, delivered 0, pending 2,"), "{}", all[0]);
    assert_eq!(guard.stats_of("slack"), Some(all[0].stats.clone()));
    assert_eq!(guard.stats_of("pipeline-1"), None, "it has another name");
    assert_eq!(guard.stats_of(""), None);
    assert_eq!((guard.stats().accepted, guard.stats().delivered), (4, 2), "all together");

    drop(release);
    guard.flush(LONG).unwrap();
    assert_eq!(guard.stats_of("slack").unwrap().delivered, 2);
}

#[test]
fn names_that_can_not_be_are_errors() {
    let pipeline = |name: &str| Pipeline::new(CaptureHandler::new()).name(name);
    let problem = |first: Pipeline, second: Pipeline| {
        let error = logpost::builder().handler(first).handler(second).build().unwrap_err();
        assert_eq!(error.setting(), Some("name"));
        error.to_string()
    };
    let twice = "name: two pipelines are called";
    assert_eq!(problem(pipeline("slack"), pipeline("slack")), format!("{twice} \"slack\""));
    let by_default = Pipeline::new(CaptureHandler::new());
    assert_eq!(problem(pipeline("pipeline-2"), by_default), format!("{twice} \"pipeline-2\""));
    assert_eq!(problem(pipeline("slack"), pipeline("")), "name: must not be empty");
    let different = logpost::builder().handler(pipeline("slack")).handler(pipeline("Slack")).build();
    assert!(different.is_ok());
}

#[test]
fn a_pipeline_that_hangs_delays_no_other() {
    const RECORDS: u64 = 1000;
    let (hangs, _called, release) = hangs();
    let capture = CaptureHandler::new();
    let builder = logpost::builder().flush_timeout(Duration::ZERO);
    let (logger, guard) = builder.handler(Pipeline::new(hangs).name("hangs")).handler(capture.clone()).build().unwrap();
    for number in 0..RECORDS {
        info!(logger: logger, "{number}");
    }
    wait_until("the other has all", || guard.stats_of("pipeline-2").unwrap().delivered == RECORDS);
    let hanging = guard.stats_of("hangs").unwrap();
    assert_eq!((hanging.accepted, hanging.delivered, hanging.pending), (RECORDS, 0, RECORDS));
    drop(release);
    guard.flush(LONG).unwrap();
    assert_eq!(guard.stats_of("hangs").unwrap().delivered, RECORDS);
}

#[test]
fn a_pipeline_that_fails_delays_no_other() {
    const RECORDS: u64 = 1000;
    let (tell, told) = mpsc::channel();
    let builder = logpost::builder().flush_timeout(Duration::ZERO).on_error(|_| {});
    let (logger, guard) =
        builder.handler(Pipeline::new(Fails(tell)).name("fails")).handler(CaptureHandler::new()).build().unwrap();
    info!(logger: logger, "0");
    told.recv_timeout(LONG).unwrap();
    for number in 1..RECORDS {
        info!(logger: logger, "{number}");
    }
    wait_until("the other has all", || guard.stats_of("pipeline-2").unwrap().delivered == RECORDS);
    wait_until("the failure is in the books", || {
        matches!(guard.stats_of("fails").unwrap().state, State::Failing { .. })
    });
    assert_eq!(guard.stats_of("fails").unwrap().pending, RECORDS);
    let other = guard.stats_of("pipeline-2").unwrap();
    assert_eq!((other.state, other.last_error), (State::Idle, None));
    guard.stop(Duration::ZERO);
}

/// The one that makes callers wait is given to the builder first, and gets each record last.
#[test]
fn a_caller_that_waits_for_room_has_given_its_record_to_all_others_before() {
    let (hangs, reached, release) = hangs();
    let capture = CaptureHandler::new();
    let full = Pipeline::new(hangs).name("full").capacity(1).overflow(Overflow::Block(10 * LONG));
    let (logger, guard) = logpost::builder().handler(full).handler(capture.clone()).build().unwrap();
    info!(logger: logger, "at the handler");
    reached.recv_timeout(LONG).unwrap();
    info!(logger: logger, "in the queue");
    thread::scope(|scope| {
        let caller = scope.spawn(|| info!(logger: logger, "at the door"));
        wait_until("the other has it too", || capture.messages().len() == 3);
        assert!(!caller.is_finished() && guard.stats_of("full").unwrap().accepted == 2);
        drop(release);
        caller.join().unwrap();
    });
    guard.flush(LONG).unwrap();
    assert_eq!(capture.messages(), ["at the handler", "in the queue", "at the door"]);
    assert_eq!(guard.stats_of("full").unwrap().delivered, 3);
}
