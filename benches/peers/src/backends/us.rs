//! logpost, its listener posting to a real server.

use std::sync::Arc;
use std::time::Duration;

use logpost::{Encode, FormLines, Guard, HttpHandler, HttpHandlerBuilder, Pipeline};

use super::{CAPACITY, Call, Running, Setup};

const ROOM: usize = 1 << 30;

pub(super) fn form(setup: &Setup) -> Running {
    running(install(pipeline(HttpHandler::builder(&*setup.url), CAPACITY)))
}

pub(super) fn lines(setup: &Setup) -> Running {
    // Room for all that the four threads log: no call waits for the memory of a queue that grows.
    running(install(pipeline(batched(&setup.url, FormLines, 1000), CAPACITY).preallocate(65_536)))
}

/// Up to `records` records a request.
pub(crate) fn batched(url: &str, encoding: impl Encode, records: usize) -> HttpHandlerBuilder {
    let batch = logpost::Batch::default().max_records(records).max_bytes(1 << 20).linger(Duration::from_millis(10));
    HttpHandler::builder(url).encoding(encoding).batch(batch)
}

pub(crate) fn pipeline(handler: HttpHandlerBuilder, capacity: usize) -> Pipeline {
    Pipeline::new(handler.build().expect("a handler")).capacity(capacity).capacity_bytes(ROOM)
}

pub(crate) fn install(pipeline: Pipeline) -> Guard {
    logpost::builder().handler(pipeline).init().expect("the first logger")
}

fn running(guard: Guard) -> Running {
    let guard = Arc::new(guard);
    let stats = Arc::clone(&guard);
    Running {
        call: Call::Log,
        flush: Box::new(move || guard.flush(Duration::from_secs(30)).expect("the server takes all")),
        delivered: Some(Box::new(move || stats.stats().delivered)),
    }
}
