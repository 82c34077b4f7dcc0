//! The listener: it accepts no more connections than it can serve.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many connections may be open. Others wait in the system's queue.
const MAX_CONNECTIONS: usize = 512;

#[derive(Debug)]
pub(crate) struct Connections {
    listener: TcpListener,
    permits: Arc<Semaphore>,
}

/// Who is at the other end. The connection counts as open until the last clone is gone.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    _permit: Arc<OwnedSemaphorePermit>,
}

impl Connections {
    pub(crate) fn new(listener: TcpListener) -> Self {
        Self { listener, permits: Arc::new(Semaphore::new(MAX_CONNECTIONS)) }
    }
}

impl Listener for Connections {
    type Io = TcpStream;
    type Addr = Peer;

    async fn accept(&mut self) -> (TcpStream, Peer) {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("it is never closed");
        // That of axum tries again where accepting fails.
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // Only slower without.
        drop(stream.set_nodelay(true));
        (stream, Peer { address, _permit: Arc::new(permit) })
    }

    /// Nobody's, since no connection is behind it.
    fn local_addr(&self) -> io::Result<Peer> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().map_err(io::Error::other)?;
        Ok(Peer { address: self.listener.local_addr()?, _permit: Arc::new(permit) })
    }
}

impl Connected<IncomingStream<'_, Connections>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Connections>) -> Self {
        stream.remote_addr().clone()
    }
}
