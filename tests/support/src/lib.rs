//! What logpost's integration tests share.

pub mod corpus;
mod link;
mod port;
mod program;
mod server;
mod tls;
mod wire;

pub use port::Port;
pub use program::Program;
pub use server::{Connection, Plan, Server, ServerBuilder};
pub use tls::Authority;
pub use wire::{Answer, Request, Responder};

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Longer than anything that works takes, even on a busy machine: who waits this long has found a hang.
pub const LONG: Duration = Duration::from_secs(60);

/// Waits until `condition` holds, looking again and again.
///
/// # Panics
///
/// If it does not within [`LONG`]; `what` says what was waited for.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let since = Instant::now();
    while !condition() {
        assert!(since.elapsed() < LONG, "waited in vain until {what}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// Whether a test that needs `program` can run: if not, says so, and fails where CI is set.
///
/// # Panics
///
/// In CI, if the program can't be started: `.ci/run` installs all that the tests need.
pub fn have(program: &str, version_flag: &str) -> bool {
    let found =
        std::process::Command::new(program).arg(version_flag).output().is_ok_and(|output| output.status.success());
    needed(program, found)
}

/// The first of these files that exists, for a test that needs it. If none does, it says so, and fails where CI is set.
///
/// # Panics
///
/// In CI, if there is none: `.ci/run` installs all that the tests need.
pub fn have_file(places: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    let places: Vec<_> = places.into_iter().collect();
    let found = places.iter().find(|place| place.exists()).cloned();
    let name = places.last().map(|place| place.display().to_string()).unwrap_or_default();
    needed(&name, found.is_some()).then_some(found)?
}

fn needed(what: &str, found: bool) -> bool {
    assert!(found || std::env::var_os("CI").is_none(), "{what} is missing, and CI is set");
    if !found {
        eprintln!("skipped: this test needs {what}");
    }
    found
}
