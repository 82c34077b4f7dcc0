//! ureq's configuration: what delivery needs, and what the user wants beside that.

use std::sync::Arc;
use std::time::Duration;

use ureq::config::{AutoHeaderValue, Config, ConfigBuilder};
use ureq::http::HeaderValue;
use ureq::typestate::AgentScope;
use ureq::{Agent, Proxy};

use super::endpoint::Endpoint;
use super::{HttpHandlerBuilder, Method};
use crate::clock::CENTURY;
use crate::error::Error;

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
/// The same where the dictionary is in the query, which may have 65,534 bytes with the path: a request's head has to fit into it.
const OUTPUT_BUFFER_GET: usize = 96 * 1024;
/// Less would not hold the head of an answer.
const MIN_BUFFER: usize = 4 * 1024;

/// The longest URL that can be set, and the most bytes of headers: with the longest token that can be asked for, they fit
/// into the output buffer.
pub(super) const MAX_URL: usize = 8 * 1024;
pub(super) const MAX_HEADERS: usize = 12 * 1024;
pub(super) const MAX_TOKEN: usize = 8 * 1024;

/// The longest `User-Agent` and the like that can be set beside all of these.
const MAX_USUAL: usize = 1024;

/// A function of the user's that changes what ureq is told.
pub(super) type Adjust = Arc<dyn Fn(ConfigBuilder<AgentScope>) -> ConfigBuilder<AgentScope> + Send + Sync>;

/// The way out.
impl HttpHandlerBuilder {
    /// Changes the configuration of the HTTP client, [ureq](crate::ureq), where no setting does: the one place where its
    /// types show. Defaults to no change.
    ///
    /// `adjust` gets a builder that has all of logpost's settings in it, and is called once, by [`build`](Self::build).
    /// What it sets takes precedence, but for three things that delivery rests on: that an answer is judged by its status
    /// here (`http_status_as_error`), and that redirects are not followed (`max_redirects`, `max_redirects_will_error`).
    /// Time-outs that it takes away are gone: a server that stalls then keeps delivery waiting. A middleware runs on the
    /// listener's thread, and one that panics has the records rejected.
    ///
    /// **Not covered by semver:** what ureq's types are, and do, comes from the version of ureq that logpost uses, which a
    /// minor release of logpost may change. Name them by [`logpost::ureq`](crate::ureq), so that it is the same one.
    ///
    /// A header value with a newline or the like, an output buffer that a request's head may not fit into, an input buffer
    /// below 4 KiB, `https_only` with an http URL, and settings of TLS
    /// that can't work, are errors of [`build`](Self::build).
    ///
    /// ```
    /// use std::time::Duration;
    /// use logpost::HttpHandler;
    /// use logpost::ureq::config::IpFamily;
    ///
    /// let handler = HttpHandler::builder("http://logs.example.com/ingest")
    ///     .agent_config(|config| config.ip_family(IpFamily::Ipv4Only).max_idle_age(Duration::from_secs(60)))
    ///     .build()?;
    /// # Ok::<(), logpost::Error>(())
    /// ```
    #[doc(alias = "getConnection")]
    #[doc(alias = "ureq")]
    pub fn agent_config(
        mut self,
        adjust: impl Fn(ConfigBuilder<AgentScope>) -> ConfigBuilder<AgentScope> + Send + Sync + 'static,
    ) -> Self {
        self.adjust = Some(Arc::new(adjust));
        self
    }
}

/// What a builder knows of connections.
pub(super) struct Connections<'a> {
    pub(super) timeout: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) user_agent: &'a str,
    pub(super) proxy: Option<Proxy>,
    pub(super) method: Method,
    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    pub(super) tls: ureq::tls::TlsConfig,
}

impl Connections<'_> {
    /// What to tell ureq.
    pub(super) fn config(self, endpoint: &Endpoint, adjust: Option<&Adjust>) -> Result<Config, Error> {
        let output_buffer = if self.method == Method::Get { OUTPUT_BUFFER_GET } else { OUTPUT_BUFFER };
        let config = Agent::config_builder()
            .user_agent(self.user_agent)
            .accept("")
            .timeout_global(Some(self.timeout.min(CENTURY)))
            .timeout_resolve(Some(RESOLVE_TIMEOUT))
            .timeout_connect(Some(self.connect_timeout.min(CENTURY)))
            .timeout_per_read(Some(READ_WRITE_TIMEOUT))
            .timeout_per_write(Some(READ_WRITE_TIMEOUT))
            .max_response_header_size(MAX_HEAD)
            .input_buffer_size(INPUT_BUFFER)
            .output_buffer_size(output_buffer)
            .max_idle_age(MAX_IDLE)
            .max_idle_connections(1)
            .proxy(self.proxy);
        #[cfg(any(feature = "rustls", feature = "native-tls"))]
        let config = config.tls_config(self.tls);
        let Some(adjust) = adjust else {
            return Ok(without_redirects(config));
        };
        let config = without_redirects(adjust(config));
        match problem_of(&config, endpoint, output_buffer) {
            Some(problem) => Err(Error::invalid("agent_config", problem)),
            None => Ok(config),
        }
    }
}

fn without_redirects(config: ConfigBuilder<AgentScope>) -> Config {
    config.http_status_as_error(false).max_redirects(0).max_redirects_will_error(false).build()
}

/// What would make ureq panic, or show a secret in an error.
fn problem_of(config: &Config, endpoint: &Endpoint, output_buffer: usize) -> Option<String> {
    for (name, value) in [
        ("user_agent", config.user_agent()),
        ("accept", config.accept()),
        ("accept_encoding", config.accept_encoding()),
    ] {
        if let AutoHeaderValue::Provided(value) = value {
            if HeaderValue::from_str(value).is_err() {
                return Some(format!("{name} has a character that HTTP forbids, such as a newline: {value:?}"));
            }
            if value.len() > MAX_USUAL {
                return Some(format!("{name} must not be longer than {MAX_USUAL} bytes, but has {}", value.len()));
            }
        }
    }
    for (name, size, least) in [
        ("input_buffer_size", config.input_buffer_size(), MIN_BUFFER),
        ("output_buffer_size", config.output_buffer_size(), output_buffer),
    ] {
        if size < least {
            return Some(format!("{name} must be {least} at least, but is {size}"));
        }
    }
    if config.https_only() && !endpoint.is_https() {
        return Some(format!("https_only is set, but the URL is {endpoint}"));
    }
    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    if let Some((setting, problem)) = super::tls::problem_of(config.tls_config()) {
        return Some(format!("{setting}: {problem}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::HttpHandler;

    type Change = fn(ConfigBuilder<AgentScope>) -> ConfigBuilder<AgentScope>;

    fn adjusted(adjust: Change) -> Result<HttpHandler, Error> {
        HttpHandler::builder("http://127.0.0.1:9/").agent_config(adjust).build()
    }

    #[test]
    fn what_ureq_would_panic_over_is_an_error() {
        let changes: [(Change, &str); 5] = [
            (|config| config.user_agent("a".repeat(40_000)), "user_agent"),
            (|config| config.user_agent("a\nb"), "user_agent"),
            (|config| config.accept("a\r"), "accept"),
            (|config| config.output_buffer_size(0), "output_buffer_size"),
            (|config| config.https_only(true), "https_only"),
        ];
        for (change, name) in changes {
            let error = adjusted(change).unwrap_err();
            assert_eq!(error.setting(), Some("agent_config"));
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    /// The feature is missing, or else root certificates are, which ureq would look for among features of its own.
    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    #[test]
    fn tls_that_can_not_work_is_an_error() {
        let error = adjusted(|config| {
            let provider = ureq::tls::TlsProvider::NativeTls;
            config.tls_config(ureq::tls::TlsConfig::builder().provider(provider).build())
        });
        assert_eq!(error.unwrap_err().setting(), Some("agent_config"));
    }

    #[test]
    fn what_delivery_rests_on_stays() {
        let handler =
            adjusted(|config| config.http_status_as_error(true).max_redirects(5).accept("text/plain")).unwrap();
        let config = handler.client.config();
        assert!(!config.http_status_as_error() && !config.max_redirects_will_error());
        assert_eq!(config.max_redirects(), 0);
        assert!(matches!(config.accept(), AutoHeaderValue::Provided(value) if **value == "text/plain"));
    }
}
