//! `CPython`'s own tests of `HTTPHandler`, `QueueHandler` and `QueueListener` (`Lib/test/test_logging.py`, 3.14), each with its
//! counterpart under the same name: the same promise, kept by our API. A module is a class of theirs. Where Rust has no
//! counterpart, a line at its place says why; docs/python.md has all of them in a table.

mod config_dict_test;
mod handler_test;
mod http_handler_test;
mod queue_handler_test;
mod queue_listener_test;

use std::sync::mpsc;
#[cfg(all(unix, feature = "serde"))]
use std::{
    io::{BufRead as _, BufReader, ErrorKind, Write as _},
    os::unix::net::UnixStream,
    time::Duration,
};

use log::{Level, Log, Record};
use logpost::{BoundedQueue, Dequeue, Enqueue};
#[cfg(all(unix, feature = "serde"))]
use logpost::{DequeueError, EnqueueError, LogRecord};

/// Logs as the macros do, whatever `log::max_level` is: other tests share it.
fn say(logger: &dyn Log, level: Level, message: &str) {
    let record = &mut Record::builder();
    record.level(level).target("que").module_path_static(Some(module_path!()));
    logger.log(&record.args(format_args!("{message}")).build());
}

/// The two ends of a queue.
type Ends = (Box<dyn Enqueue>, Box<dyn Dequeue>);

fn ends(way_in: impl Enqueue + 'static, way_out: impl Dequeue + 'static) -> Ends {
    (Box::new(way_in), Box::new(way_out))
}

/// One queue of each kind, new, by its name. Python's `multiprocessing.Queue` is the socket.
fn queues() -> Vec<(&'static str, Ends)> {
    let bounded = BoundedQueue::new();
    let (flume_sender, flume_receiver) = flume::unbounded();
    let (sender, receiver) = mpsc::sync_channel(1000);
    vec![
        ("BoundedQueue", ends(bounded.clone(), bounded)),
        ("flume", ends(flume_sender, flume_receiver)),
        ("std::sync::mpsc", ends(sender, receiver)),
        #[cfg(all(unix, feature = "serde"))]
        ("socket", over_a_socket()),
    ]
}

/// A queue that leads through the kernel, as one between processes does: what comes out is not the object that went in.
#[cfg(all(unix, feature = "serde"))]
fn over_a_socket() -> Ends {
    let (sender, receiver) = UnixStream::pair().unwrap();
    ends(ToSocket(sender), FromSocket { stream: BufReader::new(receiver), line: Vec::new() })
}

#[cfg(all(unix, feature = "serde"))]
struct ToSocket(UnixStream);

#[cfg(all(unix, feature = "serde"))]
impl Enqueue for ToSocket {
    fn enqueue(&self, record: LogRecord) -> Result<(), EnqueueError> {
        let line = serde_json::to_string(&record).unwrap() + "\n";
        (&self.0).write_all(line.as_bytes()).map_err(|_| EnqueueError::Closed(record))
    }
}

#[cfg(all(unix, feature = "serde"))]
struct FromSocket {
    stream: BufReader<UnixStream>,
    /// A record that has begun to arrive.
    line: Vec<u8>,
}

#[cfg(all(unix, feature = "serde"))]
impl Dequeue for FromSocket {
    fn dequeue(&mut self, at_most: Duration) -> Result<LogRecord, DequeueError> {
        // Zero would be no time-out.
        self.stream.get_ref().set_read_timeout(Some(at_most.max(Duration::from_millis(1)))).unwrap();
        match self.stream.read_until(b'\n', &mut self.line) {
            Ok(_) if self.line.ends_with(b"\n") => Ok(serde_json::from_slice(&std::mem::take(&mut self.line)).unwrap()),
            Ok(_) => Err(DequeueError::Closed),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(DequeueError::Empty)
            }
            Err(error) => panic!("{error}"),
        }
    }
}
