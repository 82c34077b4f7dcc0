//! The tables, in Markdown.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::backends::{BACKENDS, FLOOR, NOOP};
use crate::results::Results;
use crate::senders::{RAW, SENDERS};
use crate::{Measured, Options};

/// What two medians of the same thing differ by, in these times of a nanosecond.
const NOISE: f64 = 0.05;

/// When, where and how it was measured.
pub(crate) fn machine(options: &Options, server: &str, took: Duration) -> String {
    let output = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        output.map_or_else(|_| "?".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu =
        cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("?", |(_, cpu)| cpu);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?");
    format!(
        "{}; {cpu}, {cores} cores; Linux {}; {}; {server}; rounds: {}; took {} s; load at the end {load}{}\n",
        output("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        output("uname", &["-r"]),
        output("rustc", &["--version"]),
        options.rounds,
        took.as_secs(),
        if options.smoke { "; a smoke run: its figures mean nothing" } else { "" },
    )
}

pub(crate) fn tables(measured: &Measured) -> String {
    let mut text = String::new();
    let caller = &measured.caller;
    if !caller.is_empty() {
        let timer = caller.median(FLOOR, "timer.p50").unwrap_or_default();
        let _ = writeln!(text, "The timer itself: {timer:.0} ns, in every figure. Times in ns.\n");
        latencies(&mut text, "Burst: 10,000 calls in a row", caller, "burst");
        latencies(&mut text, "The process's first burst", caller, "first");
        latencies(&mut text, "Paced: a call each 20 us", caller, "paced");
        latencies(&mut text, "4 threads, 10,000 calls in a row each", caller, "threads");
    }
    if !caller.is_empty() || !measured.memory.is_empty() || !measured.idle.is_empty() {
        rest(&mut text, measured);
    }
    if !measured.delivery.is_empty() {
        delivery(&mut text, &measured.delivery, &measured.counted);
    }
    targets(&mut text, measured);
    text
}

fn latencies(text: &mut String, title: &str, results: &Results, mode: &str) {
    let _ = writeln!(text, "### {title}\n");
    row(
        text,
        &["backend", "p50", "p99", "p99.9", "mean", "mean / floor", "p99 / floor", "logged", "delivered", "dropped"],
    );
    row(text, &["---"; 10]);
    for backend in BACKENDS {
        let figure = |figure: &str| format!("{mode}.{figure}");
        let median = |name: &str| results.median(backend.name, &figure(name));
        let ratio = |name: &str| results.ratio(backend.name, FLOOR, &figure(name));
        let Some(p50) = median("p50") else { continue };
        let logged = results.sum(backend.name, &figure("logged"));
        let delivered = results.sum(backend.name, &figure("delivered"));
        let dropped = logged.zip(delivered).map(|(logged, delivered)| logged - delivered);
        row(
            text,
            &[
                backend.about,
                &whole(Some(p50)),
                &whole(median("p99")),
                &whole(median("p999")),
                &whole(median("mean")),
                &fraction(ratio("mean")),
                &fraction(ratio("p99")),
                &whole(logged),
                &whole(delivered),
                &whole(dropped),
            ],
        );
    }
    text.push('\n');
}

fn rest(text: &mut String, measured: &Measured) {
    text.push_str("### Disabled level, memory, idle\n\n");
    row(
        text,
        &[
            "backend",
            "disabled call, ns",
            "bytes a waiting record",
            "one record alone, us of CPU",
            "then, wake-ups a second",
            "and us of CPU a second",
        ],
    );
    row(text, &["---"; 6]);
    for backend in BACKENDS {
        let Measured { caller, memory, idle, .. } = measured;
        let name = backend.name;
        let cells = [
            caller.median(name, "disabled.mean"),
            memory.median(name, "memory.bytes"),
            idle.median(name, "idle.record_us"),
            idle.median(name, "idle.wakeups"),
            idle.median(name, "idle.cpu_us"),
        ];
        if cells.iter().all(Option::is_none) {
            continue;
        }
        let [disabled, bytes, record, wakeups, cpu] = cells;
        row(
            text,
            &[backend.about, &fraction(disabled), &whole(bytes), &whole(record), &fraction(wakeups), &whole(cpu)],
        );
    }
    text.push('\n');
}

fn delivery(text: &mut String, results: &Results, counted: &Results) {
    text.push_str("### Delivery, from the log call to the server's answer\n\n");
    row(
        text,
        &[
            "sender",
            "records/s",
            "/ raw",
            "CPU us a record",
            "the caller's part",
            "records a request",
            "bytes a record",
            "logged",
            "acknowledged",
            "counted once: logged",
            "arrived",
        ],
    );
    row(text, &["---"; 11]);
    for sender in SENDERS {
        let median = |figure: &str| results.median(sender.name, figure);
        let Some(rate) = median("rate") else { continue };
        row(
            text,
            &[
                sender.about,
                &whole(Some(rate)),
                &fraction(results.ratio(sender.name, RAW, "rate")),
                &fraction(median("cpu")),
                &fraction(median("caller")),
                &whole(median("per_request")),
                &whole(counted.median(sender.name, "bytes")),
                &whole(results.sum(sender.name, "records")),
                &whole(results.sum(sender.name, "delivered")),
                &whole(counted.median(sender.name, "records")),
                &whole(counted.median(sender.name, "arrived")),
            ],
        );
    }
    text.push('\n');
}

/// What was set out to be reached.
fn targets(text: &mut String, measured: &Measured) {
    let Measured { caller, memory, idle, delivery, .. } = measured;
    let mut rows = Vec::new();
    let mut at_most = |what: String, value: Option<f64>, limit: f64| rows.push((what, value, limit, true));
    for us in ["us", "us-lines"] {
        let over_floor = |figure: &str| caller.ratio(us, FLOOR, figure);
        at_most(format!("{us}: burst, mean / floor"), over_floor("burst.mean"), 1.4);
        at_most(format!("{us}: burst, p99 / floor"), over_floor("burst.p99"), 2.0);
        at_most(format!("{us}: paced, mean / floor"), over_floor("paced.mean"), 1.4);
        at_most(format!("{us}: paced, p99 / floor"), over_floor("paced.p99"), 2.5);
        at_most(format!("{us}: 4 threads, p99 / floor"), over_floor("threads.p99"), 4.0);
        at_most(format!("{us}: disabled / no-op"), caller.ratio(us, NOOP, "disabled.mean"), 1.0 + NOISE);
        at_most(format!("{us}: bytes a waiting record"), memory.median(us, "memory.bytes"), 160.0);
        at_most(format!("{us}: one record alone, us of CPU"), idle.median(us, "idle.record_us"), 150.0);
        at_most(format!("{us}: wake-ups a second when quiet"), idle.median(us, "idle.wakeups"), 0.0);
        for mode in ["burst", "paced"] {
            for figure in ["p50", "p99", "mean"] {
                let figure = format!("{mode}.{figure}");
                let peers = BACKENDS.iter().filter(|peer| peer.queues && !peer.name.starts_with("us"));
                let slower = peers.filter_map(|peer| Some((caller.ratio(us, peer.name, &figure)?, peer.name)));
                if let Some((ratio, peer)) = slower.max_by(|left, right| left.0.total_cmp(&right.0)) {
                    at_most(format!("{us}: {figure} / the best peer's ({peer})"), Some(ratio), 1.0);
                }
            }
        }
    }
    let worker = delivery.median("us-1000", "cpu").zip(delivery.median("us-1000", "caller"));
    at_most("us-1000: CPU us a record, the worker's".to_owned(), worker.map(|(all, caller)| all - caller), 0.7);
    let compared = [
        ("us", RAW, 0.85),
        ("us-4", "us", 3.5),
        ("us-1000", "us", 150.0),
        ("us-1000", "otlp", 2.0),
        ("us-1000", "loki", 1.3),
        ("us-1000", "winston", 15.0),
    ];
    for (name, base, limit) in compared {
        rows.push((format!("{name}: records/s / {base}"), delivery.ratio(name, base, "rate"), limit, false));
    }
    rows.retain(|(_, value, ..)| value.is_some());
    if rows.is_empty() {
        return;
    }
    text.push_str("### Targets\n\n");
    row(text, &["what", "measured", "target", ""]);
    row(text, &["---"; 4]);
    for (what, value, limit, at_most) in rows {
        let measured = value.unwrap_or_default();
        // As many digits as are printed.
        let rounded = (measured * 100.0).round() / 100.0;
        let met = if at_most { rounded <= limit } else { rounded >= limit };
        let sign = if at_most { "<=" } else { ">=" };
        row(text, &[&what, &fraction(value), &format!("{sign} {limit}"), if met { "met" } else { "**missed**" }]);
    }
}

fn row(text: &mut String, cells: &[&str]) {
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

/// With commas between thousands.
fn whole(value: Option<f64>) -> String {
    let Some(value) = value else { return "-".to_owned() };
    let digits = format!("{:.0}", value.abs());
    let mut text = if value < -0.5 { "-".to_owned() } else { String::new() };
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn fraction(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value >= 100.0 => whole(Some(value)),
        Some(value) => format!("{value:.2}"),
    }
}
