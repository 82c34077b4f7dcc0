//! How many records a second the collector takes from logpost, and in how much memory: both in this process, on this machine.
//!
//! ```text
//! cargo bench -p logpost-collector                    # as fast as it goes, 15 s each
//! cargo bench -p logpost-collector -- 20000 60        # at 20,000 a second, for 60 s
//! ```

#![expect(clippy::cast_precision_loss, reason = "figures to look at")]

use std::error::Error;
use std::fs;
use std::time::{Duration, Instant};

use logpost::{Batch, FormLines, HttpHandler, Overflow, Pipeline};
use logpost_collector::{Collector, Settings};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    // Cargo adds `--bench`.
    let numbers: Vec<u32> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let settings = Settings { listen: "127.0.0.1:0".parse()?, ..Settings::default() };
    let collector = runtime.block_on(Collector::start(settings))?;
    let (rate, seconds) = match numbers[..] {
        [rate, seconds, ..] => (Some(rate), seconds),
        _ => (None, 15),
    };
    run(&format!("{}/log", collector.url()), rate, Duration::from_secs(seconds.into()))?;
    runtime.block_on(collector.stop())
}

/// Logs for `time`, and prints each second what was delivered and how large the process is.
fn run(url: &str, rate: Option<u32>, time: Duration) -> Result<()> {
    let handler = HttpHandler::builder(url).encoding(FormLines).batch(Batch::default().max_records(512)).build()?;
    let pipeline = Pipeline::new(handler).overflow(Overflow::Block(Duration::from_secs(60)));
    let (logger, guard) = logpost::builder().handler(pipeline).build()?;
    let began = Instant::now();
    let cpu = cpu_seconds();
    let (mut number, mut seconds) = (0_u64, 0);
    println!("{:>3} {:>12} {:>10}", "s", "delivered", "resident");
    while began.elapsed() < time {
        for _ in 0..100 {
            log::info!(logger: logger, order = number, path = "/orders", total = 19.9; "order {number} accepted");
            number += 1;
        }
        if let Some(rate) = rate {
            let due = Duration::from_secs_f64(number as f64 / f64::from(rate));
            std::thread::sleep(due.saturating_sub(began.elapsed()));
        }
        if began.elapsed().as_secs() > seconds {
            seconds = began.elapsed().as_secs();
            println!("{seconds:>3} {:>12} {:>6} MiB", guard.stats().delivered, resident_mib());
        }
    }
    guard.flush(Duration::from_secs(60))?;
    let (took, stats) = (began.elapsed().as_secs_f64(), guard.stats());
    println!(
        "{:.0} records a second delivered in {took:.1} s, {} dropped; {:.2} cores, sender included",
        stats.delivered as f64 / took,
        stats.dropped.total(),
        (cpu_seconds() - cpu) / took,
    );
    Ok(())
}

/// Of this process; 0 where the system does not say it in /proc.
fn resident_mib() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or_default() * 4096 / 1024 / 1024
}

/// User and system, of all threads. Clock ticks are hundredths on Linux.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = behind_name.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}
