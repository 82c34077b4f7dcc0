//! Other backends of `log`, called in place.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;

use log::{Log, Metadata, Record};

/// The loggers that get every record too, on the caller's thread.
#[derive(Default)]
pub(crate) struct Tees(Vec<Box<dyn Log>>);

impl Tees {
    pub(crate) fn push(&mut self, tee: impl Log + 'static) {
        self.0.push(Box::new(tee));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.0.iter().any(|tee| tee.enabled(metadata))
    }

    #[inline]
    pub(crate) fn log(&self, record: &Record<'_>) {
        if !self.is_empty() {
            self.each(|tee| tee.log(record));
        }
    }

    pub(crate) fn flush(&self) {
        self.each(|tee| tee.flush());
    }

    /// Calls each, whatever the others do; then goes on with the panic of the first that did.
    ///
    /// What a tee itself logs or flushes does not come back to it, or there would be no end.
    fn each(&self, call: impl Fn(&dyn Log)) {
        let Some(_turn) = Turn::begin(self) else { return };
        let mut first = None;
        for tee in &self.0 {
            match catch_unwind(AssertUnwindSafe(|| call(&**tee))) {
                Ok(()) => {}
                Err(panic) if first.is_none() => first = Some(panic),
                // Its own `Drop` may panic.
                Err(panic) => std::mem::forget(panic),
            }
        }
        if let Some(panic) = first {
            resume_unwind(panic);
        }
    }
}

impl fmt::Debug for Tees {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tees", self.0.len())
    }
}

/// Loggers within loggers within loggers: what is deeper than this gets no records.
const DEPTH: usize = 8;

thread_local! {
    /// The addresses of those `Tees` that are being called on this thread. No `Vec`, which would have a destructor, and
    /// so be gone where thread-locals' destructors log.
    static UNDER_WAY: Cell<[usize; DEPTH]> = const { Cell::new([0; DEPTH]) };
}

/// One of the `Tees` is being called on this thread, until this is dropped.
struct Turn(usize);

impl Turn {
    fn begin(tees: &Tees) -> Option<Self> {
        let address = ptr::from_ref(tees).addr();
        let mut under_way = UNDER_WAY.get();
        let free = under_way.iter().position(|&other| other == 0)?;
        if under_way.contains(&address) {
            return None;
        }
        under_way[free] = address;
        UNDER_WAY.set(under_way);
        Some(Self(free))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut under_way = UNDER_WAY.get();
        under_way[self.0] = 0;
        UNDER_WAY.set(under_way);
    }
}
