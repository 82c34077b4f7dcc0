//! logpost, from `log::info!` to `Guard::flush`.

use std::time::Duration;

use logpost::{Encode, FormField, FormLines, HttpHandler, Json, JsonLines, Pipeline, presets};

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
    send(pipeline(batched(url, FormLines, 100), records), records);
}

pub(super) fn lines_1000(url: &str, records: usize) {
    send_1000(url, FormLines, records);
}

pub(super) fn json_1000(url: &str, records: usize) {
    send_1000(url, Json, records);
}

pub(super) fn json_lines_1000(url: &str, records: usize) {
    send_1000(url, JsonLines, records);
}

pub(super) fn form_field_1000(url: &str, records: usize) {
    send_1000(url, FormField("json"), records);
}

pub(super) fn loki_1000(url: &str, records: usize) {
    let batch = logpost::Batch::default().max_records(1000).max_bytes(1 << 20).linger(Duration::from_millis(10));
    send(pipeline(presets::loki(url, ["level"]).batch(batch), records), records);
}

fn send_1000(url: &str, encoding: impl Encode, records: usize) {
    send(pipeline(batched(url, encoding, 1000), records), records);
}

fn send(pipeline: Pipeline, records: usize) {
    let guard = install(pipeline);
    measure(records, || log_all(records), || guard.flush(Duration::from_mins(1)).expect("the server takes all"));
    report("delivered", guard.stats().delivered as f64);
}
