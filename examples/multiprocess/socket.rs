//! Records cross a Unix domain socket, each with its length before it.
//!
//! The way in is a handler, so that what logpost promises holds on this way too: a caller never waits, a full queue drops and
//! counts, a parent that is late or restarts is tried again, in order. The way out is a queue. It answers each record with a
//! byte once it has it; a record that got none is sent again, so that it may come twice, but not never. What the parent has in
//! its memory when it is killed is lost.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use logpost::{Batch, Cancel, Dequeue, DequeueError, EmitError, Handler, LogRecord};

/// The parent takes no larger record, as what comes over a socket may be anything.
const MAX_BYTES: u32 = 16 * 1024 * 1024;
/// Records that may wait in the parent; a child that finds no room waits, and its queue fills.
const IN_PARENT: usize = 1024;

/// The way in, in a child: writes records to the socket, and reads a byte for each.
pub(crate) struct SocketHandler {
    path: PathBuf,
    connection: Arc<Mutex<Option<UnixStream>>>,
}

impl SocketHandler {
    /// To the socket at `path`, whether somebody listens there yet or not.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), connection: Arc::default() }
    }

    fn send(&self, records: &[LogRecord]) -> io::Result<()> {
        let mut frames = Vec::new();
        for record in records {
            let text = serde_json::to_vec(record)?;
            let length = u32::try_from(text.len()).map_err(io::Error::other)?;
            frames.extend(length.to_be_bytes());
            frames.extend(text);
        }
        let mut connection = self.connect()?;
        connection.write_all(&frames)?;
        connection.read_exact(&mut vec![0; records.len()])
    }

    fn connect(&self) -> io::Result<UnixStream> {
        let mut connection = lock(&self.connection);
        if connection.is_none() {
            *connection = Some(UnixStream::connect(&self.path)?);
        }
        connection.as_ref().map_or(Err(io::ErrorKind::NotConnected.into()), UnixStream::try_clone)
    }
}

impl Handler for SocketHandler {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        self.send(records).inspect_err(|_| *lock(&self.connection) = None)?;
        Ok(())
    }

    fn batch(&self) -> Batch {
        // As many as a socket's buffer holds, at once: nothing is gained by waiting.
        Batch::default().max_records(100).linger(Duration::ZERO)
    }

    fn cancel(&self) -> Option<Cancel> {
        let connection = Arc::clone(&self.connection);
        Some(Box::new(move || {
            if let Some(connection) = &*lock(&connection) {
                let _ = connection.shutdown(Shutdown::Both);
            }
        }))
    }
}

/// The way out, in the parent.
pub(crate) struct SocketReceiver {
    records: Receiver<LogRecord>,
}

impl Dequeue for SocketReceiver {
    fn dequeue(&mut self, at_most: Duration) -> Result<LogRecord, DequeueError> {
        self.records.dequeue(at_most)
    }
}

/// The socket itself. While it is open, children send; what they have sent is in the receiver.
pub(crate) struct Socket {
    path: PathBuf,
    shared: Arc<Shared>,
    acceptor: Option<thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    closed: AtomicBool,
    connections: Mutex<HashMap<u64, UnixStream>>,
    broken: AtomicU64,
}

impl Socket {
    /// Listens at `path`, in the place of a parent that has ended without cleaning up.
    pub(crate) fn listen(path: impl AsRef<Path>) -> io::Result<(Self, SocketReceiver)> {
        let path = path.as_ref().to_owned();
        if path.exists() && UnixStream::connect(&path).is_err() {
            fs::remove_file(&path)?;
        }
        let socket = UnixListener::bind(&path)?;
        let (sender, records) = mpsc::sync_channel(IN_PARENT);
        let shared = Arc::<Shared>::default();
        let accept = {
            let shared = Arc::clone(&shared);
            move || accept(&socket, &sender, &shared)
        };
        let acceptor = Some(thread::Builder::new().name("socket".to_owned()).spawn(accept)?);
        Ok((Self { path, shared, acceptor }, SocketReceiver { records }))
    }

    /// How many records came whose end was missing, or that were none.
    pub(crate) fn broken(&self) -> u64 {
        self.shared.broken.load(Ordering::SeqCst)
    }
}

/// Takes nothing more: what has been answered is in the receiver, the rest is still with the children.
impl Drop for Socket {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        for connection in lock(&self.shared.connections).values() {
            let _ = connection.shutdown(Shutdown::Both);
        }
        // Ends the acceptor's wait.
        let _ = UnixStream::connect(&self.path);
        let _ = fs::remove_file(&self.path);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn accept(socket: &UnixListener, sender: &SyncSender<LogRecord>, shared: &Arc<Shared>) {
    for (connection, number) in socket.incoming().zip(0..) {
        let Ok(connection) = connection else { continue };
        let Ok(clone) = connection.try_clone() else { continue };
        lock(&shared.connections).insert(number, clone);
        if shared.closed.load(Ordering::SeqCst) {
            return;
        }
        let (sender, shared_too) = (sender.clone(), Arc::clone(shared));
        let serve = move || {
            serve(connection, &sender, &shared_too);
            lock(&shared_too.connections).remove(&number);
        };
        // A child whose thread can't be started is one whose connection breaks: it comes again.
        let _ = thread::Builder::new().name(format!("child-{number}")).spawn(serve);
    }
}

/// Takes what a child sends, until it ends.
fn serve(mut connection: UnixStream, sender: &SyncSender<LogRecord>, shared: &Shared) {
    let Ok(reading) = connection.try_clone() else { return };
    let mut reading = BufReader::new(reading);
    loop {
        match read_frame(&mut reading) {
            Ok(Some(text)) => match serde_json::from_slice(&text) {
                Ok(record) => {
                    if sender.send(record).is_err() {
                        return;
                    }
                }
                // It would be the same the next time, so it is answered all the same.
                Err(_) => _ = shared.broken.fetch_add(1, Ordering::SeqCst),
            },
            Ok(None) => return,
            Err(_) => {
                shared.broken.fetch_add(1, Ordering::SeqCst);
                return;
            }
        }
        if connection.write_all(b"+").is_err() {
            return;
        }
    }
}

/// `None` at the end of the connection, if that is between two records.
fn read_frame(connection: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    // The first byte by itself: where it is missing, nothing is.
    if connection.read(&mut length[..1])? == 0 {
        return Ok(None);
    }
    connection.read_exact(&mut length[1..])?;
    let length = u32::from_be_bytes(length);
    if length > MAX_BYTES {
        return Err(io::Error::other(format!("a record of {length} bytes")));
    }
    let mut text = Vec::new();
    connection.take(length.into()).read_to_end(&mut text)?;
    if text.len() < length as usize { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(Some(text)) }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
