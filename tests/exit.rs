//! What a process has logged arrives, however the process ends.
//!
//! That takes processes which really end, so this file has no libtest around it: it runs its cases itself, and each case
//! runs this program again as the process that ends.

use std::env;
use std::io::{self, BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{self, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use log::info;
use logpost::{Guard, HttpHandler};
use logpost_test_support::{Answer, LONG, Plan, Server, wait_until};

/// What a child is told by its environment: how to end, where to log to, and its flush time-out in milliseconds, or 0
/// for plain `logpost::init`.
const CHILD: &str = "LOGPOST_TEST_CHILD";
const RECORDS: usize = 300;
const FLUSH_TIMEOUT: Duration = Duration::from_secs(4);
/// What a busy machine may add to it; two waits, one after the other, would take longer.
const MARGIN: Duration = Duration::from_secs(3);

/// How main may end. Where the guard is kept, its drop flushes; in all other cases only the end of the thread can.
const WITH_GUARD: [&str; 2] = ["return", "panic"];
#[cfg(unix)]
const WITHOUT_GUARD: [&str; 5] =
    ["return_without_guard", "panic_without_guard", "exit", "exit_without_guard", "exit_with_guard_forgotten"];
#[cfg(not(unix))]
const WITHOUT_GUARD: [&str; 0] = [];

fn main() -> ExitCode {
    if let Ok(told) = env::var(CHILD) {
        let told: Vec<_> = told.split(' ').collect();
        child(told[0], told[1], Duration::from_millis(told[2].parse().unwrap()));
        return ExitCode::SUCCESS;
    }
    run(cases())
}

/// The process that ends.
fn child(end: &str, url: &str, flush_timeout: Duration) {
    // A child that hangs shall fail its case, not keep it waiting.
    thread::spawn(|| {
        thread::sleep(LONG);
        process::abort();
    });
    if end == "init_thread_ends" {
        let url = url.to_owned();
        let init_thread = thread::spawn(move || {
            std::mem::forget(start(&url, flush_timeout));
            log_all();
        });
        return init_thread.join().unwrap();
    }
    let guard = if end == "return_with_guard_of_another_thread" {
        let url = url.to_owned();
        thread::spawn(move || start(&url, flush_timeout)).join().unwrap()
    } else {
        start(url, flush_timeout)
    };
    let guard = if end.ends_with("without_guard") {
        drop(guard);
        None
    } else {
        Some(guard)
    };
    log_all();
    if end == "flush" {
        wait_until("an attempt failed", || logpost::stats().unwrap().retries > 0);
    }
    println!("logged");
    match end {
        "return" | "return_without_guard" | "return_with_guard_of_another_thread" => {}
        "panic" | "panic_without_guard" => panic!("as it was told to"),
        "exit" | "exit_without_guard" => process::exit(3),
        "exit_with_guard_forgotten" => {
            std::mem::forget(guard);
            process::exit(3);
        }
        "flush" => logpost::flush(LONG).unwrap(),
        "flush_then_exit_on_another_thread" => {
            let other = thread::spawn(|| {
                logpost::flush(LONG).unwrap();
                process::exit(3)
            });
            other.join().unwrap();
        }
        _ => unreachable!("no such end: {end}"),
    }
}

fn start(url: &str, flush_timeout: Duration) -> Guard {
    if flush_timeout.is_zero() {
        logpost::init(url).unwrap()
    } else {
        let handler = HttpHandler::new(url).unwrap();
        let builder = logpost::builder().handler(handler);
        builder.flush_timeout(flush_timeout).init().unwrap()
    }
}

fn log_all() {
    for number in 0..RECORDS {
        info!("record {number}");
    }
}

fn all() -> Vec<String> {
    (0..RECORDS).map(|number| format!("record {number}")).collect()
}

/// How a child ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    /// Its stderr, without what the standard library says about a panic.
    stderr: Vec<String>,
    /// From its start to its end.
    life: Duration,
    /// From when it had logged everything to its end.
    end: Duration,
}

/// Runs a child; calls `when_logged` once it has logged everything.
fn run_child(end: &str, url: &str, flush_timeout: Duration, when_logged: impl FnOnce()) -> Ended {
    let started = Instant::now();
    let mut child = Command::new(env::current_exe().unwrap())
        .env(CHILD, format!("{end} {url} {}", flush_timeout.as_millis()))
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut said = String::new();
    stdout.read_line(&mut said).unwrap();
    let logged = Instant::now();
    when_logged();
    let status = child.wait().unwrap();
    let (life, took) = (started.elapsed(), logged.elapsed());
    let stderr = io::read_to_string(child.stderr.take().unwrap()).unwrap();
    if said.is_empty() {
        assert_eq!(end, "init_thread_ends", "it did not come to its end: {stderr}");
    }
    let of_a_panic = |line: &&str| {
        end.starts_with("panic")
            && (line.is_empty()
                || line.starts_with("thread 'main'")
                || *line == "as it was told to"
                || line.starts_with("note: run with `RUST_BACKTRACE"))
    };
    Ended {
        code: status.code(),
        stderr: stderr.lines().filter(|line| !of_a_panic(line)).map(ToOwned::to_owned).collect(),
        life,
        end: took,
    }
}

fn code_of(end: &str) -> i32 {
    match end {
        end if end.starts_with("panic") => 101,
        end if end.contains("exit") => 3,
        _ => 0,
    }
}

fn everything_arrives(end: &str) {
    let server = Server::start();
    let ended = run_child(end, &server.url(), Duration::ZERO, || {});
    assert_eq!(server.messages(), all(), "{ended:?}");
    assert_eq!(ended.code, Some(code_of(end)), "{ended:?}");
    assert!(ended.stderr.is_empty(), "{ended:?}");
}

fn a_refusing_server_delays_no_end(end: &str) {
    let ended = run_child(end, &url_of(refusing_address()), FLUSH_TIMEOUT, || {});
    check_given_up(end, &ended);
    assert_eq!(ended.stderr.len(), 2, "{ended:?}");
    assert!(ended.stderr[0].contains("delivery fails"), "{ended:?}");
}

fn a_silent_server_delays_no_end(end: &str) {
    let server = Server::scripted(|_| Plan::Stall);
    let ended = run_child(end, &server.url(), FLUSH_TIMEOUT, || {});
    check_given_up(end, &ended);
    assert_eq!(ended.stderr.len(), 1, "{ended:?}");
    assert_eq!(server.messages(), ["record 0"]);
}

/// It waited for the server, but not twice; it said so once, and ended as it would have without us.
fn check_given_up(end: &str, ended: &Ended) {
    assert!(ended.life >= FLUSH_TIMEOUT, "{ended:?}");
    assert!(ended.end < FLUSH_TIMEOUT + MARGIN, "{ended:?}");
    assert_eq!(ended.code, Some(code_of(end)), "{ended:?}");
    let last = ended.stderr.last().expect("a line about what is left");
    assert!(last.contains("300 records left undelivered"), "{ended:?}");
}

fn a_slow_server_gets_everything(end: &str) {
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let server = Server::scripted(move |_| {
        // Until the channel is closed.
        let _ = gate.lock().unwrap().recv();
        Plan::Answer(Answer::status(200))
    });
    let ended = run_child(end, &server.url(), LONG, move || drop(open));
    assert_eq!(server.messages(), all(), "{ended:?}");
    assert_eq!(ended.code, Some(code_of(end)), "{ended:?}");
    assert!(ended.stderr.is_empty(), "{ended:?}");
}

fn a_server_that_comes_up_late_gets_everything() {
    let address = refusing_address();
    let mut server = None;
    let ended = run_child("flush", &url_of(address), LONG, || {
        let listener = TcpListener::bind(address).unwrap();
        let answer = |_: &_| Plan::Answer(Answer::status(200));
        server = Some(Server::builder().script(answer).start_on(listener));
    });
    assert_eq!(server.unwrap().messages(), all(), "{ended:?}");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stderr.len(), 2, "down, and up again: {ended:?}");
}

/// Where nobody listens, nor will anybody but who asked.
///
/// Each on a loopback address of its own, where the system has more than one: a port just given up on 127.0.0.1 may be
/// the next test's, or that of the very socket that connects to it, which then connects to itself.
fn refusing_address() -> SocketAddr {
    static ADDRESSES: AtomicU8 = AtomicU8::new(1);
    let host =
        if cfg!(target_os = "linux") { [127, 7, 7, ADDRESSES.fetch_add(1, Ordering::Relaxed)] } else { [127, 0, 0, 1] };
    TcpListener::bind(SocketAddr::from((host, 0))).unwrap().local_addr().unwrap()
}

fn url_of(address: SocketAddr) -> String {
    format!("http://{address}/log")
}

/// What is to be true of every end.
type Test = fn(&'static str);

struct Case {
    name: String,
    test: Box<dyn FnOnce() + Send>,
}

impl Case {
    fn new(name: impl Into<String>, test: impl FnOnce() + Send + 'static) -> Self {
        let (name, test) = (name.into(), Box::new(test));
        Self { name, test }
    }
}

fn cases() -> Vec<Case> {
    let mut cases =
        vec![Case::new("a_server_that_comes_up_late_gets_everything", a_server_that_comes_up_late_gets_everything)];
    let with_flush = ["return_with_guard_of_another_thread", "flush_then_exit_on_another_thread"];
    let without: &[_] = if cfg!(unix) { &["init_thread_ends"] } else { &[] };
    for &end in with_flush.iter().chain(without) {
        cases.push(Case::new(format!("everything_arrives::{end}"), || {
            everything_arrives(end);
        }));
    }
    let tests: [(&str, Test); 4] = [
        ("everything_arrives", everything_arrives),
        ("a_slow_server_gets_everything", a_slow_server_gets_everything),
        ("a_refusing_server_delays_no_end", a_refusing_server_delays_no_end),
        ("a_silent_server_delays_no_end", a_silent_server_delays_no_end),
    ];
    for (name, test) in tests {
        for end in WITH_GUARD.into_iter().chain(WITHOUT_GUARD) {
            cases.push(Case::new(format!("{name}::{end}"), move || test(end)));
        }
    }
    cases
}

const OPTIONS_WITH_VALUES: [&str; 3] = ["--format", "--test-threads", "--color"];

/// As libtest does it, as far as cargo and nextest need it. The cases mostly wait, so all of them run at once.
fn run(mut cases: Vec<Case>) -> ExitCode {
    let args: Vec<_> = env::args().collect();
    let given = |option: &str| args.iter().any(|arg| arg == option);
    let filters: Vec<_> = args
        .windows(2)
        .filter(|pair| !pair[1].starts_with('-') && !OPTIONS_WITH_VALUES.contains(&pair[0].as_str()))
        .map(|pair| pair[1].as_str())
        .collect();
    let wanted = |name: &str| {
        let fits = |filter: &&str| name == *filter || (!given("--exact") && name.contains(filter));
        !given("--ignored") && (filters.is_empty() || filters.iter().any(fits))
    };
    let total = cases.len();
    cases.retain(|case| wanted(&case.name));
    if given("--list") {
        for case in &cases {
            println!("{}: test", case.name);
        }
        return ExitCode::SUCCESS;
    }
    let filtered_out = total - cases.len();
    println!("\nrunning {} tests", cases.len());
    let started = Instant::now();
    let running: Vec<_> = cases
        .into_iter()
        .map(|case| {
            let thread = thread::Builder::new().name(case.name.clone());
            (case.name, thread.spawn(case.test).unwrap())
        })
        .collect();
    let (mut passed, mut failed) = (0, 0);
    for (name, thread) in running {
        let outcome = if thread.join().is_ok() {
            passed += 1;
            "ok"
        } else {
            failed += 1;
            "FAILED"
        };
        println!("test {name} ... {outcome}");
    }
    println!(
        "\ntest result: {}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {filtered_out} filtered out; \
         finished in {:.2}s\n",
        if failed == 0 { "ok" } else { "FAILED" },
        started.elapsed().as_secs_f64(),
    );
    ExitCode::from(u8::from(failed > 0))
}
