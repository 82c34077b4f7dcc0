//! A web server on raw TCP that does what a script says, and keeps every request that it got whole.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::LONG;
use crate::wire::{Answer, Request};

/// What to do with a request whose head has been read.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Read it to its end, then answer.
    Answer(Answer),
    /// Answer, and close, without having read the body.
    AnswerEarly(Answer),
    /// Reset the connection without reading the body.
    ResetInBody,
    /// Read it to its end, then reset the connection.
    ResetAfterBody,
    /// Read it to its end, then close the connection in good order.
    CloseAfterBody,
    /// Read it to its end, then answer one byte at a time, with this between them.
    Trickle(Answer, Duration),
    /// Read it to its end, then never answer.
    Stall,
    /// Read no more of it, and never answer.
    NeverRead,
    /// Read it to its end, answer, and send the same bytes again and again until the client goes away.
    Endless(Answer, Vec<u8>),
}

/// What to do with a connection that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Read requests from it.
    Serve,
    /// Reset it before anything is read.
    Reset,
    /// Keep it open, and never read from it.
    Ignore,
}

type Script = dyn Fn(&Request) -> Plan + Send + Sync;
type ConnectionScript = dyn Fn(usize) -> Connection + Send + Sync;

/// A server on 127.0.0.1, on a port of its own; it ends when it is dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    script: Box<Script>,
    connection_script: Box<ConnectionScript>,
    ended: AtomicBool,
    connections: AtomicUsize,
    requests: Mutex<Vec<Request>>,
    changed: Condvar,
    /// A handle on each open connection, to close those whose threads are stuck.
    streams: Mutex<HashMap<usize, TcpStream>>,
}

impl Server {
    /// One that answers everything with 200.
    pub fn start() -> Self {
        Self::scripted(|_| Plan::Answer(Answer::status(200)))
    }

    /// One that does what `script` says, request by request.
    pub fn scripted(script: impl Fn(&Request) -> Plan + Send + Sync + 'static) -> Self {
        Self::with_connections(|_| Connection::Serve, script)
    }

    /// One that does what `connections` says with each connection, by its number from 0, and what `script` says with
    /// each request.
    ///
    /// # Panics
    ///
    /// If no port can be had.
    pub fn with_connections(
        connections: impl Fn(usize) -> Connection + Send + Sync + 'static,
        script: impl Fn(&Request) -> Plan + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        Self::on(listener, connections, script)
    }

    /// One that listens where `listener` does: for a server that comes back at its old address.
    ///
    /// # Panics
    ///
    /// If the listener has no address.
    pub fn on(
        listener: TcpListener,
        connections: impl Fn(usize) -> Connection + Send + Sync + 'static,
        script: impl Fn(&Request) -> Plan + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().expect("a bound socket");
        let shared = Arc::new(Shared {
            script: Box::new(script),
            connection_script: Box::new(connections),
            ended: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            requests: Mutex::default(),
            changed: Condvar::new(),
            streams: Mutex::default(),
        });
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.accept(&listener)
        });
        Self { address, shared, acceptor: Some(acceptor) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A URL of it.
    pub fn url(&self) -> String {
        format!("http://{}/log", self.address)
    }

    /// All requests that were read to their end, in the order of their ends.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests().clone()
    }

    /// The messages of all requests.
    pub fn messages(&self) -> Vec<String> {
        self.shared.requests().iter().map(Request::msg).collect()
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Waits until there are so many requests, and returns all that there are.
    ///
    /// # Panics
    ///
    /// If they do not come within [`LONG`].
    pub fn wait_for(&self, count: usize) -> Vec<Request> {
        let deadline = Instant::now() + LONG;
        let mut requests = self.shared.requests();
        while requests.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} of {count} requests came", requests.len());
            let waited = self.shared.changed.wait_timeout(requests, left);
            requests = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        requests.clone()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the acceptor, which looks at `ended` first.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        for (_, stream) in self.shared.streams().drain() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn requests(&self) -> MutexGuard<'_, Vec<Request>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn streams(&self) -> MutexGuard<'_, HashMap<usize, TcpStream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.ended.load(Ordering::SeqCst) {
                return;
            }
            let Ok(stream) = stream else { continue };
            let number = self.connections.fetch_add(1, Ordering::SeqCst);
            if let Ok(stream) = stream.try_clone() {
                self.streams().insert(number, stream);
            }
            let shared = Arc::clone(self);
            thread::spawn(move || {
                // A connection that breaks is what these tests are about.
                if let Ok(End::Closed) | Err(_) = shared.serve(stream, number) {
                    shared.streams().remove(&number);
                }
            });
        }
    }

    fn serve(&self, mut stream: TcpStream, number: usize) -> io::Result<End> {
        match (self.connection_script)(number) {
            Connection::Serve => {}
            Connection::Reset => return reset(&stream),
            Connection::Ignore => return Ok(End::KeptOpen),
        }
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream.try_clone()?);
        for position in 0.. {
            let Some(mut request) = Request::read_head(&mut reader)? else {
                break;
            };
            (request.connection, request.position) = (number, position);
            let plan = (self.script)(&request);
            match plan {
                Plan::AnswerEarly(answer) => {
                    stream.write_all(answer.bytes())?;
                    return Ok(End::Closed);
                }
                Plan::ResetInBody => return reset(&stream),
                Plan::NeverRead => return Ok(End::KeptOpen),
                _ => {}
            }
            request.read_body(&mut reader)?;
            self.requests().push(request);
            self.changed.notify_all();
            match plan {
                Plan::Answer(answer) => {
                    stream.write_all(answer.bytes())?;
                    if answer.closes() {
                        return Ok(End::Closed);
                    }
                }
                Plan::Trickle(answer, pause) => trickle(&mut stream, answer.bytes(), pause)?,
                Plan::Endless(answer, again) => {
                    stream.write_all(answer.bytes())?;
                    loop {
                        stream.write_all(&again)?;
                    }
                }
                Plan::Stall => {
                    // Until the client gives up.
                    while reader.read(&mut [0; 64])? > 0 {}
                    return Ok(End::Closed);
                }
                Plan::ResetAfterBody => return reset(&stream),
                Plan::CloseAfterBody => return Ok(End::Closed),
                Plan::AnswerEarly(_) | Plan::ResetInBody | Plan::NeverRead => unreachable!("done with above"),
            }
        }
        Ok(End::Closed)
    }
}

/// What became of a connection when its thread was done with it.
enum End {
    Closed,
    KeptOpen,
}

/// Has the connection closed with a RST instead of a FIN, when its last handle is dropped.
fn reset(stream: &TcpStream) -> io::Result<End> {
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))?;
    Ok(End::Closed)
}

fn trickle(stream: &mut TcpStream, bytes: &[u8], pause: Duration) -> io::Result<()> {
    for byte in bytes {
        stream.write_all(std::slice::from_ref(byte))?;
        // A read with a time-out is a pause that ends when the client goes away.
        stream.set_read_timeout(Some(pause))?;
        match stream.peek(&mut [0]) {
            Ok(0) => return Ok(()),
            Err(error) if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                return Err(error);
            }
            _ => {}
        }
    }
    stream.set_read_timeout(None)
}
