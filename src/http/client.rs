//! One request over ureq, and what came of it.

use std::fmt;
use std::io::Read as _;
use std::time::Duration;

use ureq::http::{HeaderMap, Method, Request, Uri};
use ureq::tls::TlsConfig;
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body};

use super::resolve::CachingResolver;
use super::status::classify;
use crate::handler::{EmitError, ErrorClass};

/// The time-outs of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeouts {
    pub(super) call: Duration,
    pub(super) connect: Duration,
}

/// How long a name lookup may take.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the server may take none of what is sent, or say nothing.
const READ_WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection is kept for the next request. Servers close theirs after 5 s and more.
const MAX_IDLE: Duration = Duration::from_secs(4);
/// How much of an answer's body is read to keep the connection; a longer one closes it.
const MAX_BODY: usize = 64 * 1024;
/// How much of a refusal's body is worth telling.
const MAX_REASON: usize = 200;

/// Requests to one server, over connections that are kept.
pub(super) struct Client {
    agent: Agent,
    resolver: CachingResolver,
    buffer: Box<[u8]>,
}

impl Client {
    pub(super) fn new(timeouts: Timeouts) -> Self {
        let resolver = CachingResolver::system();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("logpost/", env!("CARGO_PKG_VERSION")))
            .accept("")
            .timeout_global(Some(timeouts.call))
            .timeout_resolve(Some(RESOLVE_TIMEOUT))
            .timeout_connect(Some(timeouts.connect))
            .timeout_per_read(Some(READ_WRITE_TIMEOUT))
            .timeout_per_write(Some(READ_WRITE_TIMEOUT))
            .max_idle_age(MAX_IDLE)
            .max_idle_connections(1)
            .tls_config(TlsConfig::default())
            .build();
        Self {
            agent: Agent::with_parts(config, DefaultConnector::default(), resolver.clone()),
            resolver,
            buffer: vec![0; 4096].into(),
        }
    }

    /// Sends one request. An error's text says what happened, but not where to.
    pub(super) fn send(
        &mut self,
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: Option<&[u8]>,
    ) -> Result<(), EmitError> {
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let (parts, ()) = request.into_parts();
        let sent = match body {
            Some(body) => self.agent.run(Request::from_parts(parts, body)),
            None => self.agent.run(Request::from_parts(parts, ())),
        };
        let answer = sent.map_err(|error| {
            self.resolver.forget();
            EmitError::new(class_of(&error), error)
        })?;
        let (parts, mut body) = answer.into_parts();
        let verdict = classify(parts.status.as_u16());
        // Also where the verdict is clear: a connection whose answer is not read to its end can't be used again.
        let reason = self.drain(&mut body);
        verdict.map_err(|class| EmitError::new(class, format!("the server answered {}{reason}", parts.status)))
    }

    /// Reads the answer to its end, and returns its beginning for an error message. What fails here changes nothing
    /// about the answer.
    fn drain(&mut self, body: &mut Body) -> Reason {
        let mut reader = body.as_reader();
        let mut reason = Reason::default();
        let mut read = 0;
        while let Ok(count @ 1..) = reader.read(&mut self.buffer) {
            reason.add(&self.buffer[..count]);
            read += count;
            if read > MAX_BODY {
                break;
            }
        }
        reason
    }
}

/// The beginning of a refusal's body, fit for one line.
#[derive(Default)]
struct Reason(Vec<u8>);

impl Reason {
    fn add(&mut self, bytes: &[u8]) {
        let room = MAX_REASON - self.0.len();
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(&self.0);
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.is_empty() {
            Ok(())
        } else {
            write!(f, ": {}", line.escape_debug())
        }
    }
}

/// What a request that got no answer means for the records. Without an answer they may arrive another time.
fn class_of(error: &ureq::Error) -> ErrorClass {
    match error {
        // The certificate, the proxy, the settings: nothing that another attempt would change.
        ureq::Error::Tls(_)
        | ureq::Error::TlsRequired
        | ureq::Error::BadUri(_)
        | ureq::Error::Http(_)
        | ureq::Error::InvalidProxyUrl
        | ureq::Error::ConnectProxyFailed(_)
        | ureq::Error::RequireHttpsOnly(_) => ErrorClass::Endpoint,
        #[cfg(feature = "rustls")]
        ureq::Error::Rustls(_) | ureq::Error::Pem(_) => ErrorClass::Endpoint,
        _ => ErrorClass::Transient,
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // ureq's own Debug would show a proxy's password.
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_short_line() {
        let mut reason = Reason::default();
        assert_eq!(reason.to_string(), "");
        reason.add(b" no\r\n such\x1b[31m field");
        assert_eq!(reason.to_string(), r": no such\u{1b}[31m field");
        reason.add(&[b'x'; 1000]);
        assert!(reason.to_string().len() < 220);
    }
}
