//! The process's logger: installed once, flushed when the process ends.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use log::LevelFilter;
use once_cell::sync::OnceCell;

use crate::error::{Error, FlushError};
#[cfg(feature = "env-filter")]
use crate::filter::Filter;
use crate::guard::Backend;
use crate::logger::Logger;
use crate::stats::Stats;

static INSTALLED: OnceCell<Arc<Backend>> = OnceCell::new();

/// Where every record of the process's logger is; `None` before [`init`](crate::init).
///
/// For a health page, or a metric, far from where the [`Guard`](crate::Guard) is kept.
pub fn stats() -> Option<Stats> {
    INSTALLED.get().map(|backend| backend.stats())
}

/// Flushes the process's logger, as [`Guard::flush`](crate::Guard::flush) does; without one there is nothing to do.
///
/// # Errors
///
/// After `timeout`, says how many records are still pending.
pub fn flush(timeout: Duration) -> Result<(), FlushError> {
    INSTALLED.get().map_or(Ok(()), |backend| backend.flush(timeout))
}

/// Sets the level of the process's logger, as [`Guard::set_level`](crate::Guard::set_level) does; without one there is
/// nothing to do.
///
/// For a signal's handler, or a page for administrators, far from where the [`Guard`](crate::Guard) is kept.
///
/// ```
/// logpost::set_level(log::LevelFilter::Debug);
/// ```
pub fn set_level(level: LevelFilter) {
    if let Some(backend) = INSTALLED.get() {
        backend.gate().replace_filter(level.into());
    }
}

/// Sets the filter of the process's logger, as [`Guard::set_filter`](crate::Guard::set_filter) does; without one there is
/// nothing to do.
///
/// # Errors
///
/// Directives that do not parse; the filter is the one before then.
///
/// ```
/// logpost::set_filter("info,my_app::db=debug")?;
/// # Ok::<(), logpost::Error>(())
/// ```
#[cfg(feature = "env-filter")]
pub fn set_filter(directives: &str) -> Result<(), Error> {
    let filter = Filter::parse(directives).map_err(|problem| Error::invalid("filter", problem))?;
    if let Some(backend) = INSTALLED.get() {
        backend.gate().replace_filter(filter);
    }
    Ok(())
}

pub(crate) fn is_installed() -> bool {
    INSTALLED.get().is_some()
}

/// Makes `logger` the process's, and has the calling thread flush it when it ends.
pub(crate) fn install(logger: Logger, backend: &Arc<Backend>) -> Result<(), Error> {
    log::set_boxed_logger(Box::new(logger)).map_err(|_| Error::already_initialized())?;
    // `log` has let nobody else through, so the cell is empty.
    let _ = INSTALLED.set(Arc::clone(backend));
    backend.gate().install();
    flush_at_exit(backend);
    Ok(())
}

/// On the main thread, this covers a return from main, a panic in it and `std::process::exit` on it: the C library's
/// `exit` runs the main thread's thread-local destructors while the other threads still live.
///
/// Windows ends the other threads first: nobody would be left to flush, or to unlock what they had locked.
#[cfg(unix)]
fn flush_at_exit(backend: &Arc<Backend>) {
    struct FlushAtExit(Arc<Backend>);

    impl Drop for FlushAtExit {
        fn drop(&mut self) {
            self.0.flush_before("exit");
        }
    }

    thread_local!(static AT_EXIT: RefCell<Option<FlushAtExit>> = const { RefCell::new(None) });
    // A thread that calls init while it is being torn down has the guard alone.
    let _ = AT_EXIT.try_with(|at_exit| *at_exit.borrow_mut() = Some(FlushAtExit(Arc::clone(backend))));
}

#[cfg(not(unix))]
fn flush_at_exit(_: &Arc<Backend>) {}
