//! What a hostile reading of src/queue and src/listener found, and what it looked for in vain: races, lost records, hangs.

mod books;
mod lives;
mod queues;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use log::{Level, Log, Record};
use logpost::{CaptureHandler, EmitError, Handler, LogRecord, Retry};

/// Logs, whatever `log::max_level` is: other tests share it.
fn say(logger: &dyn Log, message: &str) {
    let record = &mut Record::builder();
    logger.log(&record.level(Level::Info).args(format_args!("{message}")).build());
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

fn say_numbers(logger: &dyn Log, range: std::ops::Range<usize>) {
    for number in numbers(range) {
        say(logger, &number);
    }
}

/// Delays that no test waits out.
fn for_ever() -> Retry {
    Retry::default().first_delay(Duration::from_secs(3600)).max_delay(Duration::from_secs(3600))
}

/// A handler that fails while it is told to, and counts its attempts.
#[derive(Clone, Default)]
struct Flaky {
    up: Arc<std::sync::atomic::AtomicBool>,
    attempts: Arc<AtomicUsize>,
    capture: CaptureHandler,
}

impl Handler for Flaky {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        if self.up.load(Ordering::SeqCst) { self.capture.emit(records) } else { Err(EmitError::transient("down")) }
    }
}

/// A handler that says when it is called, and returns when it may.
struct Hangs {
    called: Sender<()>,
    go_on: Receiver<()>,
    capture: CaptureHandler,
}

impl Handler for Hangs {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        let _ = self.called.send(());
        let _ = self.go_on.recv();
        self.capture.emit(records)
    }
}

/// The handler, when it is called, how to let it go on (for ever, if that is dropped), and what it got.
fn hangs() -> (Hangs, Receiver<()>, Sender<()>, CaptureHandler) {
    let ((called, is_called), (release, go_on)) = (mpsc::channel(), mpsc::channel());
    let capture = CaptureHandler::new();
    (Hangs { called, go_on, capture: capture.clone() }, is_called, release, capture)
}

/// A handler that is a function.
struct Calls<F>(F);

impl<F: FnMut(&LogRecord) + Send> Handler for Calls<F> {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        records.iter().for_each(&mut self.0);
        Ok(())
    }
}

/// Something that is filled in once it is there.
type Later<T> = Arc<Mutex<Option<T>>>;
