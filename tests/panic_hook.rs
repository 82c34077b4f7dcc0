//! Panics are logged, and get out before they end the process.
//!
//! That takes processes that really panic and really end, so this file has no libtest around it: each case runs this
//! program again as such a process.

mod cases;

use std::env;
use std::fmt;
use std::panic::{self, catch_unwind, panic_any};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use log::{Log, Metadata, Record, info};
use logpost::{Builder, EmitError, Handler, HttpHandler, LogRecord, Overflow, Pipeline, Retry};
use logpost_test_support::{Answer, LONG, Plan, Port, Request, Server};

use self::cases::Case;

/// What a child is told by its environment: what to do, and where to log to.
const CHILD: &str = "LOGPOST_TEST_CHILD";

fn main() -> ExitCode {
    if let Ok(told) = env::var(CHILD) {
        let (what, url) = told.split_once(' ').unwrap();
        // A child that hangs shall fail its case, not keep it waiting.
        thread::spawn(|| {
            thread::sleep(2 * LONG);
            std::process::exit(99);
        });
        child(what, url);
        return ExitCode::SUCCESS;
    }
    let cases: [(&str, fn()); 21] = [
        ("a_panic_of_main_is_a_record", a_panic_of_main_is_a_record),
        ("a_panic_of_another_thread_is_a_record", a_panic_of_another_thread_is_a_record),
        ("a_panic_with_any_payload_is_a_record", a_panic_with_any_payload_is_a_record),
        ("every_one_of_many_panics_is_a_record", every_one_of_many_panics_is_a_record),
        ("a_backtrace_comes_along_if_asked_for", a_backtrace_comes_along_if_asked_for),
        ("a_panic_is_delivered_before_the_hook_that_was_there", a_panic_is_delivered_before_the_hook_that_was_there),
        ("a_panic_while_panicking_is_a_record_too", a_panic_while_panicking_is_a_record_too),
        ("a_panic_that_can_not_unwind_is_a_record", a_panic_that_can_not_unwind_is_a_record),
        ("a_panic_that_aborts_is_a_record", a_panic_that_aborts_is_a_record),
        ("a_panic_inside_display_is_a_record", a_panic_inside_display_is_a_record),
        ("a_panic_inside_a_tee_is_a_record", a_panic_inside_a_tee_is_a_record),
        ("panics_of_a_handler_are_no_records_and_no_deadlock", panics_of_a_handler_are_no_records_and_no_deadlock),
        ("a_panic_under_a_lock_that_the_handler_needs", a_panic_under_a_lock_that_the_handler_needs),
        ("a_server_that_is_down_does_not_keep_a_panic", a_server_that_is_down_does_not_keep_a_panic),
        ("a_panic_right_after_a_flush_in_vain_is_delivered", a_panic_right_after_a_flush_in_vain_is_delivered),
        ("a_flush_that_succeeds_forgets_one_in_vain", a_flush_that_succeeds_forgets_one_in_vain),
        ("a_panic_inside_eprintln_is_delivered_at_once", a_panic_inside_eprintln_is_delivered_at_once),
        ("a_panic_does_not_wait_for_room", a_panic_does_not_wait_for_room),
        ("a_level_is_for_panics_too", a_level_is_for_panics_too),
        ("build_leaves_the_hook_alone", build_leaves_the_hook_alone),
        ("init_on_a_panicking_thread_is_an_error", init_on_a_panicking_thread_is_an_error),
    ];
    cases::run(cases.into_iter().map(|(name, case)| -> Case { (name.to_owned(), Box::new(case)) }).collect())
}

/// The process that panics.
fn child(what: &str, url: &str) {
    let handler = HttpHandler::new(url).unwrap();
    let builder = logpost::builder().log_panics(true);
    match what {
        "display" => return panic_inside_display(builder.handler(handler)),
        "tee" => return panic_inside_tee(builder.handler(handler)),
        "handler" => return panic_of_handler(builder, handler),
        "lock" => return panic_under_lock(builder, handler),
        "previous" => return panic_with_hook_before(builder.handler(handler)),
        "in_vain" => return panic_after_panic(builder, handler),
        "flushed" => return panic_after_panic_and_flush(builder, handler),
        "eprintln" => return panic_inside_eprintln(builder, handler),
        "no_room" => return panic_without_room(builder),
        "while_panicking_init" => {
            let _panics_and_inits = OnDrop(Some(|| {
                let error = builder.handler(handler).init().unwrap_err();
                eprintln!("{error}");
                assert_eq!(error.setting(), Some("log_panics"));
            }));
            panic!("on purpose");
        }
        "build" => {
            let (logger, guard) = builder.handler(handler).build().unwrap();
            catch_unwind(|| panic!("on purpose")).unwrap_err();
            info!(logger: logger, "after");
            return guard.flush(LONG).unwrap();
        }
        _ => {}
    }
    let builder = match what {
        "level" => builder.level(log::LevelFilter::Off),
        "down" => builder.flush_timeout(Duration::from_millis(200)),
        _ => builder.flush_timeout(LONG),
    };
    let _guard = builder.handler(handler).init().unwrap();
    info!("before");
    match what {
        "main" | "down" => panic!("on purpose, {}", 17),
        "level" => {
            catch_unwind(|| panic!("on purpose")).unwrap_err();
            assert_eq!(logpost::stats().unwrap().accepted, 0);
        }
        "thread" => {
            let thread = thread::Builder::new().name("worker".to_owned()).spawn(|| panic!("on purpose")).unwrap();
            thread.join().unwrap_err();
            info!("after");
        }
        "payload" => {
            thread::spawn(|| panic_any(17)).join().unwrap_err();
        }
        "many" => {
            let start = Barrier::new(MANY);
            thread::scope(|scope| {
                for number in 0..MANY {
                    let start = &start;
                    scope.spawn(move || {
                        catch_unwind(|| {
                            start.wait();
                            panic!("number {number}")
                        })
                        .unwrap_err();
                    });
                }
            });
        }
        "while_panicking" => {
            let _second = OnDrop(Some(|| panic!("the second")));
            panic!("the first");
        }
        "can_not_unwind" => can_not_unwind(),
        // Where this program was compiled with `panic = "abort"`.
        "abort" => {
            let _never = OnDrop(Some(|| info!("unwound")));
            thread::spawn(|| panic!("on purpose")).join().unwrap_err();
            info!("after");
        }
        _ => unreachable!("no such thing to do: {what}"),
    }
}

const MANY: usize = 8;

struct OnDrop<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        self.0.take().unwrap()();
    }
}

extern "C" fn can_not_unwind() {
    panic!("on purpose");
}

/// While the record is captured: the thread has our buffer under way.
fn panic_inside_display(builder: Builder) {
    struct Panics;
    impl fmt::Display for Panics {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("on purpose")
        }
    }
    let guard = builder.init().unwrap();
    info!("before");
    catch_unwind(|| info!("half {Panics}")).unwrap_err();
    info!("after");
    guard.flush(LONG).unwrap();
}

/// While a tee has its own lock, which is not one that can be taken twice.
fn panic_inside_tee(builder: Builder) {
    struct Console(Mutex<()>);
    impl Log for Console {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn log(&self, record: &Record<'_>) {
            let _locked = self.0.lock();
            assert!(record.args().to_string() != "bad", "on purpose");
        }
        fn flush(&self) {
            let _locked = self.0.lock();
        }
    }
    let guard = builder.tee(Console(Mutex::default())).init().unwrap();
    info!("before");
    catch_unwind(|| info!("bad")).unwrap_err();
    info!("after");
    guard.flush(LONG).unwrap();
}

/// On a listener's thread, while `on_error` panics too.
fn panic_of_handler(builder: Builder, handler: HttpHandler) {
    struct Panics;
    impl Handler for Panics {
        fn emit(&mut self, _: &[LogRecord]) -> Result<(), EmitError> {
            panic!("on purpose")
        }
    }
    let builder = builder.flush_timeout(LONG).on_error(|_| panic!("on purpose, again"));
    let guard = builder.handler(Panics).handler(handler).init().unwrap();
    info!("one");
    info!("two");
    guard.flush(LONG).unwrap();
    let stats = guard.stats_of("pipeline-1").unwrap();
    assert_eq!((stats.accepted, stats.rejected, stats.panics), (2, 2, 4), "{stats}");
}

/// The mapper, on the listener's thread, needs a lock that the panicking thread has: the flush in the hook can't end
/// before its time is up, and what was logged arrives all the same.
fn panic_under_lock(builder: Builder, handler: HttpHandler) {
    static LOCK: Mutex<()> = Mutex::new(());
    struct Locks(HttpHandler, mpsc::Sender<()>);
    impl Handler for Locks {
        fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
            let _ = self.1.send(());
            let _locked = LOCK.lock();
            self.0.emit(records)
        }
    }
    let (tell, told) = mpsc::channel();
    let builder = builder.flush_timeout(Duration::from_millis(100));
    let guard = builder.handler(Locks(handler, tell)).init().unwrap();
    thread::spawn(move || {
        let _locked = LOCK.lock();
        info!("before");
        told.recv_timeout(LONG).unwrap();
        panic!("on purpose");
    })
    .join()
    .unwrap_err();
    guard.flush(LONG).unwrap();
}

fn panic_with_hook_before(builder: Builder) {
    panic::set_hook(Box::new(|info| {
        let stats = logpost::stats().unwrap();
        eprintln!("the hook before, {} delivered, {} pending: {info}", stats.delivered, stats.pending);
    }));
    let _guard = builder.flush_timeout(LONG).init().unwrap();
    catch_unwind(|| panic!("on purpose")).unwrap_err();
}

/// What was pending when the hook that was there before us had its turn.
static LEFT: AtomicU64 = AtomicU64::new(u64::MAX);

/// To be called before `init`.
fn watch_what_is_left() {
    panic::set_hook(Box::new(|_| LEFT.store(logpost::stats().unwrap().pending, Ordering::SeqCst)));
}

/// Panics, and says what was left undelivered at that.
fn left_at_panic(message: &str) -> u64 {
    catch_unwind(|| panic!("{message}")).unwrap_err();
    LEFT.load(Ordering::SeqCst)
}

/// A way to the server that can be closed.
struct Switch(HttpHandler);

static IS_UP: AtomicBool = AtomicBool::new(false);

impl Handler for Switch {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        if IS_UP.load(Ordering::SeqCst) { self.0.emit(records) } else { Err(EmitError::transient("down")) }
    }
}

/// That way, on which nothing but a flush makes another attempt.
fn switched(handler: HttpHandler) -> Pipeline {
    let for_ever = Duration::from_secs(10_000 * 24 * 60 * 60);
    Pipeline::new(Switch(handler)).retry(Retry::default().first_delay(for_ever).max_delay(for_ever))
}

/// On a busy machine the little that is left to the second flush may not be enough, so there are some tries.
fn panic_after_panic(builder: Builder, handler: HttpHandler) {
    watch_what_is_left();
    let builder = builder.flush_timeout(Duration::from_millis(200)).on_error(|_| {});
    let guard = builder.handler(switched(handler)).init().unwrap();
    let delivers = |_| {
        IS_UP.store(false, Ordering::SeqCst);
        left_at_panic("in vain");
        IS_UP.store(true, Ordering::SeqCst);
        left_at_panic("well again") == 0
    };
    assert!((0..10).any(delivers), "{}", guard.stats());
}

/// The server is slow to answer to the second panic: slower than what is left to a flush right after one in vain.
fn panic_after_panic_and_flush(builder: Builder, handler: HttpHandler) {
    watch_what_is_left();
    let builder = builder.flush_timeout(Duration::from_secs(3)).on_error(|_| {});
    let guard = builder.handler(switched(handler)).init().unwrap();
    assert_eq!(left_at_panic("in vain"), 1);
    IS_UP.store(true, Ordering::SeqCst);
    guard.flush(LONG).unwrap();
    assert_eq!(left_at_panic("slow"), 0);
}

/// While this thread has the lock of stderr, where the listener would tell of a failure.
fn panic_inside_eprintln(builder: Builder, handler: HttpHandler) {
    struct Panics;
    impl fmt::Display for Panics {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("on purpose")
        }
    }
    watch_what_is_left();
    let retry = Retry::default().first_delay(Duration::from_millis(1)).max_delay(Duration::from_millis(5));
    let guard = builder.flush_timeout(LONG).handler(Pipeline::new(handler).retry(retry)).init().unwrap();
    catch_unwind(|| eprintln!("half {Panics}")).unwrap_err();
    assert_eq!(LEFT.load(Ordering::SeqCst), 0);
    info!("after");
    guard.flush(LONG).unwrap();
}

/// The queue is full, what is in it goes nowhere, and a log call may wait longer than any test.
fn panic_without_room(builder: Builder) {
    struct Stuck(mpsc::Sender<()>, mpsc::Receiver<()>);
    impl Handler for Stuck {
        fn emit(&mut self, _: &[LogRecord]) -> Result<(), EmitError> {
            let _ = self.0.send(());
            let _ = self.1.recv();
            Ok(())
        }
    }
    watch_what_is_left();
    let (tell, told) = mpsc::channel();
    let (_never, released) = mpsc::channel();
    let pipeline = Pipeline::new(Stuck(tell, released)).capacity(1).overflow(Overflow::Block(60 * LONG));
    let guard = builder.flush_timeout(Duration::from_millis(100)).handler(pipeline).init().unwrap();
    info!("under way");
    told.recv_timeout(LONG).unwrap();
    info!("waits");
    assert_eq!(left_at_panic("on purpose"), 2);
    let stats = guard.stats();
    assert_eq!((stats.accepted, stats.dropped.full), (2, 1), "{stats}");
}

/// How a child ended.
#[derive(Debug)]
struct Ended {
    /// `None` where a signal ended it.
    code: Option<i32>,
    stderr: String,
}

fn run_child(what: &str, url: &str) -> Ended {
    run_program(env::current_exe().unwrap(), what, url, "0")
}

fn run_program(program: PathBuf, what: &str, url: &str, backtrace: &str) -> Ended {
    let output = Command::new(program)
        .env(CHILD, format!("{what} {url}"))
        .env("RUST_BACKTRACE", backtrace)
        .env_remove("RUST_LIB_BACKTRACE")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Ended { code: output.status.code(), stderr: String::from_utf8_lossy(&output.stderr).into_owned() }
}

/// What a child has delivered that did `what`, and how it ended.
fn delivered(what: &str) -> (Vec<Request>, Ended) {
    let server = Server::start();
    let ended = run_child(what, &server.url());
    (server.requests(), ended)
}

fn messages(requests: &[Request]) -> Vec<String> {
    requests.iter().map(Request::msg).collect()
}

fn a_panic_of_main_is_a_record() {
    let (requests, ended) = delivered("main");
    assert_eq!(messages(&requests), ["before", "thread 'main' panicked: on purpose, 17"], "{ended:?}");
    let field = |key: &str| requests[1].field(key).unwrap_or_default();
    assert_eq!(
        (field("levelname"), field("name"), field("threadName")),
        ("ERROR".into(), "panic".into(), "main".into())
    );
    assert_eq!(field("filename"), "panic_hook.rs");
    let line: usize = field("lineno").parse().unwrap();
    let source = include_str!("panic_hook.rs").lines().nth(line - 1).unwrap();
    assert!(source.contains("panic!(\"on purpose, {}\", 17)"), "{source}");
    assert_eq!(requests[1].field("backtrace"), None, "nobody asked for one");
    // As without us.
    assert_eq!(ended.code, Some(101), "{ended:?}");
    assert!(ended.stderr.contains("on purpose, 17") && !ended.stderr.contains("logpost"), "{ended:?}");
}

fn a_panic_of_another_thread_is_a_record() {
    let (requests, ended) = delivered("thread");
    assert_eq!(messages(&requests), ["before", "thread 'worker' panicked: on purpose", "after"], "{ended:?}");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

fn a_panic_with_any_payload_is_a_record() {
    let (requests, ended) = delivered("payload");
    assert_eq!(messages(&requests), ["before", "thread '<unnamed>' panicked: Box<dyn Any>"], "{ended:?}");
}

fn every_one_of_many_panics_is_a_record() {
    let (requests, ended) = delivered("many");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let mut found = messages(&requests);
    found.sort();
    let panics = (0..MANY).map(|number| format!("thread '<unnamed>' panicked: number {number}"));
    assert_eq!(found, ["before".to_owned()].into_iter().chain(panics).collect::<Vec<_>>());
}

fn a_backtrace_comes_along_if_asked_for() {
    let server = Server::start();
    run_program(env::current_exe().unwrap(), "main", &server.url(), "1");
    let backtrace = server.requests()[1].field("backtrace").unwrap();
    assert!(backtrace.contains("panic_hook::child"), "{backtrace}");
}

fn a_panic_is_delivered_before_the_hook_that_was_there() {
    let (requests, ended) = delivered("previous");
    assert_eq!(messages(&requests), ["thread 'main' panicked: on purpose"]);
    assert!(ended.stderr.contains("the hook before, 1 delivered, 0 pending: panicked at"), "{ended:?}");
}

fn a_panic_while_panicking_is_a_record_too() {
    let (requests, ended) = delivered("while_panicking");
    let expected = ["before", "thread 'main' panicked: the first", "thread 'main' panicked: the second"];
    assert_eq!(messages(&requests)[..3], expected, "{ended:?}");
    assert_ne!(ended.code, Some(101), "it was aborted");
}

fn a_panic_that_can_not_unwind_is_a_record() {
    let (requests, ended) = delivered("can_not_unwind");
    assert_eq!(messages(&requests)[..2], ["before", "thread 'main' panicked: on purpose"], "{ended:?}");
    assert_ne!(ended.code, Some(101), "it was aborted");
}

/// By this very program, compiled anew.
fn a_panic_that_aborts_is_a_record() {
    let Some(program) = compiled_to_abort() else { return };
    let server = Server::start();
    let ended = run_program(program, "abort", &server.url(), "0");
    assert_eq!(messages(&server.requests()), ["before", "thread '<unnamed>' panicked: on purpose"], "{ended:?}");
    assert!(ended.code.is_none_or(|code| code != 0 && code != 101), "{ended:?}");
}

/// The libraries it is linked with stay as they are, which is how the standard library is linked too: the program
/// decides what a panic does.
fn compiled_to_abort() -> Option<PathBuf> {
    let Some(cargo) = env::var_os("CARGO") else {
        assert!(env::var_os("CI").is_none(), "this test needs to be run by cargo, and CI is set");
        eprintln!("skipped: this test needs to be run by cargo");
        return None;
    };
    let mut command = Command::new(cargo);
    command.args(["rustc", "--offline", "--message-format=json", "--test=panic_hook", "--no-default-features"]);
    for (feature, on) in FEATURES {
        if on {
            command.args(["--features", feature]);
        }
    }
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    // What cargo has told this test of its package: ring is built anew when that changes.
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_PKG_")) {
        command.env_remove(name);
    }
    command.env_remove("CARGO_MANIFEST_DIR").args(["--", "-Cpanic=abort"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success());
    let messages = String::from_utf8(output.stdout).unwrap();
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let of_this_test = messages.filter(|message| message["target"]["name"] == "panic_hook");
    of_this_test.filter_map(|message| Some(message["executable"].as_str()?.into())).next_back()
}

/// As this program was compiled with them, so that there is nothing else to compile.
const FEATURES: [(&str, bool); 4] = [
    ("rustls", cfg!(feature = "rustls")),
    ("gzip", cfg!(feature = "gzip")),
    ("env-filter", cfg!(feature = "env-filter")),
    ("regex", cfg!(feature = "regex")),
];

fn a_panic_inside_display_is_a_record() {
    let (requests, ended) = delivered("display");
    assert_eq!(messages(&requests), ["before", "thread 'main' panicked: on purpose", "after"], "{ended:?}");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

fn a_panic_inside_a_tee_is_a_record() {
    let (requests, ended) = delivered("tee");
    assert_eq!(messages(&requests), ["before", "bad", "thread 'main' panicked: on purpose", "after"], "{ended:?}");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

fn panics_of_a_handler_are_no_records_and_no_deadlock() {
    let (requests, ended) = delivered("handler");
    assert_eq!(messages(&requests), ["one", "two"], "{ended:?}");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

fn a_panic_under_a_lock_that_the_handler_needs() {
    let (requests, ended) = delivered("lock");
    assert_eq!(messages(&requests), ["before", "thread '<unnamed>' panicked: on purpose"], "{ended:?}");
    assert!(ended.stderr.contains("logpost: 2 records left undelivered at a panic"), "{ended:?}");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

fn a_server_that_is_down_does_not_keep_a_panic() {
    let port = Port::reserve();
    let ended = run_child("down", &port.url());
    assert_eq!(ended.code, Some(101), "{ended:?}");
    assert!(ended.stderr.contains("logpost: 2 records left undelivered at a panic"), "{ended:?}");
}

fn a_panic_right_after_a_flush_in_vain_is_delivered() {
    let (requests, ended) = delivered("in_vain");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(messages(&requests).contains(&"thread 'main' panicked: well again".to_owned()), "{ended:?}");
}

fn a_flush_that_succeeds_forgets_one_in_vain() {
    let server = Server::scripted(|request| match request.connection + request.position {
        0 => Plan::Answer(Answer::status(200)),
        _ => Plan::Trickle(Answer::status(200), Duration::from_millis(5)),
    });
    let ended = run_child("flushed", &server.url());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let expected = ["thread 'main' panicked: in vain", "thread 'main' panicked: slow"];
    assert_eq!(server.messages(), expected, "{ended:?}");
}

fn a_panic_inside_eprintln_is_delivered_at_once() {
    let server = Server::scripted(|request| {
        Plan::Answer(Answer::status(if request.connection + request.position == 0 { 503 } else { 200 }))
    });
    let ended = run_child("eprintln", &server.url());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let panicked = "thread 'main' panicked: on purpose";
    assert_eq!(server.messages(), [panicked, panicked, "after"], "{ended:?}");
    // What the listener could not say at once it has said later.
    assert!(ended.stderr.contains("503"), "{ended:?}");
}

fn a_panic_does_not_wait_for_room() {
    let ended = run_child("no_room", "http://127.0.0.1:9/");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("logpost: 2 records left undelivered at a panic"), "{ended:?}");
}

fn a_level_is_for_panics_too() {
    let (requests, ended) = delivered("level");
    assert_eq!(messages(&requests), [""; 0], "{ended:?}");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

fn build_leaves_the_hook_alone() {
    let (requests, ended) = delivered("build");
    assert_eq!(messages(&requests), ["after"], "{ended:?}");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

fn init_on_a_panicking_thread_is_an_error() {
    let (requests, ended) = delivered("while_panicking_init");
    assert_eq!(messages(&requests), [""; 0], "{ended:?}");
    assert!(ended.stderr.contains("log_panics: can't be set up on a thread that is panicking"), "{ended:?}");
    assert_eq!(ended.code, Some(101), "{ended:?}");
}
