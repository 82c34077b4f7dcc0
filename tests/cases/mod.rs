//! What libtest does, for programs whose cases need a `main` of their own: as far as cargo and nextest need it.

use std::env;
use std::process::ExitCode;
use std::thread;

/// A name, and what may panic.
pub(crate) type Case = (String, Box<dyn FnOnce() + Send>);

/// libtest's.
const OPTIONS_WITH_VALUES: [&str; 3] = ["--format", "--test-threads", "--color"];

/// Runs those cases that the command line asks for, all at once: they mostly wait.
pub(crate) fn run(cases: Vec<Case>) -> ExitCode {
    let arguments: Vec<_> = env::args().collect();
    let given = |option: &str| arguments.iter().any(|argument| argument == option);
    let is_filter = |pair: &&[String]| !pair[1].starts_with('-') && !OPTIONS_WITH_VALUES.contains(&pair[0].as_str());
    let filters: Vec<_> = arguments.windows(2).filter(is_filter).map(|pair| pair[1].as_str()).collect();
    let exact = given("--exact");
    let fits = |name: &str| filters.iter().any(|filter| if exact { name == *filter } else { name.contains(filter) });
    let total = cases.len();
    let wanted = |(name, _): &Case| !given("--ignored") && (filters.is_empty() || fits(name));
    let wanted: Vec<_> = cases.into_iter().filter(wanted).collect();
    if given("--list") {
        for (name, _) in wanted {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let (count, filtered_out) = (wanted.len(), total - wanted.len());
    println!("\nrunning {count} tests");
    let start = |(name, case): Case| (name.clone(), thread::Builder::new().name(name).spawn(case).unwrap());
    let running: Vec<_> = wanted.into_iter().map(start).collect();
    let mut failed = 0;
    for (name, thread) in running {
        let passed = thread.join().is_ok();
        failed += usize::from(!passed);
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
    }
    let (outcome, passed) = (if failed == 0 { "ok" } else { "FAILED" }, count - failed);
    println!(
        "\ntest result: {outcome}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {filtered_out} filtered out\n"
    );
    ExitCode::from(u8::from(failed > 0))
}
