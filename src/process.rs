//! The process that the listeners are threads of.

use once_cell::sync::Lazy;

/// The process's id, looked up once: that costs a system call.
static ID: Lazy<u32> = Lazy::new(std::process::id);

/// The id of the process in which logpost started.
pub(crate) fn id() -> u32 {
    *ID
}

/// Whether this is a child that was forked since: it has none of the threads, and may find locks that they held.
pub(crate) fn is_forked() -> bool {
    std::process::id() != id()
}
