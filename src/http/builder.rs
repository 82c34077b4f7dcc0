//! Settings of an `HttpHandler`, checked once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ureq::http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::accept::{Accept, Judges};
use super::agent::{Adjust, Connections, MAX_HEADERS};
use super::body::BodyWriter;
use super::client::Client;
use super::dictionary::Mapping;
use super::encoding::{Encode, Form};
use super::endpoint::{Credentials, Endpoint};
use super::idempotency::Keys;
use super::proxy::ProxySetting;
use super::token::{self, BearerToken, TokenSource};
use super::{HttpHandler, IDEMPOTENCY_KEY, Unread};
use crate::error::Error;
use crate::handler::Batch;

/// How long one request may take in all, from the name lookup to the end of the answer: 30 s.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long it may take to connect, TLS and the way through a proxy included: 5 s.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// What requests say that they come from: `logpost/` and the version.
pub const DEFAULT_USER_AGENT: &str = concat!("logpost/", env!("CARGO_PKG_VERSION"));

/// The method of the requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// The dictionary is the body. This is the default (Python's is GET).
    #[default]
    Post,
    /// The dictionary is the query: joined to the URL's own by `&`, or else behind a `?`. Servers limit its length, many
    /// of them to 8 KiB; a record that makes path and query longer than 65,534 bytes is rejected. A GET has no
    /// `Idempotency-Key`.
    Get,
}

/// Configures an [`HttpHandler`]; made by [`HttpHandler::builder`].
#[derive(Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct HttpHandlerBuilder {
    url: String,
    method: Method,
    credentials: Option<(String, String)>,
    pub(super) token: Option<BearerToken>,
    user_agent: Option<String>,
    headers: Vec<(String, String)>,
    pub(super) mapping: Mapping,
    encoding: Arc<dyn Encode>,
    pub(super) accept: Option<Accept>,
    batch: Option<Batch>,
    #[cfg(feature = "gzip")]
    gzip_above: Option<usize>,
    timeout: Duration,
    connect_timeout: Duration,
    pub(super) proxy: ProxySetting,
    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    pub(super) tls: super::tls::TlsSettings,
    pub(super) adjust: Option<Adjust>,
    /// What is wrong with what a preset was given: the setting, and why.
    #[cfg(feature = "json")]
    pub(super) problem: Option<(&'static str, String)>,
}

impl HttpHandlerBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            method: Method::default(),
            credentials: None,
            token: None,
            user_agent: None,
            headers: Vec::new(),
            mapping: Mapping::default(),
            encoding: Arc::new(Form),
            accept: None,
            batch: None,
            #[cfg(feature = "gzip")]
            gzip_above: None,
            timeout: DEFAULT_TIMEOUT,
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            proxy: ProxySetting::default(),
            #[cfg(any(feature = "rustls", feature = "native-tls"))]
            tls: super::tls::TlsSettings::default(),
            adjust: None,
            #[cfg(feature = "json")]
            problem: None,
        }
    }

    /// The method. Defaults to [`Method::Post`].
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// A user and password, sent with every request as `Authorization: Basic` ([RFC 7617], in UTF-8) without being
    /// asked for, as Python does. Defaults to those in the URL, if it has any.
    ///
    /// They travel in the clear unless the URL is https.
    ///
    /// [RFC 7617]: https://www.rfc-editor.org/rfc/rfc7617
    #[doc(alias = "basic_auth")]
    pub fn credentials(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Some((user.into(), password.into()));
        self
    }

    /// Adds a header to every request; one name may be given several times. Defaults to none. Those that make up the
    /// message itself (`Content-Length`, `Content-Type` and the like) are not to be set.
    #[doc(alias = "with_headers")]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The header `User-Agent`, which a proxy gets too; without one if it is empty. Defaults to [`DEFAULT_USER_AGENT`].
    ///
    /// A character that HTTP forbids in it, such as a newline, is an error of [`build`](Self::build); so is the header of
    /// that name beside it.
    ///
    /// ```
    /// use logpost::HttpHandler;
    ///
    /// let handler = HttpHandler::builder("http://127.0.0.1:9020/log").user_agent("checkout/1.4").build()?;
    /// # Ok::<(), logpost::Error>(())
    /// ```
    #[doc(alias = "User-Agent")]
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = Some(user_agent.into());
        self
    }

    /// How a body is made of dictionaries. Defaults to [`Form`]: one record a request. With
    /// [`FormLines`](crate::FormLines), records are sent in batches.
    ///
    /// ```
    /// use std::time::Duration;
    /// use logpost::{Batch, FormLines, HttpHandler};
    ///
    /// let handler = HttpHandler::builder("http://127.0.0.1:9020/log")
    ///     .encoding(FormLines)
    ///     .batch(Batch::default().max_records(1000).linger(Duration::from_millis(100)))
    ///     .build()?;
    /// # Ok::<(), logpost::Error>(())
    /// ```
    #[doc(alias = "Formatter")]
    #[doc(alias = "Layout")]
    pub fn encoding(mut self, encoding: impl Encode) -> Self {
        self.encoding = Arc::new(encoding);
        self
    }

    /// How many records a request takes, and how long to wait for them. Defaults to [`Batch::default`] where the
    /// encoding takes several, and else to one record, at once.
    pub fn batch(mut self, batch: Batch) -> Self {
        self.batch = Some(batch);
        self
    }

    /// Compresses bodies of more than `bytes` bytes, and says so by `Content-Encoding: gzip`; the server has to
    /// understand that. Defaults to never. Below a few hundred bytes it does not pay.
    #[cfg(feature = "gzip")]
    #[doc(alias = "with_compression")]
    pub fn gzip_above(mut self, bytes: usize) -> Self {
        self.gzip_above = Some(bytes);
        self
    }

    /// How long one request may take in all. Defaults to [`DEFAULT_TIMEOUT`]. Within it, 10 s without any progress, or
    /// 5 s for a name lookup, end a request too.
    #[doc(alias = "with_timeout")]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long it may take to connect, TLS and the way through a proxy included. Defaults to [`DEFAULT_CONNECT_TIMEOUT`].
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Checks all settings. It makes no connection.
    ///
    /// # Errors
    ///
    /// A URL that is not an absolute http or https one, https without a TLS feature, a header or a user agent that HTTP
    /// forbids or that is not to be set, a user with a colon, a token that can't be sent, fields that contradict each
    /// other, a new name that is not [safe](Self::safe_names) where names have to be, an encoding that is set wrong or
    /// that a GET can't carry, two settings that make the same header, a time-out of zero, a proxy that is none, PEM
    /// without what it is to have, a certificate without its key.
    pub fn build(self) -> Result<HttpHandler, Error> {
        #[cfg(feature = "json")]
        if let Some((setting, problem)) = self.problem {
            return Err(Error::invalid(setting, problem));
        }
        let (endpoint, from_url) = Endpoint::parse(&self.url)?;
        let explicit = self.credentials.map(|(user, password)| Credentials { user, password });
        let batch =
            self.batch.unwrap_or(if self.encoding.max_records() == 1 { Batch::single() } else { Batch::default() });
        batch.validate()?;
        self.mapping.validate()?;
        if let Some(problem) = self.encoding.problem() {
            return Err(Error::invalid("encoding", problem));
        }
        if self.method == Method::Get && self.encoding.max_records() != 1 {
            return Err(Error::invalid("encoding", "a GET can hold one form only"));
        }
        #[cfg(feature = "gzip")]
        if self.method == Method::Get && self.gzip_above.is_some() {
            return Err(Error::invalid("gzip_above", "a GET has no body"));
        }
        if batch.records() > self.encoding.max_records() {
            let (asked, possible) = (batch.records(), self.encoding.max_records());
            let problem = format!("of {asked} records, but the encoding takes {possible} a request");
            return Err(Error::invalid("batch", problem));
        }
        let mut headers = HeaderMap::new();
        if self.method == Method::Post {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.encoding.content_type()));
        }
        let mut source = None;
        match (self.token, explicit.or(from_url)) {
            (Some(token), Some(_)) => {
                return Err(Error::invalid(token.setting(), "credentials are given too, or the URL has a user"));
            }
            (Some(BearerToken::Fixed(token)), None) => {
                headers.insert(header::AUTHORIZATION, token::fixed(&token)?);
            }
            (Some(BearerToken::Asked(ask)), None) => source = Some(TokenSource::new(ask)),
            (None, Some(credentials)) => {
                headers.insert(header::AUTHORIZATION, basic(&credentials)?);
            }
            (None, None) => {}
        }
        for (name, value) in &self.headers {
            let (name, value) = parse_header(name, value)?;
            if name == header::AUTHORIZATION && (source.is_some() || headers.contains_key(&name)) {
                let problem = format!("{name:?} is given, and credentials, a token or another one too");
                return Err(Error::invalid("header", problem));
            }
            if name == header::USER_AGENT && self.user_agent.is_some() {
                return Err(Error::invalid("header", format!("{name:?} is given, and `user_agent` too")));
            }
            headers.append(name, value);
        }
        let judges = Judges::new(self.accept, self.encoding.judge());
        if !judges.is_empty() && !headers.contains_key(header::ACCEPT_ENCODING) {
            // Without it a server may compress its answer, which nobody here would understand.
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        let user_agent = self.user_agent.as_deref().unwrap_or(DEFAULT_USER_AGENT);
        let sizes = headers.iter().map(|(name, value)| name.as_str().len() + value.len());
        let size = sizes.sum::<usize>() + user_agent.len();
        if size > MAX_HEADERS {
            let problem =
                format!("all headers, a token included, must not be longer than {MAX_HEADERS} bytes, but are {size}");
            return Err(Error::invalid("header", problem));
        }
        if HeaderValue::from_str(user_agent).is_err() {
            let problem = format!("{user_agent:?} has a character that HTTP forbids, such as a newline");
            return Err(Error::invalid("user_agent", problem));
        }
        for (setting, timeout) in [("timeout", self.timeout), ("connect_timeout", self.connect_timeout)] {
            if timeout.is_zero() {
                return Err(Error::invalid(setting, "must be longer than 0s"));
            }
        }
        let connections = Connections {
            timeout: self.timeout,
            connect_timeout: self.connect_timeout,
            user_agent,
            proxy: self.proxy.of(&endpoint)?,
            method: self.method,
            #[cfg(any(feature = "rustls", feature = "native-tls"))]
            tls: self.tls.config()?,
        };
        let config = connections.config(&endpoint, self.adjust.as_ref())?;
        let body = BodyWriter::new(self.mapping, self.encoding, batch.bytes());
        #[cfg(feature = "gzip")]
        let body = body.gzip_above(self.gzip_above);
        Ok(HttpHandler {
            endpoint,
            method: self.method,
            headers,
            batch,
            body,
            client: Client::new(config, source, judges),
            keys: Keys::new(),
            unread: Unread::default(),
        })
    }
}

/// Secrets are left out.
impl fmt::Debug for HttpHandlerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("HttpHandlerBuilder");
        shown
            .field("method", &self.method)
            .field("fields", &self.mapping.static_fields.keys())
            .field("safe_names", &self.mapping.safe_names)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("proxy", &self.proxy);
        #[cfg(any(feature = "rustls", feature = "native-tls"))]
        shown.field("danger_accept_invalid_certs", &self.tls.accepts_invalid_certs());
        shown.finish_non_exhaustive()
    }
}

fn basic(credentials: &Credentials) -> Result<HeaderValue, Error> {
    let Credentials { user, password } = credentials;
    // RFC 7617, section 2: the first colon ends the user, and control characters are forbidden in both.
    if user.contains(':') {
        return Err(Error::invalid("credentials", "the user must not contain a colon"));
    }
    if user.chars().chain(password.chars()).any(char::is_control) {
        return Err(Error::invalid("credentials", "neither part may contain a control character"));
    }
    let encoded = BASE64_STANDARD.encode(format!("{user}:{password}"));
    let mut value = HeaderValue::try_from(format!("Basic {encoded}"))
        .map_err(|_| Error::invalid("credentials", "too long for a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Headers that are part of how a message is framed, or that the encoding sets.
const NOT_TO_BE_SET: [HeaderName; 9] = [
    IDEMPOTENCY_KEY,
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::EXPECT,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

fn parse_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Error> {
    let parsed = HeaderName::try_from(name)
        .map_err(|_| Error::invalid("header", format!("{name:?} is not a header name that HTTP allows")))?;
    if NOT_TO_BE_SET.contains(&parsed) {
        return Err(Error::invalid("header", format!("{name:?} is logpost's to set")));
    }
    // The value may be a secret; its name and what is wrong have to do.
    let mut value = HeaderValue::try_from(value).map_err(|_| {
        Error::invalid("header", format!("the value of {name:?} has a character that HTTP forbids, such as a newline"))
    })?;
    value.set_sensitive(true);
    Ok((parsed, value))
}
