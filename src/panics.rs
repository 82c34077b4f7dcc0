//! Panics, as records.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};
use std::sync::Arc;
use std::thread;

use log::{Level, Record, kv};

use crate::guard::Backend;
use crate::listener::hushed;
use crate::process;
use crate::queue::{on_listener_thread, with_patience_until};

/// The target of these records.
const TARGET: &str = "panic";

/// From now on, every panic is a record of the process's logger, which is flushed before the hook that there was is
/// called.
///
/// A panic in a hook ends the process, so nothing here may panic; and a panic may happen wherever code of the user's
/// runs, so nothing here may wait for what its thread has locked. While such code runs, we hold no lock; a record that was
/// being captured leaves its buffer to itself, and a tee that was being called is left out.
pub(crate) fn log_them(backend: Arc<Backend>) {
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        // A listener's thread would wait for itself, and its panics are caught and counted. A forked child has no
        // listener, and may have locks that nobody will unlock.
        if !on_listener_thread() && !process::is_forked() {
            with_patience_until(backend.flush_deadline(), || log(info));
            hushed(|| backend.flush_before("a panic"));
        }
        previous(info);
    }));
}

fn log(info: &PanicHookInfo<'_>) {
    if Level::Error > log::max_level() {
        return;
    }
    let thread = thread::current();
    let (name, message) = (thread.name().unwrap_or("<unnamed>"), message(info.payload()));
    // Costs nothing unless the environment asks for it.
    let backtrace = Backtrace::capture();
    let captured = backtrace.status() == BacktraceStatus::Captured;
    let pairs = captured.then(|| ("backtrace", kv::Value::from_display(&backtrace)));
    let record = &mut Record::builder();
    let record = record.level(Level::Error).target(TARGET).key_values(&pairs);
    let record =
        record.file(info.location().map(panic::Location::file)).line(info.location().map(panic::Location::line));
    log::logger().log(&record.args(format_args!("thread '{name}' panicked: {message}")).build());
}

/// As the standard library has it.
fn message(payload: &dyn Any) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("Box<dyn Any>")
}
