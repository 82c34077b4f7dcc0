//! What threads the process has, for tests that have a process to themselves.

use logpost_test_support::wait_until;

/// How many threads the process has, where the system tells. All are counted, as one just started has no name yet.
pub(crate) fn threads() -> Option<usize> {
    cfg!(target_os = "linux").then(|| std::fs::read_dir("/proc/self/task").unwrap().count())
}

/// Waits until there are `more` threads than the `before` that there were: one that was joined is seen a moment longer.
pub(crate) fn wait_until_threads_are(before: Option<usize>, more: usize) {
    let expected = before.map(|count| count + more);
    wait_until("all other threads have ended", || threads() == expected);
}
