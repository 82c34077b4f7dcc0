//! `--demo`: a shop that never closes, and what it logs.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use log::{LevelFilter, debug, error, info, trace, warn};
use logpost::{Batch, FormLines, Guard, HttpHandler};

pub(crate) struct Demo {
    /// Dropped to end the threads.
    end: Vec<Sender<()>>,
    threads: Vec<JoinHandle<()>>,
    guard: Guard,
}

/// Logs to `url` from three threads: few records most of the time, now and then many.
pub(crate) fn start(url: &str, token: Option<String>) -> Result<Demo, Box<dyn std::error::Error + Send + Sync>> {
    let mut handler =
        HttpHandler::builder(url).encoding(FormLines).batch(Batch::default().linger(Duration::from_millis(100)));
    if let Some(token) = token {
        handler = handler.bearer_token(token);
    }
    let guard = logpost::builder().level(LevelFilter::Trace).handler(handler.build()?).init()?;
    let (mut end, mut threads) = (Vec::new(), Vec::new());
    let parts: [(&str, fn()); 3] = [("http-1", serve), ("orders", sell), ("payments", pay)];
    for (name, part) in parts {
        let (sender, ended) = mpsc::channel::<()>();
        let work = move || {
            let mut busy = 0;
            // Nothing is ever sent: a time-out is the pause between two steps.
            while ended.recv_timeout(pause(&mut busy)) == Err(RecvTimeoutError::Timeout) {
                part();
            }
        };
        threads.push(thread::Builder::new().name(name.to_owned()).spawn(work)?);
        end.push(sender);
    }
    Ok(Demo { end, threads, guard })
}

impl Demo {
    pub(crate) fn stop(self) {
        drop(self.end);
        for thread in self.threads {
            // A panic of the demo's has been printed.
            drop(thread.join());
        }
        let stats = self.guard.stop(Duration::from_secs(2));
        println!("{stats}");
    }
}

/// Until the next step. One in forty begins a rush of a hundred.
fn pause(busy: &mut u32) -> Duration {
    if *busy == 0 && fastrand::u32(..40) == 0 {
        *busy = 100;
    }
    *busy = busy.saturating_sub(1);
    Duration::from_millis(if *busy > 0 { fastrand::u64(5..40) } else { fastrand::u64(150..900) })
}

fn serve() {
    let path = pick(&["/", "/search?q=tea", "/basket", "/orders/4711", "/assets/app.css"]);
    let (status, took) = (pick(&[200, 200, 200, 200, 200, 304, 404]), fastrand::u32(1..90));
    trace!(target: "shop::http", path; "request begins");
    info!(target: "shop::http", method = "GET", path, status, took_ms = took; "GET {path} {status} in {took} ms");
    if status == 404 {
        warn!(target: "shop::http", path, referrer = "<script>alert('you')</script>"; "a link leads nowhere");
    }
}

fn sell() {
    let (order, items) = (fastrand::u32(4000..5000), fastrand::u32(1..6));
    debug!(target: "shop::db", rows = items, took_us = fastrand::u32(80..2500); "SELECT * FROM items WHERE order_id = {order}");
    info!(target: "shop::orders", order, items, total = f64::from(items) * 19.9; "order {order} accepted");
    match fastrand::u32(..12) {
        0 => warn!(target: "shop::stock", item = "tea, 250 g", left = 2; "stock is low"),
        1 => debug!(target: "shop::mail", order, to = "zoë@example.com"; "confirmation queued"),
        _ => {}
    }
}

fn pay() {
    let (order, attempt) = (fastrand::u32(4000..5000), fastrand::u32(1..4));
    match fastrand::u32(..10) {
        0 => error!(
            target: "shop::payments", order, attempt, gateway = "bank-2";
            "payment of order {order} failed: no answer from the bank\n  caused by: connection reset by peer (os error 104)"
        ),
        1 | 2 => {
            warn!(target: "shop::payments", order, attempt, gateway = "bank-2"; "no answer after 1.5 s, trying again");
        }
        _ => info!(target: "shop::payments", order, gateway = "bank-1"; "order {order} paid"),
    }
}

fn pick<T: Copy>(choices: &[T]) -> T {
    choices[fastrand::usize(..choices.len())]
}
