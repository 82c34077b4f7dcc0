//! A web server for tests: it keeps what it is sent, and answers as it is told.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::answer::Answer;
use super::form::FormData;
use super::receiver::Receiver;
use super::request::Request;
use super::wait::{WaitError, Watched};

/// Larger bodies are not kept, and answered 413; that of a compressed one is its size before compression. 16 MiB.
pub const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// A web server in the test's own process: it keeps what it is sent, decoded, and answers as it is told.
///
/// It tests what [`CaptureHandler`](crate::CaptureHandler) does not get to: the mapper, encoding, headers and retries
/// that your server will see. It takes every path, and GET as well as POST. What is sent by others than logpost, Python's
/// `HTTPHandler` for one, it decodes alike.
///
/// ```
/// use std::time::Duration;
/// use logpost::testing::Server;
/// use logpost::{Fields, HttpHandler, LogRecord};
///
/// /// What is to be tested.
/// fn notification(record: &LogRecord, fields: &mut Fields) {
///     let priority = if record.level() == log::Level::Error { 1 } else { 0 };
///     fields.push("text", record.message()).push("priority", priority);
/// }
///
/// let server = Server::start()?;
/// let handler = HttpHandler::builder(format!("{}/notify", server.url()))
///     .credentials("user", "secret")
///     .map_log_record(notification)
///     .build()?;
/// let (logger, _guard) = logpost::builder().handler(handler).build()?;
///
/// log::error!(logger: logger, "disk full");
/// let forms = server.wait_for(1, Duration::from_secs(5))?;
/// assert_eq!(forms[0], [("text", "disk full"), ("priority", "1")]);
/// let request = &server.requests()[0];
/// assert_eq!((request.method(), request.path()), ("POST", "/notify"));
/// assert_eq!(request.header("Authorization"), Some("Basic dXNlcjpzZWNyZXQ="));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// How your program fares when the server fails:
///
/// ```
/// # use std::time::Duration;
/// # use logpost::HttpHandler;
/// # use logpost::testing::Server;
/// let server = Server::start()?;
/// server.answer_next(2, 503);
/// let (logger, guard) = logpost::builder().handler(HttpHandler::new(server.url())?).on_error(|_| ()).build()?;
///
/// log::info!(logger: logger, "hello");
/// guard.flush(Duration::from_secs(5))?;
/// let statuses: Vec<_> = server.requests().iter().map(|request| request.status()).collect();
/// assert_eq!(statuses, [Some(503), Some(503), Some(200)]);
/// assert_eq!(server.forms().len(), 1); // of the request that was accepted
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Dropping it closes its connections and its port; from then on clients are refused. It speaks HTTP/1.1 without TLS, on
/// 127.0.0.1 alone. What is logged on its thread, by the libraries that it is made of, is ignored.
#[doc(alias = "MockServer")]
#[doc(alias = "HTTPServer")]
#[doc(alias = "wiremock")]
#[doc(alias = "httpmock")]
pub struct Server {
    url: String,
    state: Arc<Watched<State>>,
    /// Serves as long as it lives.
    _receiver: Receiver,
}

impl Server {
    /// Starts a server on a free port. It answers everything with 200, and has a thread of its own.
    ///
    /// # Errors
    ///
    /// If the system has no port or no thread left.
    pub fn start() -> io::Result<Self> {
        Self::start_with(MAX_BODY_BYTES)
    }

    fn start_with(max_body: usize) -> io::Result<Self> {
        let state = Arc::new(Watched::<State>::default());
        let answering = Arc::clone(&state);
        let receiver = Receiver::start(max_body, move |request, readable| {
            answering.change(|state| state.take(request, readable))
        })?;
        Ok(Self { url: format!("http://{}", receiver.address()), state, _receiver: receiver })
    }

    /// Its URL, without a path: `http://127.0.0.1:49152`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The forms of all requests that were answered 2xx so far, in the order in which they arrived.
    ///
    /// One that was answered otherwise is sent again, so its forms would come twice; [`Request::forms`] has them.
    pub fn forms(&self) -> Vec<FormData> {
        self.state.look().forms()
    }

    /// All requests so far, whatever they were answered, in the order in which they arrived.
    pub fn requests(&self) -> Vec<Request> {
        self.state.look().requests.clone()
    }

    /// Waits until `count` forms or more are accepted, and returns all, as [`forms`](Self::forms) does.
    ///
    /// # Errors
    ///
    /// If they have not come when `timeout` is over; the error lists the requests that came instead.
    pub fn wait_for(&self, count: usize, timeout: Duration) -> Result<Vec<FormData>, WaitError> {
        let state = self.state.wait_until(timeout, |state| state.accepted >= count);
        if state.accepted >= count {
            return Ok(state.forms());
        }
        Err(state.wait_error((count, "form"), state.accepted, timeout))
    }

    /// Waits until there are `count` requests or more, whatever they were answered, and returns all.
    ///
    /// # Errors
    ///
    /// If they have not come when `timeout` is over.
    pub fn wait_for_requests(&self, count: usize, timeout: Duration) -> Result<Vec<Request>, WaitError> {
        let state = self.state.wait_until(timeout, |state| state.requests.len() >= count);
        if state.requests.len() >= count {
            return Ok(state.requests.clone());
        }
        Err(state.wait_error((count, "request"), state.requests.len(), timeout))
    }

    /// Answers like this from now on, behind those of [`answer_next`](Self::answer_next). Defaults to 200.
    ///
    /// Requests that can't be read are answered 400, 413 or 415 all the same.
    ///
    /// # Panics
    ///
    /// As [`Answer::new`], if a status is given that is none.
    #[doc(alias = "respond")]
    #[track_caller]
    pub fn answer(&self, answer: impl Into<Answer>) {
        let answer = answer.into();
        self.state.change(|state| state.answer = answer);
    }

    /// Answers the next `count` requests like this, behind those that such calls have been made for before.
    ///
    /// # Panics
    ///
    /// As [`Answer::new`], if a status is given that is none.
    #[track_caller]
    pub fn answer_next(&self, count: usize, answer: impl Into<Answer>) {
        let answer = answer.into();
        self.state.change(|state| state.next.push_back((count, answer)));
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("url", &self.url).field("requests", &self.requests()).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct State {
    requests: Vec<Request>,
    /// How many forms the accepted ones of them have.
    accepted: usize,
    answer: Answer,
    /// How often, and what.
    next: VecDeque<(usize, Answer)>,
}

impl State {
    /// Keeps a request, and says what to answer: what was ordered, unless it could not be read.
    fn take(&mut self, mut request: Request, readable: Result<(), u16>) -> Answer {
        let answer = match readable {
            Ok(()) => self.next_answer(),
            Err(status) => Answer::new(status),
        };
        request.status = answer.status();
        if request.is_accepted() {
            self.accepted += request.forms.len();
        }
        self.requests.push(request);
        answer
    }

    fn next_answer(&mut self) -> Answer {
        while let Some((left, answer)) = self.next.front_mut() {
            if let Some(less) = left.checked_sub(1) {
                *left = less;
                return answer.clone();
            }
            self.next.pop_front();
        }
        self.answer.clone()
    }

    fn forms(&self) -> Vec<FormData> {
        self.requests.iter().filter(|request| request.is_accepted()).flat_map(Request::forms).cloned().collect()
    }

    fn wait_error(&self, wanted: (usize, &'static str), arrived: usize, timeout: Duration) -> WaitError {
        WaitError::new(wanted, arrived, timeout, self.requests.iter().map(ToString::to_string))
    }
}
