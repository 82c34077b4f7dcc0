//! A web server on raw TCP that does what a script says, and keeps every request that it got whole.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::LONG;
use crate::link::Link;
use crate::wire::{Answer, Request, Responder};

/// What to do with a request whose head has been read.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Read it to its end, then answer.
    Answer(Answer),
    /// Read it to its end, then answer what is said of it.
    Read(Responder),
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
    /// Read it to its end, then answer with a head at once and a body one byte at a time, with this between them.
    TrickleBody(Answer, Duration),
    /// Read it so many bytes at a time, with this between them, then answer 200.
    SlowRead(usize, Duration),
    /// Read it to its end, then never answer.
    Stall,
    /// Read no more of it, and never answer.
    NeverRead,
    /// Read it to its end, answer, and send the same bytes again and again until the client goes away.
    Endless(Answer, Vec<u8>),
}

impl Plan {
    /// The status that the client learns of, if it stays to listen.
    fn status(&self) -> Option<u16> {
        match self {
            Self::Answer(answer)
            | Self::AnswerEarly(answer)
            | Self::Endless(answer, _)
            | Self::Trickle(answer, _)
            | Self::TrickleBody(answer, _) => answer.read_status(),
            Self::SlowRead(..) => Some(200),
            // `Read` has become an answer before anybody asks.
            Self::Read(_)
            | Self::ResetInBody
            | Self::ResetAfterBody
            | Self::CloseAfterBody
            | Self::Stall
            | Self::NeverRead => None,
        }
    }
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

/// What a server does; unless told otherwise, answers everything with 200.
pub struct ServerBuilder {
    script: Box<Script>,
    connection_script: Box<ConnectionScript>,
    tls: Option<Arc<ServerConfig>>,
}

struct Shared {
    behaviour: ServerBuilder,
    ended: AtomicBool,
    connections: AtomicUsize,
    requests: Mutex<Vec<Request>>,
    changed: Condvar,
    /// A handle on each open connection, to close those whose threads are stuck.
    streams: Mutex<HashMap<usize, TcpStream>>,
}

impl ServerBuilder {
    /// Does what `script` says with each request.
    #[must_use]
    pub fn script(mut self, script: impl Fn(&Request) -> Plan + Send + Sync + 'static) -> Self {
        self.script = Box::new(script);
        self
    }

    /// Does what `connections` says with each connection, by its number from 0.
    #[must_use]
    pub fn connections(mut self, connections: impl Fn(usize) -> Connection + Send + Sync + 'static) -> Self {
        self.connection_script = Box::new(connections);
        self
    }

    /// Speaks TLS.
    #[must_use]
    pub fn tls(mut self, config: Arc<ServerConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// Starts it on a free port.
    ///
    /// # Panics
    ///
    /// If no port can be had.
    pub fn start(self) -> Server {
        self.start_on(TcpListener::bind("127.0.0.1:0").expect("a free port"))
    }

    /// Starts it where `listener` listens: for a server that comes back at its old address.
    ///
    /// # Panics
    ///
    /// If the listener has no address.
    pub fn start_on(self, listener: TcpListener) -> Server {
        let address = listener.local_addr().expect("a bound socket");
        let shared = Arc::new(Shared {
            behaviour: self,
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
        Server { address, shared, acceptor: Some(acceptor) }
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder").finish_non_exhaustive()
    }
}

impl Server {
    /// One that can be told more.
    pub fn builder() -> ServerBuilder {
        ServerBuilder {
            script: Box::new(|_| Plan::Answer(Answer::status(200))),
            connection_script: Box::new(|_| Connection::Serve),
            tls: None,
        }
    }

    /// One that answers everything with 200.
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// One that answers what `respond` says of each request that it has read.
    pub fn responding(respond: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let responder = Responder::new(respond);
        Self::scripted(move |_| Plan::Read(responder.clone()))
    }

    /// One that does what `script` says, request by request.
    pub fn scripted(script: impl Fn(&Request) -> Plan + Send + Sync + 'static) -> Self {
        Self::builder().script(script).start()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A URL of it.
    pub fn url(&self) -> String {
        let scheme = if self.shared.behaviour.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/log", self.address)
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
            let _ = stream.shutdown(std::net::Shutdown::Both);
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

    fn serve(&self, stream: TcpStream, number: usize) -> io::Result<End> {
        match (self.behaviour.connection_script)(number) {
            Connection::Serve => {}
            Connection::Reset => return reset(&stream),
            Connection::Ignore => return Ok(End::KeptOpen),
        }
        stream.set_nodelay(true)?;
        let link = match &self.behaviour.tls {
            Some(config) => {
                let tls = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
                let mut tls = Box::new(StreamOwned::new(tls, stream));
                if let Err(error) = tls.conn.complete_io(&mut tls.sock) {
                    // What the client goes on to send would turn the alert, which says why, into a reset.
                    tls.sock.shutdown(std::net::Shutdown::Write)?;
                    io::copy(&mut tls.sock, &mut io::sink())?;
                    return Err(error);
                }
                Link::Tls(tls)
            }
            None => Link::Plain(stream),
        };
        let mut reader = BufReader::new(link);
        for position in 0.. {
            let Some(mut request) = Request::read_head(&mut reader)? else {
                break;
            };
            (request.connection, request.position) = (number, position);
            let plan = (self.behaviour.script)(&request);
            if let Some(end) = before_the_body(&plan, reader.get_mut())? {
                return Ok(end);
            }
            match plan {
                Plan::SlowRead(step, pause) => request.read_body(&mut reader, step, pause)?,
                _ => request.read_body(&mut reader, usize::MAX, Duration::ZERO)?,
            }
            let plan = match plan {
                Plan::Read(responder) => Plan::Answer(responder.answer(&request)),
                plan => plan,
            };
            request.answered = plan.status();
            self.requests().push(request);
            self.changed.notify_all();
            if let Some(end) = after_the_body(&plan, reader.get_mut())? {
                return Ok(end);
            }
        }
        Ok(End::Closed)
    }
}

/// What the plan says before the body is read; ends the connection, or goes on.
fn before_the_body(plan: &Plan, link: &mut Link) -> io::Result<Option<End>> {
    match plan {
        Plan::AnswerEarly(answer) => {
            link.write_all(answer.bytes())?;
            link.flush()?;
            Ok(Some(End::Closed))
        }
        Plan::ResetInBody => reset(link.socket()).map(Some),
        Plan::NeverRead => Ok(Some(End::KeptOpen)),
        _ => Ok(None),
    }
}

/// What the plan says when the request has been read; ends the connection, or waits for the next request.
fn after_the_body(plan: &Plan, link: &mut Link) -> io::Result<Option<End>> {
    match plan {
        Plan::Answer(answer) => {
            link.write_all(answer.bytes())?;
            link.flush()?;
            if answer.has_late_record() {
                link.send_late_record()?;
            }
            Ok(answer.closes().then_some(End::Closed))
        }
        Plan::Trickle(answer, pause) => trickle(link, answer.bytes(), *pause).map(|()| None),
        Plan::TrickleBody(answer, pause) => {
            let (head, body) = answer.head_and_body();
            link.write_all(head)?;
            trickle(link, body, *pause).map(|()| None)
        }
        Plan::Endless(answer, again) => {
            link.write_all(answer.bytes())?;
            loop {
                link.write_all(again)?;
            }
        }
        Plan::Stall => {
            // Until the client gives up.
            while link.read(&mut [0; 64])? > 0 {}
            Ok(Some(End::Closed))
        }
        Plan::ResetAfterBody => reset(link.socket()).map(Some),
        Plan::CloseAfterBody => Ok(Some(End::Closed)),
        Plan::SlowRead(..) => {
            link.write_all(Answer::status(200).bytes())?;
            Ok(None)
        }
        Plan::Read(_) | Plan::AnswerEarly(_) | Plan::ResetInBody | Plan::NeverRead => Ok(None),
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

fn trickle(link: &mut Link, bytes: &[u8], pause: Duration) -> io::Result<()> {
    for byte in bytes {
        link.write_all(std::slice::from_ref(byte))?;
        link.flush()?;
        thread::park_timeout(pause);
    }
    Ok(())
}
