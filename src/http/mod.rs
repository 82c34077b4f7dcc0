//! Python's `HTTPHandler`: a dictionary for each record, urlencoded, to a web server.

mod builder;
mod classes;
mod client;
mod encode;
mod endpoint;
mod idempotency;
mod journey;
mod resolve;
mod retry_after;
#[cfg(feature = "rustls")]
mod tls;

use std::fmt;

use ureq::http::{HeaderMap, HeaderName};

pub use self::builder::{DEFAULT_CONNECT_TIMEOUT, DEFAULT_TIMEOUT, HttpHandlerBuilder, Method};

use self::builder::Mapper;
use self::client::Client;
use self::endpoint::Endpoint;
use self::idempotency::Keys;
use crate::error::Error;
use crate::fields::{Fields, map_core, map_key_values};
use crate::handler::{Cancel, EmitError, ErrorClass, Handler};
use crate::record::LogRecord;

/// Sends each record to a web server, as a form.
///
/// A record becomes a dictionary ([`map_log_record`](crate::map_log_record)), and that a request: the body of a POST, or
/// the query of a GET. The connection is kept for the next one. Redirects are not followed, since they would turn a POST
/// into a GET.
///
/// ```
/// use std::time::Duration;
/// use logpost::HttpHandler;
///
/// let handler = HttpHandler::builder("https://logs.example.com/ingest")
///     .credentials("user", "secret")
///     .header("X-Environment", "production")
///     .field("service", "checkout")
///     .timeout(Duration::from_secs(10))
///     .build();
/// # #[cfg(feature = "rustls")]
/// # handler.unwrap();
/// ```
pub struct HttpHandler {
    endpoint: Endpoint,
    method: Method,
    headers: HeaderMap,
    static_fields: Fields,
    mapper: Option<Mapper>,
    client: Client,
    keys: Keys,
    /// Large bodies in a row that the server stopped reading before their end.
    left_unread: u32,
    /// Storage for the record at hand.
    fields: Fields,
    body: String,
}

impl HttpHandler {
    /// A handler with all the defaults.
    ///
    /// # Errors
    ///
    /// If `url` is not an absolute http or https URL.
    pub fn new(url: impl Into<String>) -> Result<Self, Error> {
        Self::builder(url).build()
    }

    /// Configures a handler that sends to `url`. A user and password in it are taken as
    /// [`credentials`](HttpHandlerBuilder::credentials).
    pub fn builder(url: impl Into<String>) -> HttpHandlerBuilder {
        HttpHandlerBuilder::new(url.into())
    }

    fn map(&mut self, record: &LogRecord) {
        let Self { fields, static_fields, .. } = self;
        fields.clear();
        if let Some(mapper) = &self.mapper {
            mapper(record, fields);
            for (key, value) in static_fields.iter() {
                fields.push(key, value);
            }
        } else {
            map_core(record, fields);
            for (key, value) in static_fields.iter() {
                fields.push_extra(key, value);
            }
            map_key_values(record, fields);
        }
    }

    fn send(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        use ureq::http::Method as Verb;
        let Self { client, endpoint, headers, body, .. } = self;
        match self.method {
            Method::Post => {
                headers.insert(IDEMPOTENCY_KEY, self.keys.key(records));
                let sent = client.send(&Verb::POST, endpoint.uri(), headers, Some(body.as_bytes()));
                self.judge_unread(sent)
            }
            Method::Get => {
                let uri = endpoint.with_query(body);
                let uri = uri.map_err(|error| EmitError::payload(format!("no URL can hold the record: {error}")))?;
                client.send(&Verb::GET, &uri, headers, None)
            }
        }
    }

    /// A server that refuses a large body may close before its 413 can be read. Where that happens again and again, it
    /// is taken for one.
    fn judge_unread(&mut self, sent: Result<(), EmitError>) -> Result<(), EmitError> {
        let transient = |error: &EmitError| error.class() == ErrorClass::Transient;
        if self.body.len() < LARGE_BODY || !self.client.was_left_unread() || !sent.as_ref().is_err_and(transient) {
            self.left_unread = 0;
            return sent;
        }
        self.left_unread += 1;
        if self.left_unread < UNREAD_IS_REFUSED {
            return sent;
        }
        self.left_unread = 0;
        let size = self.body.len();
        Err(EmitError::payload(format!(
            "the server closed the connection while {size} bytes were sent, again and again"
        )))
    }
}

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Below this size a closed connection says nothing about a body.
const LARGE_BODY: usize = 64 * 1024;
/// After so many times, it is the body.
const UNREAD_IS_REFUSED: u32 = 3;

impl Handler for HttpHandler {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        for record in records {
            self.map(record);
            self.body.clear();
            encode::append_form(&self.fields, &mut self.body);
            self.send(std::slice::from_ref(record)).map_err(|error| error.at(&self.endpoint))?;
        }
        Ok(())
    }

    fn cancel(&self) -> Option<Cancel> {
        Some(self.client.cancel())
    }
}

/// Shows where it sends to, and no secret.
impl fmt::Debug for HttpHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpHandler")
            .field("endpoint", &self.endpoint)
            .field("method", &self.method)
            .field("static_fields", &self.static_fields.keys())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn builder() -> HttpHandlerBuilder {
        HttpHandler::builder("http://user:hunter2@127.0.0.1:9/hook/hunter2?token=hunter2")
    }

    fn problem(builder: HttpHandlerBuilder) -> (&'static str, String) {
        let error = builder.build().unwrap_err();
        (error.setting().unwrap(), error.to_string())
    }

    #[test]
    fn settings_that_are_wrong_are_named() {
        assert_eq!(problem(builder().header("X Y", "z")).0, "header");
        assert_eq!(problem(builder().header("", "z")).0, "header");
        assert_eq!(problem(builder().header("content-length", "5")).0, "header");
        assert_eq!(problem(builder().header("authorization", "Bearer x")).0, "header");
        assert_eq!(problem(builder().credentials("a:b", "c")).0, "credentials");
        assert_eq!(problem(builder().credentials("a", "c\n")).0, "credentials");
        assert_eq!(problem(builder().timeout(Duration::ZERO)).0, "timeout");
        assert_eq!(problem(builder().connect_timeout(Duration::ZERO)).0, "connect_timeout");
        let (setting, text) = problem(builder().header("X-Key", "hunter2\r\nEvil: 1"));
        assert_eq!(setting, "header");
        assert!(text.contains("X-Key") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn debug_shows_no_secret() {
        let builder = builder().header("X-Key", "hunter2").field("token", "hunter2");
        let shown = format!("{builder:?}{:?}", builder.clone().build().unwrap());
        assert!(!shown.contains("hunter2") && shown.contains("127.0.0.1:9"), "{shown}");
    }

    #[test]
    fn static_fields_come_before_key_values_and_behind_a_mapper() {
        let pairs: &[_] = &[("k", "v")];
        let record = LogRecord::from(&log::Record::builder().key_values(&pairs).build());
        let mapped = |builder: HttpHandlerBuilder| {
            let mut handler = builder.field("msg", 1).field("service", "x").build().unwrap();
            handler.map(&record);
            let keys: Vec<_> = handler.fields.iter().map(|(key, _)| key.to_owned()).collect();
            keys.join(" ")
        };
        let default = mapped(builder());
        assert!(default.ends_with("process extra_msg service k"), "{default}");
        assert_eq!(
            mapped(builder().map_log_record(|_, fields| {
                fields.push("a", 1);
            })),
            "a msg service"
        );
    }

    #[test]
    fn a_query_that_no_url_can_hold_is_a_refusal() {
        let mut handler = builder().method(Method::Get).build().unwrap();
        let long = "x".repeat(70_000);
        let record = LogRecord::from(&log::Record::builder().args(format_args!("{long}")).build());
        let error = handler.emit(&[record]).unwrap_err();
        assert_eq!(error.class(), crate::ErrorClass::Payload);
    }
}
