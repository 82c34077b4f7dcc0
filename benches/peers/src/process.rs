//! Child processes and what they report; what a process has used, from `/proc` and its clocks.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// What a child measured: its lines `name value`.
pub(crate) type Figures = BTreeMap<String, f64>;

const END: &str = "end";

/// In a child: prints one figure.
pub(crate) fn report(name: &str, value: f64) {
    println!("{name} {value}");
}

/// In a child: says that it is done. The parent then ends it, so that no logger's exit holds anything up.
pub(crate) fn report_end() {
    println!("{END}");
}

/// Runs `command` to its end, which is its line `end`, or kills it after `at_most`.
pub(crate) fn run(command: &mut Command, at_most: Duration) -> Result<Figures, String> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
    let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    let (sender, lines) = mpsc::channel();
    let reader = thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let deadline = Instant::now() + at_most;
    let mut figures = Figures::new();
    let ended = loop {
        let line = match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => line,
            Err(mpsc::RecvTimeoutError::Timeout) => break Err(format!("no end after {at_most:?}")),
            Err(mpsc::RecvTimeoutError::Disconnected) => break Err("it ended too early".to_owned()),
        };
        if line == END {
            break Ok(());
        }
        if let Some((name, Ok(value))) = line.split_once(' ').map(|(name, value)| (name, value.parse())) {
            figures.insert(name.to_owned(), value);
        }
    };
    let _ = child.kill();
    let _ = child.wait();
    drop(lines);
    let _ = reader.join();
    ended.map(|()| figures)
}

/// CPU time of this process, all of its threads, in microseconds.
pub(crate) fn process_cpu() -> f64 {
    cpu(ClockId::ProcessCPUTime)
}

/// CPU time of the calling thread, in microseconds.
pub(crate) fn thread_cpu() -> f64 {
    cpu(ClockId::ThreadCPUTime)
}

fn cpu(clock: ClockId) -> f64 {
    Duration::try_from(clock_gettime(clock)).expect("CPU time is positive").as_secs_f64() * 1e6
}

/// How often the threads that live went to sleep by themselves, the calling one not counted.
pub(crate) fn voluntary_switches() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux");
    let main = std::process::id().to_string();
    let others = tasks.filter_map(Result::ok).filter(|task| task.file_name().to_str() != Some(&*main));
    others.filter_map(|task| status(&task.path().join("status").to_string_lossy(), "voluntary_ctxt_switches:")).sum()
}

/// Resident memory, in bytes.
pub(crate) fn resident() -> u64 {
    status("/proc/self/status", "VmRSS:").expect("Linux") * 1024
}

fn status(path: &str, key: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}
