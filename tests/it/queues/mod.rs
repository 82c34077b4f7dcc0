//! Queues of one's own: any queue-like object, and a listener that is started and stopped.

mod foreign;
mod listener;
mod several;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::Duration;

use log::{Level, Log, Record};
use logpost::{
    BoundedQueue, CaptureHandler, Dequeue, DequeueError, EmitError, Enqueue, EnqueueError, Handler, LogRecord, Stats,
};

const SECOND: Duration = Duration::from_secs(1);

/// Logs a message, whatever the process's level is.
fn say(log: &impl Log, level: Level, message: &str) {
    log.log(&Record::builder().level(level).target("test").args(format_args!("{message}")).build());
}

fn info(log: &impl Log, message: &str) {
    say(log, Level::Info, message);
}

/// What was captured, but for the listener's own notices.
fn messages(capture: &CaptureHandler) -> Vec<String> {
    let records = capture.records().into_iter().filter(|record| record.target() != "logpost");
    records.map(|record| record.message().to_owned()).collect()
}

fn assert_balanced(stats: &Stats) {
    assert_eq!(stats.accepted, stats.delivered + stats.rejected + stats.abandoned + stats.pending, "{stats}");
}

/// Takes nothing while it is told so.
#[derive(Clone, Default)]
struct Moody {
    down: Arc<AtomicBool>,
    refuses: Arc<AtomicBool>,
    capture: CaptureHandler,
}

impl Moody {
    fn down() -> Self {
        let moody = Self::default();
        moody.set_down(true);
        moody
    }

    fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }
}

impl Handler for Moody {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(EmitError::transient("down"));
        }
        if self.refuses.load(Ordering::SeqCst) {
            return Err(EmitError::payload("no"));
        }
        self.capture.emit(records)
    }
}

/// crossbeam's channel, as somebody would use it who has it anyway.
struct Crossbeam<End>(End);

impl Enqueue for Crossbeam<crossbeam_channel::Sender<LogRecord>> {
    fn enqueue(&self, record: LogRecord) -> Result<(), EnqueueError> {
        self.0.try_send(record).map_err(|error| match error {
            crossbeam_channel::TrySendError::Full(record) => EnqueueError::Full(record),
            crossbeam_channel::TrySendError::Disconnected(record) => EnqueueError::Closed(record),
        })
    }
}

impl Dequeue for Crossbeam<crossbeam_channel::Receiver<LogRecord>> {
    fn dequeue(&mut self, at_most: Duration) -> Result<LogRecord, DequeueError> {
        self.0.recv_timeout(at_most).map_err(|error| match error {
            crossbeam_channel::RecvTimeoutError::Timeout => DequeueError::Empty,
            crossbeam_channel::RecvTimeoutError::Disconnected => DequeueError::Closed,
        })
    }

    fn waiting(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

/// As small as a queue can be: it cannot tell its length, and is never closed.
#[derive(Clone, Default)]
struct Deque(Arc<(Mutex<VecDeque<LogRecord>>, Condvar)>);

impl Enqueue for Deque {
    fn enqueue(&self, record: LogRecord) -> Result<(), EnqueueError> {
        self.0.0.lock().unwrap().push_back(record);
        self.0.1.notify_one();
        Ok(())
    }
}

impl Dequeue for Deque {
    fn dequeue(&mut self, at_most: Duration) -> Result<LogRecord, DequeueError> {
        let records = self.0.0.lock().unwrap();
        let waited = self.0.1.wait_timeout_while(records, at_most, |records| records.is_empty());
        waited.unwrap().0.pop_front().ok_or(DequeueError::Empty)
    }
}

type Ends = (Box<dyn Enqueue>, Box<dyn Dequeue>);

/// Both ends of every kind of queue, each with room for so many records at least.
fn every_queue(room: usize) -> Vec<(&'static str, Ends)> {
    let built_in = BoundedQueue::builder().capacity(room).build().unwrap();
    let (flume, flumes) = flume::bounded(room);
    let (unbounded, unboundeds) = flume::unbounded();
    let (sync, syncs) = mpsc::sync_channel(room);
    let (asynchronous, asynchronouss) = mpsc::channel();
    let (crossbeam, crossbeams) = crossbeam_channel::bounded(room);
    let deque = Deque::default();
    vec![
        ("built-in", (Box::new(built_in.clone()), Box::new(built_in))),
        ("flume", (Box::new(flume), Box::new(flumes))),
        ("unbounded flume", (Box::new(unbounded), Box::new(unboundeds))),
        ("sync_channel", (Box::new(sync), Box::new(syncs))),
        ("channel", (Box::new(asynchronous), Box::new(asynchronouss))),
        ("crossbeam", (Box::new(Crossbeam(crossbeam)), Box::new(Crossbeam(crossbeams)))),
        ("a deque", (Box::new(deque.clone()), Box::new(deque))),
    ]
}
