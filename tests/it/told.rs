//! What is the same for all that can stand between a handler and its server: a logger that is quick to try again, and what
//! it tells of its failures.

use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use log::info;
use logpost::{Action, Delivery, ErrorClass, Guard, HttpHandlerBuilder, Logger, Pipeline, Retry};
use logpost_test_support::{LONG, Server};

/// What `on_error` was told.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) action: Action,
    pub(crate) class: ErrorClass,
    pub(crate) not_arrived: bool,
    pub(crate) text: String,
}

impl Told {
    /// The next failure, after which the records are kept, even at most once.
    pub(crate) fn next(told: &Receiver<Self>) -> Self {
        let told = told.recv_timeout(LONG).expect("a failure");
        assert!(matches!(told.action, Action::Retry(_)) && told.not_arrived, "{told:?}");
        told
    }
}

pub(crate) fn logger(handler: HttpHandlerBuilder, delivery: Delivery) -> (Logger, Guard, Receiver<Told>) {
    let retry = Retry::default().first_delay(Duration::from_millis(1)).max_delay(Duration::from_millis(20));
    let (tell, told) = mpsc::channel();
    let (logger, guard) = logpost::builder()
        .handler(Pipeline::new(handler.build().unwrap()).retry(retry).delivery(delivery))
        .flush_timeout(Duration::ZERO)
        .on_error(move |failure| {
            let error = failure.error();
            // The test may be over.
            let _ = tell.send(Told {
                action: failure.action(),
                class: error.class(),
                not_arrived: error.cannot_have_arrived(),
                text: error.to_string(),
            });
        })
        .build()
        .unwrap();
    (logger, guard, told)
}

fn messages(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("record {number}")).collect()
}

pub(crate) fn log(logger: &Logger, count: usize) {
    for message in messages(count) {
        info!(logger: logger, "{message}");
    }
}

/// Everything arrived, once, and the books say so.
pub(crate) fn check(server: &Server, guard: &Guard, count: usize) {
    assert_eq!(server.messages(), messages(count));
    let stats = guard.stats();
    assert_eq!((stats.accepted, stats.delivered), (count as u64, count as u64), "{stats}");
    assert_eq!((stats.rejected, stats.abandoned, stats.pending, stats.panics), (0, 0, 0, 0), "{stats}");
}
