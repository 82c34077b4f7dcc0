//! Those who deliver records to a server, from the log call to the server's answer. Each runs in a process of its own.

mod loki;
mod otlp;
mod raw;
mod scripts;
mod us;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::process::{process_cpu, report, thread_cpu};

/// A sender: how it is started, and how much it sends in one round.
pub(crate) struct Sender {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) records: usize,
    /// How often the text of one record is in what it sends.
    pub(crate) copies: u64,
    /// Where it posts to: some take no answer but 200.
    pub(crate) path: &'static str,
    pub(crate) program: Program,
}

pub(crate) enum Program {
    /// In a child of this program.
    Rust(fn(&str, usize)),
    /// A command, given the directory for what it needs, the URL and the number of records.
    Script(fn(&Path, &str, usize) -> Result<Command, String>),
}

const fn rust(name: &'static str, about: &'static str, records: usize, send: fn(&str, usize)) -> Sender {
    Sender { name, about, records, copies: 1, path: "/log", program: Program::Rust(send) }
}

/// The reference for one record a request.
pub(crate) const RAW: &str = "raw";

pub(crate) const SENDERS: &[Sender] = &[
    rust(RAW, "**raw TcpStream**, one connection, a record a request", 20_000, raw::send),
    rust("us", "**logpost**, a record a request", 20_000, us::form),
    rust("us-4", "the same, `workers(4)`", 60_000, us::form_workers),
    rust("us-100", "**logpost**, `FormLines`, 100 a request", 300_000, us::lines_100),
    rust("us-1000", "the same, 1000 a request", 500_000, us::lines_1000),
    rust("us-json", "the same, `Json`", 500_000, us::json_1000),
    rust("us-ndjson", "the same, `JsonLines`", 500_000, us::json_lines_1000),
    rust("us-field", "the same, `FormField`", 500_000, us::form_field_1000),
    Sender { path: "/loki/api/v1/push", ..rust("us-loki", "the same, `presets::loki`", 500_000, us::loki_1000) },
    rust("otlp", "opentelemetry-otlp over HTTP, 512 a request", 200_000, otlp::send),
    rust("loki", "tracing-loki (snappy)", 200_000, loki::send),
    Sender {
        name: "winston",
        about: "winston, Http transport, batches of 100",
        records: 60_000,
        copies: 1,
        path: "/ok",
        program: Program::Script(scripts::winston),
    },
    Sender {
        name: "python",
        about: "Python, QueueHandler, HTTPHandler (a connection each)",
        records: 3000,
        copies: 2,
        path: "/log",
        program: Program::Script(scripts::python),
    },
];

/// Measures `log`, which makes all the calls, and `flush`, which returns once all of it has been acknowledged.
fn measure(records: usize, log: impl FnOnce(), flush: impl FnOnce()) {
    let (start, cpu, caller) = (Instant::now(), process_cpu(), thread_cpu());
    log();
    let caller = thread_cpu() - caller;
    flush();
    let elapsed = start.elapsed();
    let cpu = process_cpu() - cpu;
    report("records", records as f64);
    report("seconds", elapsed.as_secs_f64());
    report("cpu_us", cpu);
    report("caller_us", caller);
}

fn log_all(records: usize) {
    for id in 0..records {
        log::info!(target: "bench", "request {} took {} us from {}", id, id * 7919 % 10_000, "10.0.0.1");
    }
}
