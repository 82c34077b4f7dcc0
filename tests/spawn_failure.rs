//! A thread that can't be started is an error of `init`, or one more failure to deliver, and never a panic.
//!
//! Threads are refused for lack of memory for their stacks: the test is a child process that may have no more than
//! `MEMORY` of it, and that needs `STACK` for each thread. Ballast decides whether there is room.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
mod threads;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    limited::main()
}

/// Elsewhere there is no such limit to set.
#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    println!("\nrunning 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n");
    ExitCode::SUCCESS
}

#[cfg(target_os = "linux")]
mod limited {
    use std::env;
    use std::error::Error as _;
    use std::process::{Command, ExitCode, Stdio};
    use std::sync::mpsc;

    use log::{LevelFilter, info};
    use logpost::{CaptureHandler, ErrorClass, HttpHandler};
    use logpost_test_support::{LONG, Port, Server};

    use crate::threads::{threads, wait_until_threads_are};

    const MIB: usize = 1 << 20;
    const STACK: usize = 256 * MIB;
    const MEMORY: usize = 2048 * MIB;
    const CHILD: &str = "LOGPOST_TEST_CHILD";
    /// Each with the stack that its threads need.
    const CASES: [(&str, usize, fn()); 4] = [
        ("init_without_room_for_a_thread_is_an_error_and_a_later_one_works", STACK, init_fails_then_works),
        ("init_with_room_for_one_of_two_threads_leaves_none_behind", STACK, half_of_init_fails),
        ("a_stack_that_no_machine_has_is_an_error", 1 << 60, init_fails),
        ("a_lookup_without_room_for_its_thread_loses_nothing", STACK, lookup_fails_then_works),
    ];
    /// libtest's.
    const OPTIONS_WITH_VALUES: [&str; 3] = ["--format", "--test-threads", "--color"];

    pub(super) fn main() -> ExitCode {
        if let Ok(name) = env::var(CHILD) {
            let (.., case) = CASES.iter().find(|(case, ..)| *case == name).expect("a case");
            case();
            return ExitCode::SUCCESS;
        }
        let arguments: Vec<_> = env::args().skip(1).collect();
        let given = |option: &str| arguments.iter().any(|argument| argument == option);
        let is_value = |place: usize| place > 0 && OPTIONS_WITH_VALUES.contains(&arguments[place - 1].as_str());
        let plain = arguments.iter().enumerate().filter(|(place, text)| !text.starts_with('-') && !is_value(*place));
        let filters: Vec<_> = plain.map(|(_, text)| text.as_str()).collect();
        let fits = |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter));
        let wanted: Vec<_> = CASES.iter().filter(|(name, ..)| !given("--ignored") && fits(name)).collect();
        if given("--list") {
            for (name, ..) in &wanted {
                println!("{name}: test");
            }
            return ExitCode::SUCCESS;
        }
        println!("\nrunning {} tests", wanted.len());
        let mut failed = 0;
        for (name, stack, _) in &wanted {
            let passes = run_child(name, *stack);
            failed += usize::from(!passes);
            println!("test {name} ... {}", if passes { "ok" } else { "FAILED" });
        }
        println!(
            "\ntest result: {}. {} passed; {failed} failed; 0 ignored; 0 measured; {} filtered out\n",
            if failed == 0 { "ok" } else { "FAILED" },
            wanted.len() - failed,
            CASES.len() - wanted.len(),
        );
        ExitCode::from(u8::from(failed > 0))
    }

    fn run_child(name: &str, stack: usize) -> bool {
        let script = format!("ulimit -v {} && exec timeout 120 \"$0\"", MEMORY / 1024);
        let status = Command::new("sh")
            .args(["-c", &script])
            .arg(env::current_exe().unwrap())
            .env(CHILD, name)
            .env("RUST_MIN_STACK", stack.to_string())
            .env("MALLOC_ARENA_MAX", "1")
            .stdin(Stdio::null())
            .status()
            .unwrap();
        status.success()
    }

    /// All memory that can be had, but for so much.
    fn ballast(leave: usize) -> Vec<Vec<u8>> {
        const PIECE: usize = 16 * MIB;
        let mut ballast = Vec::with_capacity(MEMORY / PIECE);
        loop {
            let mut piece = Vec::new();
            if piece.try_reserve_exact(PIECE).is_err() {
                break;
            }
            ballast.push(piece);
        }
        ballast.truncate(ballast.len().saturating_sub(leave / PIECE));
        ballast
    }

    fn assert_init_fails(handlers: usize) {
        let before = threads();
        let capture = CaptureHandler::new();
        let mut builder = logpost::builder();
        for _ in 0..handlers {
            builder = builder.handler(capture.clone());
        }
        let error = builder.init().unwrap_err();
        assert!(error.source().is_some(), "{error:?}");
        assert_eq!(error.to_string(), "the listener's thread could not be started");
        assert!(error.setting().is_none() && !error.is_already_initialized());
        assert!(logpost::stats().is_none());
        assert_eq!(log::max_level(), LevelFilter::Off);
        wait_until_threads_are(before, 0);
    }

    fn assert_init_works(handlers: usize) {
        let before = threads();
        let captures: Vec<_> = (0..handlers).map(|_| CaptureHandler::new()).collect();
        let mut builder = logpost::builder();
        for capture in &captures {
            builder = builder.handler(capture.clone());
        }
        let guard = builder.init().unwrap();
        wait_until_threads_are(before, handlers);
        info!("hello");
        guard.flush(LONG).unwrap();
        assert!(captures.iter().all(|capture| capture.messages() == ["hello"]));
    }

    fn init_fails() {
        assert_init_fails(1);
        assert_init_fails(2);
    }

    fn init_fails_then_works() {
        let ballast = ballast(64 * MIB);
        assert_init_fails(1);
        drop(ballast);
        assert_init_works(2);
    }

    fn half_of_init_fails() {
        let ballast = ballast(STACK + 64 * MIB);
        for _ in 0..10 {
            assert_init_fails(2);
        }
        drop(ballast);
        assert_init_works(2);
    }

    /// The listener has a thread, but a name lookup needs one too.
    fn lookup_fails_then_works() {
        let port = Port::reserve();
        let url = format!("http://localhost:{}/log", port.address().port());
        let handler = HttpHandler::new(url).unwrap();
        let (tell, told) = mpsc::channel();
        let guard = logpost::builder()
            .handler(handler)
            .on_error(move |failure| tell.send((failure.error().class(), failure.to_string())).unwrap())
            .init()
            .unwrap();
        let ballast = ballast(64 * MIB);
        info!("hello");
        let (class, text) = told.recv_timeout(LONG).unwrap();
        assert_eq!(class, ErrorClass::Transient, "{text}");
        assert!(!text.contains("refused"), "{text}");
        assert_eq!(guard.stats().panics, 0);
        drop(ballast);
        let listener = port.listen(16);
        let server = Server::builder().start_on(listener);
        guard.flush(LONG).unwrap();
        assert_eq!(server.messages(), ["hello"]);
    }
}
