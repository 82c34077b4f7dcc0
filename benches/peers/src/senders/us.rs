//! logpost, from `log::info!` to `Guard::flush`.

use std::time::Duration;

use logpost::{HttpHandler, Pipeline};

use super::{log_all, measure};
use crate::backends::us::{batched, install, pipeline};
use crate::process::report;

pub(super) fn form(url: &str, records: usize) {
    send(pipeline(HttpHandler::builder(url), records), records);
}

pub(super) fn form_workers(url: &str, records: usize) {
    send(pipeline(HttpHandler::builder(url), records).workers(4), records);
}

pub(super) fn lines_100(url: &str, records: usize) {
    send(pipeline(batched(url, 100), records), records);
}

pub(super) fn lines_1000(url: &str, records: usize) {
    send(pipeline(batched(url, 1000), records), records);
}

fn send(pipeline: Pipeline, records: usize) {
    let guard = install(pipeline);
    measure(records, || log_all(records), || guard.flush(Duration::from_mins(1)).expect("the server takes all"));
    report("delivered", guard.stats().delivered as f64);
}
