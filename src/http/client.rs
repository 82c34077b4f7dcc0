//! One request over ureq, and what came of it.

use std::fmt;
use std::io::Read as _;
use std::time::{Duration, Instant, SystemTime};

use ureq::http::{HeaderMap, Method, Request, Response, Uri, header};
use ureq::{Agent, Body, Proxy};

use super::classes;
use super::journey::{Journey, Stage, WatchingConnector, is_disconnect};
use super::reason::Reason;
use super::resolve::CachingResolver;
use super::retry_after;
use crate::clock::CENTURY;
use crate::handler::{Cancel, EmitError};

/// How a client connects.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// How long a request may take in all, and how long of that connecting.
    pub(super) timeout: Duration,
    pub(super) connect_timeout: Duration,
    /// Whether a proxy that the environment names is used.
    pub(super) environment_proxy: bool,
    #[cfg(feature = "rustls")]
    pub(super) tls: ureq::tls::TlsConfig,
}

/// How long a name lookup may take.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the server may take none of what is sent, or say nothing.
const READ_WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection is kept for the next request. Servers close theirs after 5 s and more.
const MAX_IDLE: Duration = Duration::from_secs(4);
/// How much of an answer's head is read; a longer one is an error.
const MAX_HEAD: usize = 16 * 1024;
/// The buffers of a connection. ureq's own are 128 KiB each, and filling them with zeros is most of what it costs to make a
/// connection.
const INPUT_BUFFER: usize = 2 * MAX_HEAD;
const OUTPUT_BUFFER: usize = 32 * 1024;
/// How much of an answer's body is read to keep the connection; a longer one closes it.
const MAX_BODY: usize = 64 * 1024;
/// For how long it is read: a connection can be made anew in less.
const MAX_DRAIN: Duration = Duration::from_secs(1);

/// Requests to one server, over connections that are kept.
pub(super) struct Client {
    settings: Settings,
    agent: Agent,
    resolver: CachingResolver,
    journey: Journey,
    buffer: Box<[u8]>,
}

impl Client {
    pub(super) fn new(settings: Settings) -> Self {
        Self::with_resolver(settings, CachingResolver::system())
    }

    pub(super) fn with_resolver(settings: Settings, resolver: CachingResolver) -> Self {
        let journey = Journey::default();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("logpost/", env!("CARGO_PKG_VERSION")))
            .accept("")
            .timeout_global(Some(settings.timeout.min(CENTURY)))
            .timeout_resolve(Some(RESOLVE_TIMEOUT))
            .timeout_connect(Some(settings.connect_timeout.min(CENTURY)))
            .timeout_per_read(Some(READ_WRITE_TIMEOUT))
            .timeout_per_write(Some(READ_WRITE_TIMEOUT))
            .max_response_header_size(MAX_HEAD)
            .input_buffer_size(INPUT_BUFFER)
            .output_buffer_size(OUTPUT_BUFFER)
            .max_idle_age(MAX_IDLE)
            .max_idle_connections(1)
            .proxy(if settings.environment_proxy { Proxy::try_from_env() } else { None });
        #[cfg(feature = "rustls")]
        let config = config.tls_config(settings.tls.clone());
        let config = config.build();
        Self {
            settings,
            agent: Agent::with_parts(config, WatchingConnector::new(journey.clone()), resolver.clone()),
            resolver,
            journey,
            buffer: vec![0; 4096].into(),
        }
    }

    /// Sends one request. An error's text says what happened, but not where to.
    pub(super) fn send(
        &mut self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: Option<&[u8]>,
    ) -> Result<(), EmitError> {
        match self.run(method, uri, headers, body) {
            Ok(answer) => self.judge(answer, uri),
            Err(error) => {
                self.resolver.forget();
                Err(self.describe(error))
            }
        }
    }

    /// What a request that got no answer means, by what went wrong and by how far it came.
    fn describe(&self, error: ureq::Error) -> EmitError {
        let disconnected = is_disconnect(&error);
        let error = EmitError::new(classes::of_error(&error), error);
        match self.journey.stage() {
            Stage::Departing | Stage::Connecting => error.not_arrived(),
            // A server may close an idle connection at the very moment at which it is used again. Nothing is wrong then.
            Stage::OnKeptConnection if disconnected => error.retry_at_once(),
            _ => error,
        }
    }

    /// Whether the server closed the connection before it had all of the last request, and said nothing.
    pub(super) fn was_left_unread(&self) -> bool {
        self.journey.was_left_unread() && self.journey.stage() != Stage::Answering
    }

    /// The same client, with another resolver.
    #[cfg(test)]
    pub(super) fn resolving(&self, resolver: CachingResolver) -> Self {
        Self::with_resolver(self.settings.clone(), resolver)
    }

    /// A client like this one, with connections of its own.
    pub(super) fn another(&self) -> Self {
        Self::new(self.settings.clone())
    }

    /// Fails the request under way, and all that follow.
    pub(super) fn cancel(&self) -> Cancel {
        let agent = self.agent.clone();
        Box::new(move || agent.clone().shutdown())
    }

    fn run(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: Option<&[u8]>,
    ) -> Result<Response<Body>, ureq::Error> {
        let mut request = Request::new(());
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = headers.clone();
        self.journey.begin(body.is_some());
        match body {
            Some(body) => self.agent.run(request.map(|()| body)),
            None => self.agent.run(request),
        }
    }

    fn judge(&mut self, answer: Response<Body>, uri: &Uri) -> Result<(), EmitError> {
        let (parts, mut body) = answer.into_parts();
        let status = parts.status;
        // Also where the verdict is clear: a connection whose answer is not read to its end can't be used again.
        let reason = self.drain(&mut body);
        let Err(class) = classes::of_status(status.as_u16()) else {
            if self.journey.is_unfinished() {
                let text = format!("the server answered {status} before it had read the request");
                return Err(EmitError::transient(text));
            }
            return Ok(());
        };
        let reason = reason.without_secrets_of(uri);
        let mut error = EmitError::new(class, format!("the server answered {status}{reason}"));
        if classes::is_refusal(status.as_u16()) {
            error = error.not_arrived();
        }
        let asked_for = parts.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        if let Some(delay) = asked_for.and_then(|value| retry_after::parse(value, SystemTime::now())) {
            error = error.retry_after(delay);
        }
        Err(error)
    }

    /// Reads the answer to its end, unless that is too far away, and returns its beginning for an error message. What
    /// fails here changes nothing about the answer.
    fn drain(&mut self, body: &mut Body) -> Reason {
        let mut reader = body.as_reader();
        let mut reason = Reason::default();
        let (mut read, began) = (0, Instant::now());
        while let Ok(count @ 1..) = reader.read(&mut self.buffer) {
            reason.add(&self.buffer[..count]);
            read += count;
            if read > MAX_BODY || began.elapsed() > MAX_DRAIN {
                break;
            }
        }
        reason
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // ureq's own Debug would show a proxy's password.
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
