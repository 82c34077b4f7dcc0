//! How far a request got: what ureq does not say of one that failed.
//!
//! Whether a request may be made again, and when, depends on whether it has left at all, whether it left on a connection
//! that had been idle, and whether the server stopped reading it. So ureq's connections are watched on their way.
//!
//! Being there, the watcher also saves system calls, of which ureq makes nine for a request where four do: it sends head
//! and body in one write, and looks only once between two requests whether a kept connection is still good.

use std::fmt;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, DefaultConnector, Either, NextTimeout, Transport,
};
use ureq::{Error, Timeout};

use super::tunnel::Tunnel;

/// A stage of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing has left yet; the name may be being looked up.
    Departing,
    /// A connection is being made.
    Connecting,
    /// It is on its way, over a connection that was kept.
    OnKeptConnection,
    /// It is on its way, over a connection made for it.
    OnNewConnection,
    /// An answer has begun to come.
    Answering,
}

const STAGES: [Stage; 5] =
    [Stage::Departing, Stage::Connecting, Stage::OnKeptConnection, Stage::OnNewConnection, Stage::Answering];

/// Where the request at hand is, shared with the connection that it travels on.
#[derive(Clone, Debug, Default)]
pub(super) struct Journey(Arc<Position>);

#[derive(Debug, Default)]
struct Position {
    stage: AtomicU8,
    has_body: AtomicBool,
    unfinished: AtomicBool,
    left_unread: AtomicBool,
    may_connect: AtomicBool,
    wants_connection: AtomicBool,
}

impl Journey {
    /// A new request, with a body or without. One that may not connect fails where there is no connection to be used
    /// again.
    pub(super) fn begin(&self, has_body: bool, may_connect: bool) {
        self.0.has_body.store(has_body, Ordering::Relaxed);
        self.0.unfinished.store(false, Ordering::Relaxed);
        self.0.left_unread.store(false, Ordering::Relaxed);
        self.0.may_connect.store(may_connect, Ordering::Relaxed);
        self.0.wants_connection.store(false, Ordering::Relaxed);
        self.reach(Stage::Departing);
    }

    /// Whether it failed because it may not connect.
    pub(super) fn wants_connection(&self) -> bool {
        self.0.wants_connection.load(Ordering::Relaxed)
    }

    pub(super) fn stage(&self) -> Stage {
        STAGES[usize::from(self.0.stage.load(Ordering::Relaxed))]
    }

    /// Whether the server did not take all of the request, be it with an answer or without.
    pub(super) fn is_unfinished(&self) -> bool {
        self.0.unfinished.load(Ordering::Relaxed)
    }

    /// Whether it closed the connection instead.
    pub(super) fn was_left_unread(&self) -> bool {
        self.0.left_unread.load(Ordering::Relaxed)
    }

    fn reach(&self, stage: Stage) {
        self.0.stage.store(stage as u8, Ordering::Relaxed);
    }
}

/// Makes ureq's connections, and watches them.
#[derive(Debug)]
pub(super) struct WatchingConnector {
    inner: DefaultConnector,
    journey: Journey,
}

impl WatchingConnector {
    pub(super) fn new(journey: Journey) -> Self {
        Self { inner: DefaultConnector::default(), journey }
    }
}

impl Connector for WatchingConnector {
    type Out = Either<WatchedTransport, Tunnel>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<()>) -> Result<Option<Self::Out>, Error> {
        if self.journey.stage() == Stage::Connecting {
            // ureq connects to a proxy by a call from within. No request is on that connection yet.
            let inner = self.inner.connect(details, chained)?;
            return Ok(inner.map(|inner| Either::B(Tunnel::new(inner, self.journey.clone(), details))));
        }
        if !self.journey.0.may_connect.load(Ordering::Relaxed) {
            self.journey.0.wants_connection.store(true, Ordering::Relaxed);
            return Err(Error::ConnectionFailed);
        }
        self.journey.reach(Stage::Connecting);
        let Some(inner) = self.inner.connect(details, chained)? else {
            return Ok(None);
        };
        self.journey.reach(Stage::OnNewConnection);
        let watched = WatchedTransport { inner, journey: self.journey.clone(), held: Vec::new(), broken: None };
        Ok(Some(Either::A(watched)))
    }
}

/// A connection that notes what becomes of the request on it.
pub(super) struct WatchedTransport {
    inner: Box<dyn Transport>,
    journey: Journey,
    /// A request's head, which is sent with the beginning of its body.
    held: Vec<u8>,
    /// Why it can't be written to any more.
    broken: Option<Error>,
}

impl WatchedTransport {
    /// Sends what is held, and behind it so much of the output buffer.
    fn transmit(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if self.held.is_empty() {
            return self.inner.transmit_output(amount, timeout);
        }
        let output = self.inner.buffers().output();
        self.held.extend_from_slice(&output[..amount]);
        for chunk in self.held.chunks(output.len()) {
            self.inner.buffers().output()[..chunk.len()].copy_from_slice(chunk);
            self.inner.transmit_output(chunk.len(), timeout)?;
        }
        self.held.clear();
        Ok(())
    }
}

impl Transport for WatchedTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    /// A server that refuses a large body answers, and closes or just stops reading. What is still being written then
    /// fails, but the answer may be there all the same; so the failure is kept until reading fails too.
    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if self.journey.stage() == Stage::Departing {
            self.journey.reach(Stage::OnKeptConnection);
        }
        if self.journey.0.has_body.swap(false, Ordering::Relaxed) {
            let head = &self.inner.buffers().output()[..amount];
            self.held.clear();
            self.held.extend_from_slice(head);
            return Ok(());
        }
        if self.broken.is_some() {
            return Ok(());
        }
        match self.transmit(amount, timeout) {
            Err(error) if is_disconnect(&error) || matches!(error, Error::Timeout(Timeout::PerWrite)) => {
                self.journey.0.unfinished.store(true, Ordering::Relaxed);
                self.journey.0.left_unread.store(is_disconnect(&error), Ordering::Relaxed);
                self.broken = Some(error);
                Ok(())
            }
            result => result,
        }
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        if !self.held.is_empty() {
            // The body turned out to be empty.
            self.transmit_output(0, timeout)?;
        }
        let read = self.inner.await_input(timeout);
        if let Ok(true) = read {
            self.journey.reach(Stage::Answering);
            return read;
        }
        match self.broken.take() {
            Some(error) => Err(error),
            None => read,
        }
    }

    fn is_open(&mut self) -> bool {
        // Asked when the connection is put back, and again when it is taken out for the next request: that is when the
        // answer matters.
        let is_put_back = self.journey.stage() == Stage::Answering;
        self.broken.is_none() && (is_put_back || self.inner.is_open())
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

impl fmt::Debug for WatchedTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedTransport").field("inner", &self.inner).finish_non_exhaustive()
    }
}

/// Whether the other side has gone.
pub(super) fn is_disconnect(error: &Error) -> bool {
    let Error::Io(error) = error else { return false };
    matches!(
        error.kind(),
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::UnexpectedEof
    )
}
