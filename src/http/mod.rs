//! Python's `HTTPHandler`: a dictionary for each record, encoded, to a web server.

mod accept;
mod agent;
mod body;
mod builder;
mod classes;
mod client;
mod dictionary;
mod encoding;
mod endpoint;
mod idempotency;
mod journey;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "json")]
pub mod presets;
mod proxy;
mod reason;
mod resolve;
mod retry_after;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod tls;
mod token;
mod tunnel;
mod urlencode;

use std::fmt;

use ureq::http::{HeaderMap, HeaderName, HeaderValue, header};

pub use self::builder::{DEFAULT_CONNECT_TIMEOUT, DEFAULT_TIMEOUT, DEFAULT_USER_AGENT, HttpHandlerBuilder, Method};
pub use self::encoding::{Encode, Form, FormLines, Judge, Verdict};
#[cfg(feature = "json")]
pub use self::json::{FormField, Json, JsonLines};
#[cfg(any(feature = "rustls", feature = "native-tls"))]
pub use self::tls::TlsProvider;

/// The HTTP client, for [`HttpHandlerBuilder::agent_config`]: the very version that is used here. Not covered by semver.
#[doc(no_inline)]
pub use ureq;

use self::body::BodyWriter;
use self::client::{Call, Client};
use self::endpoint::Endpoint;
use self::idempotency::Keys;
use crate::error::Error;
use crate::handler::{Batch, Cancel, EmitError, Handler};
use crate::record::LogRecord;

/// Sends records to a web server: a form each, or by another [encoding](HttpHandlerBuilder::encoding).
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
#[doc(alias = "HTTPHandler")]
#[doc(alias = "webhook")]
pub struct HttpHandler {
    endpoint: Endpoint,
    method: Method,
    headers: HeaderMap,
    batch: Batch,
    body: BodyWriter,
    client: Client,
    keys: Keys,
    unread: Unread,
}

/// Attempts in a row at the same large body that the server closed before it had all of it.
#[derive(Debug, Default)]
struct Unread {
    key: Option<HeaderValue>,
    attempts: u32,
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

    /// The same handler, with a function in place of the system's resolver.
    #[cfg(test)]
    pub(crate) fn resolving(
        mut self,
        lookup: impl Fn(&str) -> std::io::Result<Vec<std::net::SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        self.client = self.client.resolving(resolve::CachingResolver::new(lookup));
        self
    }

    fn send(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        use ureq::http::Method as Verb;
        let Self { client, endpoint, headers, body, .. } = self;
        body.prepare(records);
        if self.method == Method::Get {
            let uri = endpoint.with_query(&String::from_utf8_lossy(body.bytes()));
            let uri = uri.map_err(|error| EmitError::payload(format!("no URL can hold the record: {error}")))?;
            return client.send(Call { method: &Verb::GET, uri: &uri, headers, body: None, records: 1, size: 0 });
        }
        let key = self.keys.key(records);
        headers.insert(IDEMPOTENCY_KEY, key.clone());
        match body.content_encoding() {
            Some(coding) => headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding)),
            None => headers.remove(header::CONTENT_ENCODING),
        };
        let (uri, records, size) = (endpoint.uri(), records.len(), body.size());
        let sent = client.send(Call { method: &Verb::POST, uri, headers, body: Some(body.bytes()), records, size });
        if client.was_left_unread() && body.bytes().len() >= LARGE_BODY {
            self.unread.judge(key, body.bytes().len(), sent)
        } else {
            self.unread = Unread::default();
            sent
        }
    }
}

impl Unread {
    /// A server that refuses a large body may close before its 413 can be read. Where that happens again and again with
    /// the same body, it is taken for one.
    fn judge(&mut self, key: HeaderValue, size: usize, sent: Result<(), EmitError>) -> Result<(), EmitError> {
        if self.key.as_ref() != Some(&key) {
            *self = Self { key: Some(key), attempts: 0 };
        }
        self.attempts += 1;
        if self.attempts < UNREAD_IS_REFUSED {
            return sent;
        }
        *self = Self::default();
        let text = format!("the server closed the connection while {size} bytes were sent, again and again");
        Err(EmitError::payload(text))
    }
}

/// Whether https can be spoken.
const HAS_TLS: bool = cfg!(any(feature = "rustls", feature = "native-tls"));
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Below this size a closed connection says nothing about a body.
const LARGE_BODY: usize = 64 * 1024;
/// After so many times, it is the body.
const UNREAD_IS_REFUSED: u32 = 3;

impl Handler for HttpHandler {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        // A listener offers no more than a request can hold; who calls this directly may.
        let mut before = 0;
        for part in records.chunks(self.batch.records()) {
            match self.send(part) {
                Err(error) if !error.delivers_all(part.len()) => {
                    return Err(error.at(&self.endpoint).among(before, part.len(), records.len()));
                }
                _ => before += part.len(),
            }
        }
        Ok(())
    }

    fn batch(&self) -> Batch {
        self.batch
    }

    fn portion(&mut self, records: &[LogRecord]) -> usize {
        self.body.fill(records)
    }

    fn another(&self) -> Option<Box<dyn Handler>> {
        Some(Box::new(Self {
            endpoint: self.endpoint.clone(),
            method: self.method,
            headers: self.headers.clone(),
            batch: self.batch,
            body: self.body.clone(),
            client: self.client.another(),
            keys: Keys::new(),
            unread: Unread::default(),
        }))
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
            .field("batch", &self.batch)
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
        let body = |builder: HttpHandlerBuilder| {
            let mut handler = builder.field("msg", 1).field("service", "x").build().unwrap();
            handler.body.prepare(std::slice::from_ref(&record));
            String::from_utf8(handler.body.bytes().to_vec()).unwrap()
        };
        let default = body(builder());
        assert!(default.ends_with("&extra_msg=1&service=x&k=v"), "{default}");
        let mapped = body(builder().map_log_record(|_, fields| {
            fields.push("a", 1);
        }));
        assert_eq!(mapped, "a=1&msg=1&service=x");
    }

    #[test]
    fn a_portion_is_what_the_body_may_hold() {
        let batch = Batch::default().max_bytes(40);
        let handler = builder().encoding(FormLines).batch(batch).map_log_record(|record, fields| {
            fields.push("msg", record.message());
        });
        let mut handler = handler.build().unwrap();
        let record = |text: &str| LogRecord::from(&log::Record::builder().args(format_args!("{text}")).build());
        let short: Vec<_> = (0..10).map(|_| record("0123456")).collect();
        assert_eq!(handler.portion(&short), 3, "12 bytes each");
        assert_eq!(handler.portion(&[record(&"x".repeat(100))]), 1, "one record is sent, whatever its size");
        handler.body.prepare(&short[..2]);
        assert_eq!(handler.body.bytes(), b"msg=0123456\nmsg=0123456\n");
    }

    #[cfg(feature = "json")]
    #[test]
    fn an_encoding_that_is_set_wrong_is_an_error() {
        let nameless = builder().encoding(FormField(""));
        assert_eq!(problem(nameless), ("encoding", "encoding: the form's field has no name".to_owned()));
        assert_eq!(problem(builder().encoding(Json).method(Method::Get)).0, "encoding");
        builder().encoding(FormField("json")).build().unwrap();
    }

    /// What ends a body counts, and the body is whole whatever it holds.
    #[cfg(feature = "json")]
    #[test]
    fn a_portion_has_room_for_its_end() {
        let record = |text: &str| LogRecord::from(&log::Record::builder().args(format_args!("{text}")).build());
        let records: Vec<_> = (0..10).map(|_| record("0123456")).collect();
        let one = r#"{"msg":"0123456"}"#.len();
        for (max_bytes, portion) in [(1, 1), (2 * one + 2, 1), (2 * one + 3, 2), (3 * one + 3, 2), (3 * one + 4, 3)] {
            let batch = Batch::default().max_bytes(max_bytes);
            let handler = builder().encoding(Json).batch(batch).only(["msg"]);
            let mut handler = handler.build().unwrap();
            assert_eq!(handler.portion(&records), portion, "{max_bytes}");
            let body = String::from_utf8(handler.body.bytes().to_vec()).unwrap();
            assert!(body.len() <= max_bytes || portion == 1, "{body}");
            assert_eq!(body, format!("[{}]", vec![r#"{"msg":"0123456"}"#; portion].join(",")));
        }
    }

    #[test]
    fn batches_that_the_encoding_can_not_hold_are_errors() {
        assert_eq!(problem(builder().batch(Batch::default())).0, "batch");
        assert_eq!(problem(builder().encoding(FormLines).method(Method::Get)).0, "encoding");
        assert_eq!(problem(builder().encoding(FormLines).batch(Batch::default().max_records(0))).0, "max_records");
        assert_eq!(problem(builder().encoding(FormLines).batch(Batch::default().max_bytes(0))).0, "max_bytes");
        assert!(builder().encoding(FormLines).build().is_ok());
        assert!(builder().batch(Batch::single()).build().is_ok());
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
