//! HTTP, by hyper on a thread of its own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;

use super::answer::{Answer, Kind};
use super::request::{CONTENT_TOO_LARGE, Request};
use crate::queue::mark_listener_thread;

/// Reads requests and sends answers, as long as it lives.
pub(super) struct Receiver {
    address: SocketAddr,
    /// Dropped to end the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What is asked for an answer. It is told the status to answer with where a request could not be read.
type Serve = dyn Fn(Request, Result<(), u16>) -> Answer + Send + Sync;

impl Receiver {
    /// Starts to listen on a free port. Bodies of more than `max_body` bytes are not read to their end.
    pub(super) fn start(
        max_body: usize,
        serve: impl Fn(Request, Result<(), u16>) -> Answer + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let (tell, outcome) = sync_channel(1);
        // The runtime lives and dies there: where the test itself is async, one can't be dropped on its thread.
        let thread = thread::Builder::new().name("logpost testing".to_owned()).spawn(move || {
            mark_listener_thread();
            if let Err(error) = run(listener, max_body, Arc::new(serve), &tell, stopped) {
                let _ = tell.send(Err(error));
            }
        })?;
        let receiver = Self { address, stop: Some(stop), thread: Some(thread) };
        outcome.recv().map_err(io::Error::other)??;
        Ok(receiver)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Waits for the thread's end, so that clients are refused from now on. It can't take long: the runtime drops whatever
/// its tasks wait for, and none of them blocks.
impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(
    listener: TcpListener,
    max_body: usize,
    serve: Arc<Serve>,
    tell: &SyncSender<io::Result<()>>,
    stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        tokio::spawn(accept(tokio::net::TcpListener::from_std(listener)?, max_body, serve));
        let _ = tell.send(Ok(()));
        let _ = stopped.await;
        Ok(())
    })
}

async fn accept(listener: tokio::net::TcpListener, max_body: usize, serve: Arc<Serve>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // The client has gone, or the system is short of something for a moment.
            tokio::task::yield_now().await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let serve = Arc::clone(&serve);
        let service = service_fn(move |request| answer(request, max_body, Arc::clone(&serve)));
        // Who has said all that it has to say still wants its answer.
        let connection = http1::Builder::new().half_close(true).serve_connection(TokioIo::new(stream), service);
        // A connection that breaks is its client's affair.
        tokio::spawn(connection);
    }
}

/// An error ends the connection.
async fn answer(
    request: hyper::Request<Incoming>,
    max_body: usize,
    serve: Arc<Serve>,
) -> io::Result<hyper::Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut request = Request {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(ToOwned::to_owned),
        headers: head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
        body: Vec::new(),
        forms: Vec::new(),
        status: None,
    };
    let readable = match Limited::new(body, max_body).collect().await {
        Ok(body) => {
            request.body = body.to_bytes().into();
            request.decode(max_body)
        }
        Err(error) if error.is::<LengthLimitError>() => Err(CONTENT_TOO_LARGE),
        Err(error) => return Err(io::Error::other(error)),
    };
    match serve(request, readable).0 {
        Kind::Send(answer) => {
            let mut response = hyper::Response::new(Full::from(answer.body));
            *response.status_mut() = answer.status;
            *response.headers_mut() = answer.headers;
            Ok(response)
        }
        Kind::Disconnect => Err(io::ErrorKind::ConnectionAborted.into()),
        Kind::Hang => std::future::pending().await,
    }
}
