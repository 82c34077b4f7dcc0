//! Which proxy leads to the server, if any.

use std::fmt;

use ureq::{Proxy, ProxyProtocol};

use super::endpoint::{Endpoint, problem_of, redacted, without_userinfo};
use super::{HAS_TLS, HttpHandlerBuilder};
use crate::error::Error;

/// The setting.
#[derive(Clone, Default)]
pub(super) enum ProxySetting {
    #[default]
    Environment,
    Never,
    Url(String),
}

/// Proxies.
impl HttpHandlerBuilder {
    /// Connects through the proxy at `url`, wherever the server is. Defaults to what the environment says, see below.
    ///
    /// The scheme is `http`, `https` (which needs a TLS feature), `socks4`, `socks4a`, `socks5` (also `socks`) or `socks5h`;
    /// without one it is `http`. A user and password in it, percent-encoded, are for the proxy. Anything else is an error of
    /// [`build`](Self::build).
    ///
    /// A proxy of `http` or `https` is asked for a tunnel, by `CONNECT`, also where the server's URL is http. It has to
    /// allow that to the server's port: many do for 443 only. It looks the server's name up itself, as those of `socks4a`
    /// and `socks5h` do. What it answers to `CONNECT` counts by the table of answers, but never against the records: 5xx is
    /// [`Transient`](crate::ErrorClass::Transient), 407 and 403 are [`Endpoint`](crate::ErrorClass::Endpoint). The
    /// connection's time-outs include it.
    ///
    /// ```
    /// use logpost::HttpHandler;
    ///
    /// let handler = HttpHandler::builder("http://logs.example.com:9020/ingest")
    ///     .proxy("http://user:p%40ss@proxy.example.com:3128")
    ///     .build()?;
    /// # Ok::<(), logpost::Error>(())
    /// ```
    ///
    /// # The environment
    ///
    /// Unless this or [`no_proxy`](Self::no_proxy) is called, [`build`](Self::build) reads `ALL_PROXY`, `all_proxy`,
    /// `HTTPS_PROXY`, `https_proxy`, `HTTP_PROXY` and `http_proxy`, in this order and whatever the scheme of the server's
    /// URL is: the first that is a proxy's URL is taken, others are passed over without a word. (So `HTTPS_PROXY` is used
    /// for http too, and before `HTTP_PROXY`: that is ureq's order, and not curl's.)
    ///
    /// `NO_PROXY`, or else `no_proxy`, has the hosts that are reached without it: names and addresses as they stand in the
    /// URL, with commas and no spaces between them. `.example.com` and `*.example.com` are all hosts below that domain but
    /// not the domain itself, `10.*` all that begin so, `*` all. There are no ports and no networks like `10.0.0.0/8`.
    ///
    /// A server on `localhost` or a loopback address is reached without a proxy of the environment's, in any case.
    #[doc(alias = "ALL_PROXY")]
    #[doc(alias = "HTTPS_PROXY")]
    #[doc(alias = "HTTP_PROXY")]
    #[doc(alias = "set_tunnel")]
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = ProxySetting::Url(url.into());
        self
    }

    /// Connects to the server itself, whatever the environment says. Defaults to what the environment says: see
    /// [`proxy`](Self::proxy), which it takes back.
    ///
    /// ```
    /// use logpost::HttpHandler;
    ///
    /// let handler = HttpHandler::builder("http://logs.example.com/ingest").no_proxy().build()?;
    /// # Ok::<(), logpost::Error>(())
    /// ```
    #[doc(alias = "NO_PROXY")]
    pub fn no_proxy(mut self) -> Self {
        self.proxy = ProxySetting::Never;
        self
    }
}

impl ProxySetting {
    /// The proxy for a server.
    pub(super) fn of(&self, endpoint: &Endpoint) -> Result<Option<Proxy>, Error> {
        let proxy = match self {
            Self::Never => None,
            Self::Environment if endpoint.is_loopback() => None,
            Self::Environment => Proxy::try_from_env(),
            Self::Url(url) => Some(parse(url)?),
        };
        match &proxy {
            Some(proxy) if proxy.protocol() == ProxyProtocol::Https && !HAS_TLS => {
                let of = if proxy.is_from_env() { ", which the environment names," } else { "" };
                let problem =
                    format!("{}{of} needs TLS: enable logpost's feature `rustls` or `native-tls`", Shown(proxy));
                Err(Error::invalid("proxy", problem))
            }
            _ => Ok(proxy),
        }
    }
}

/// Without a user and password.
impl fmt::Debug for ProxySetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("Environment"),
            Self::Never => f.write_str("Never"),
            Self::Url(url) => f.debug_tuple("Url").field(&redacted(url)).finish(),
        }
    }
}

fn parse(url: &str) -> Result<Proxy, Error> {
    let invalid = |problem: &str| Error::invalid("proxy", format!("{:?} {problem}", redacted(url)));
    if let Some((scheme, _)) = url.split_once("://") {
        if ProxyProtocol::try_from(scheme).is_err() {
            return Err(invalid("must begin with http://, https://, socks4://, socks4a://, socks5:// or socks5h://"));
        }
    }
    let proxy = Proxy::new(url).map_err(|_| invalid("is not a proxy's URL"))?;
    let authority = proxy.uri().authority().and_then(without_userinfo);
    match authority.map_or(Some("it has no host"), |authority| problem_of(&authority)) {
        Some(problem) => Err(invalid(&format!("is not a proxy's URL: {problem}"))),
        None => Ok(proxy),
    }
}

/// A proxy's scheme, host and port.
pub(super) struct Shown<'a>(pub(super) &'a Proxy);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let proxy = self.0;
        let scheme = proxy.protocol().to_string().to_ascii_lowercase();
        write!(f, "{scheme}://{}:{}", proxy.host(), proxy.port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(proxy: &str, server: &str) -> Result<Option<Proxy>, Error> {
        ProxySetting::Url(proxy.to_owned()).of(&Endpoint::parse(server).unwrap().0)
    }

    #[test]
    fn what_is_not_a_proxy_is_an_error_without_its_secrets() {
        for url in [
            "",
            "ftp://u:s3cret@proxy",
            "http://",
            "http://u:s3cret@:3128",
            "http://u:s3cret@proxy:0",
            "http://u:s3cret@proxy:99999",
            "http://u:s3cret@pro xy:3128",
            "u:s3cret@proxy:x",
            "http://u:%ff@proxy",
            "http://u:s3cret\n@proxy",
            "/s3cret",
        ] {
            let error = choose(url, "http://h/").expect_err(url);
            assert_eq!(error.setting(), Some("proxy"));
            assert!(!error.to_string().contains("cret"), "{error}");
        }
    }

    #[test]
    fn good_proxies() {
        for (url, shown) in [
            ("proxy:3128", "http://proxy:3128"),
            ("proxy", "http://proxy:80"),
            ("http://u:p%40ss@proxy:3128/", "http://proxy:3128"),
            ("http://[::1]:3128", "http://[::1]:3128"),
            ("socks5h://u:p@proxy", "socks5h://proxy:1080"),
            ("SOCKS://proxy:9", "socks5://proxy:9"),
        ] {
            // Also to a loopback address: that it is wanted was said.
            let proxy = choose(url, "http://127.0.0.1/").unwrap().unwrap();
            assert_eq!(Shown(&proxy).to_string(), shown);
        }
        let proxy = choose("http://u:p%40ss@proxy", "http://h/").unwrap().unwrap();
        assert_eq!((proxy.username(), proxy.password()), (Some("u"), Some("p@ss")));
    }

    #[test]
    fn never_is_never_and_loopback_is_not_the_environments_business() {
        let remote = Endpoint::parse("http://logs.example.com/").unwrap().0;
        assert!(ProxySetting::Never.of(&remote).unwrap().is_none());
        let local = Endpoint::parse("http://localhost:1/").unwrap().0;
        assert!(ProxySetting::Environment.of(&local).unwrap().is_none());
    }

    #[test]
    fn a_proxy_by_https_needs_tls() {
        assert_eq!(choose("https://proxy", "http://h/").is_ok(), HAS_TLS);
    }
}
