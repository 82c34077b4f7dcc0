//! Log records on their way to a web server, and what arrived there.
//!
//! ```text
//! cargo run --example quickstart           # a receiver in this process
//! cargo run --example quickstart -- URL    # a server of yours
//! ```
//!
//! To look at them in a browser, start a collector beside it and send them there:
//!
//! ```text
//! cargo run -p logpost-collector           # from a clone of logpost's repository
//! cargo run --example quickstart -- http://127.0.0.1:9020/log
//! ```

use std::env;
use std::error::Error;
use std::io;
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use log::{LevelFilter, debug, error, info, trace, warn};
use logpost::Stats;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Everything that concerns logpost is in this function and the next two.
fn send_records(url: &str) -> Result<Stats> {
    let guard = logpost::init(url)?;
    log::set_max_level(LevelFilter::Trace); // the default is Info

    work_in_three_threads()?;

    // A program that just ends needs neither: the end of main flushes too.
    let flushed = guard.flush(Duration::from_secs(10));
    let stats = guard.stop(Duration::ZERO);
    flushed.map_err(|error| format!("{error}\n{stats}"))?;
    Ok(stats)
}

fn work_in_three_threads() -> io::Result<()> {
    let spawn = |(name, order)| thread::Builder::new().name(name).spawn(move || work(order));
    let workers: Vec<_> =
        THREADS.map(|(name, order)| spawn((name.to_owned(), order))).into_iter().collect::<io::Result<_>>()?;
    for worker in workers {
        worker.join().map_err(|_| io::Error::other("a worker panicked"))?;
    }
    Ok(())
}

fn work(order: u32) {
    trace!(order; "order taken from the queue");
    debug!(order, bytes = 512, cached = false; "customer read");
    info!(order, total = 19.9; "order {order} accepted");
    warn!(target: "shop::bank", order, attempt = 2; "no answer after {:?}", Duration::from_millis(1500));
    error!(target: "shop::bank", order, card = "declined"; "100 % & more: Zoë can't pay");
}

const THREADS: [(&str, u32); 3] = [("alpha", 17), ("beta", 18), ("gamma", 19)];

/// What each thread's records look like on arrival: Python's level names, in the order of `work`.
const LEVELS: [&str; 5] = ["TRACE", "DEBUG", "INFO", "WARNING", "ERROR"];

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [] => send_to_a_receiver_of_our_own(),
        [url] if !url.as_encoded_bytes().starts_with(b"-") => send_to(&url.to_string_lossy()),
        _ => {
            eprintln!("usage: quickstart [URL]");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart: {error}");
            ExitCode::FAILURE
        }
    }
}

fn send_to(url: &str) -> Result<()> {
    let stats = send_records(url)?;
    println!("{stats}");
    all_delivered(&stats)
}

fn send_to_a_receiver_of_our_own() -> Result<()> {
    let receiver = Receiver::start()?;
    let stats = send_records(&receiver.url)?;
    let rows: Vec<Row> = receiver.forms().iter().map(Row::from_form).collect();
    print_table(&rows);
    println!("\n{stats}");
    all_delivered(&stats)?;
    all_arrived(&rows)
}

fn all_delivered(stats: &Stats) -> Result<()> {
    let expected = (THREADS.len() * LEVELS.len()) as u64;
    if stats.delivered != expected || stats.dropped.total() != 0 {
        return Err(format!("{} of {expected} records were delivered", stats.delivered).into());
    }
    Ok(())
}

/// Each thread's records, complete and in their order, and no others.
fn all_arrived(rows: &[Row]) -> Result<()> {
    for (name, order) in THREADS {
        let of_thread: Vec<_> = rows.iter().filter(|row| row.thread == name).collect();
        let levels: Vec<_> = of_thread.iter().map(|row| row.level.as_str()).collect();
        if levels != LEVELS {
            return Err(format!("of thread {name}, {levels:?} arrived instead of {LEVELS:?}").into());
        }
        let key_value = format!("order={order}");
        if let Some(row) = of_thread.iter().find(|row| !row.key_values.starts_with(&key_value)) {
            return Err(format!("{row:?} arrived without {key_value}").into());
        }
    }
    let expected = THREADS.len() * LEVELS.len();
    if rows.len() != expected {
        return Err(format!("{} records arrived instead of {expected}", rows.len()).into());
    }
    Ok(())
}

/// A form's keys and values, decoded.
type Form = Vec<(String, String)>;

/// A web server on a free port of this machine that keeps every form it is sent.
struct Receiver {
    url: String,
    forms: Arc<Mutex<Vec<Form>>>,
}

impl Receiver {
    fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}/log", listener.local_addr()?);
        let forms = Arc::new(Mutex::new(Vec::new()));
        let collected = Arc::clone(&forms);
        let collect = async move |body: String| {
            let form = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
            collected.lock().unwrap_or_else(PoisonError::into_inner).push(form);
            StatusCode::NO_CONTENT
        };
        let router = Router::new().route("/log", post(collect));
        thread::spawn(move || serve(listener, router));
        Ok(Self { url, forms })
    }

    fn forms(&self) -> Vec<Form> {
        self.forms.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(listener: TcpListener, router: Router) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async { axum::serve(tokio::net::TcpListener::from_std(listener)?, router).await })
}

/// A line of the table.
#[derive(Debug)]
struct Row {
    level: String,
    target: String,
    thread: String,
    message: String,
    key_values: String,
}

impl Row {
    fn from_form(form: &Form) -> Self {
        let value = |key| form.iter().find(|(found, _)| found == key).map_or("-", |(_, value)| value);
        // `process` is the last of the core fields; what follows are the record's key-values.
        let key_values = form.iter().skip_while(|(key, _)| key != "process").skip(1);
        Self {
            level: value("levelname").to_owned(),
            target: value("name").to_owned(),
            thread: value("threadName").to_owned(),
            message: value("msg").to_owned(),
            key_values: key_values.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" "),
        }
    }

    fn cells(&self) -> [&str; 5] {
        [&self.level, &self.target, &self.thread, &self.message, &self.key_values]
    }
}

fn print_table(rows: &[Row]) {
    let head = ["LEVEL", "TARGET", "THREAD", "MESSAGE", "KEY-VALUES"];
    let lines: Vec<_> = std::iter::once(head).chain(rows.iter().map(Row::cells)).collect();
    let widths: [usize; 5] = std::array::from_fn(|column| {
        let lengths = lines.iter().map(|line| line[column].chars().count());
        lengths.max().unwrap_or_default()
    });
    for line in &lines {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}
