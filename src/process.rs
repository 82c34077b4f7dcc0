//! The process that the listeners are threads of.

use std::path::Path;

use once_cell::sync::Lazy;

use crate::wall_clock;

/// The process's id, looked up once: that costs a system call.
static ID: Lazy<u32> = Lazy::new(std::process::id);

/// The executable's file stem. Python's name of a process has no counterpart in Rust; the program's does the same service.
static NAME: Lazy<Option<String>> = Lazy::new(|| {
    let path = std::env::current_exe().ok();
    path.as_deref().and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned())
});

/// When logpost started, in nanoseconds since the epoch.
static STARTED: Lazy<u64> = Lazy::new(wall_clock::now);

/// The id of the process in which logpost started.
pub(crate) fn id() -> u32 {
    *ID
}

/// What the process is called.
pub(crate) fn name() -> Option<&'static str> {
    NAME.as_deref()
}

/// When logpost started here, in nanoseconds since the epoch: now, if it had not before.
pub(crate) fn started() -> u64 {
    *STARTED
}

/// Whether this is a child that was forked since: it has none of the threads, and may find locks that they held.
pub(crate) fn is_forked() -> bool {
    std::process::id() != id()
}
