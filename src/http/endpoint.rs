//! The URL that records are sent to, taken apart once.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use percent_encoding::percent_decode_str;
use ureq::http::Uri;
use ureq::http::uri::{Authority, PathAndQuery};

use super::HAS_TLS;
use super::agent::MAX_URL;
use crate::error::Error;

/// Where to send, without the user and password that the URL may have named.
#[derive(Clone)]
pub(super) struct Endpoint {
    uri: Uri,
}

/// A user and a password.
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

impl Endpoint {
    pub(super) fn parse(url: &str) -> Result<(Self, Option<Credentials>), Error> {
        let invalid = |problem: String| Error::invalid("url", problem);
        if url.is_empty() {
            return Err(invalid("must not be empty".to_owned()));
        }
        if url.len() > MAX_URL {
            return Err(invalid(format!("must not be longer than {MAX_URL} bytes, but has {}", url.len())));
        }
        if url.trim() != url {
            return Err(invalid(format!("must not begin or end with white space, but is {:?}", redacted(url))));
        }
        let no_scheme = || invalid(format!("must begin with http:// or https://, but is {:?}", redacted(url)));
        let (_, behind) = url.split_once("://").ok_or_else(no_scheme)?;
        if behind.is_empty() || behind.starts_with(['/', '?', '#']) {
            return Err(invalid(format!("{:?} has no host", redacted(url))));
        }
        // A fragment is the business of browsers; it is never sent.
        let sent = url.split_once('#').map_or(url, |(sent, _)| sent);
        let not_a_url = |cause: &dyn fmt::Display| invalid(format!("{:?} is not a URL: {cause}", redacted(url)));
        let uri: Uri = sent.parse().map_err(|error| not_a_url(&error))?;
        match uri.scheme_str() {
            None => return Err(no_scheme()),
            Some("http") => {}
            Some("https") if HAS_TLS => {}
            Some("https") => {
                let url = redacted(url);
                let problem = format!("{url:?} needs TLS: enable logpost's feature `rustls` or `native-tls`");
                return Err(invalid(problem));
            }
            Some(scheme) => {
                return Err(invalid(format!("the scheme must be http or https, but is {scheme:?}")));
            }
        }
        let (userinfo, host) = split_userinfo(uri.authority().map_or("", Authority::as_str));
        let host: Authority = host.parse().map_err(|error| not_a_url(&error))?;
        if let Some(problem) = problem_of(&host) {
            return Err(not_a_url(&problem));
        }
        if !uri.path_and_query().is_none_or(|path| path.as_str().is_ascii()) {
            return Err(not_a_url(&"its path and query have to be percent-encoded"));
        }
        let credentials = userinfo.map(Credentials::from_userinfo).transpose()?;
        let mut parts = uri.into_parts();
        parts.authority = Some(host);
        let uri = Uri::from_parts(parts).map_err(|error| not_a_url(&error))?;
        Ok((Self { uri }, credentials))
    }

    /// Whether it is on this machine, where no proxy leads.
    pub(super) fn is_loopback(&self) -> bool {
        let host = self.uri.host().unwrap_or_default();
        let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        host == "localhost" || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }

    pub(super) fn is_https(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The URL with `query` added to its own query, as Python's `HTTPHandler` does for GET: behind `?`, or behind `&` if
    /// there is a `?` already. Where that one still has nothing behind it, Python's `&` would only make an empty pair.
    pub(super) fn with_query(&self, query: &str) -> Result<Uri, ureq::http::Error> {
        let own = self.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let separator = match own.split_once('?') {
            Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
            Some(_) => "&",
            None => "?",
        };
        let mut parts = self.uri.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::try_from(format!("{own}{separator}{query}"))?);
        Ok(Uri::from_parts(parts)?)
    }
}

/// Scheme, host and port alone: the path and the query of a webhook are as good as a password.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let authority = self.uri.authority().map_or("", Authority::as_str);
        write!(f, "{scheme}://{authority}")
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Credentials {
    /// Of `user:password` as it stands in a URL, percent-encoded.
    fn from_userinfo(userinfo: &str) -> Result<Self, Error> {
        let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        let decoded = |text| {
            percent_decode_str(text)
                .decode_utf8()
                .map(Into::into)
                .map_err(|_| Error::invalid("url", "the user or the password in it is not UTF-8 when percent-decoded"))
        };
        let credentials = Self { user: decoded(user)?, password: decoded(password)? };
        Ok(credentials)
    }
}

fn split_userinfo(authority: &str) -> (Option<&str>, &str) {
    match authority.rsplit_once('@') {
        Some((userinfo, host)) => (Some(userinfo), host),
        None => (None, authority),
    }
}

/// Host and port alone, if there are any.
pub(super) fn without_userinfo(authority: &Authority) -> Option<Authority> {
    split_userinfo(authority.as_str()).1.parse().ok()
}

/// What is wrong with a host and its port, where the `http` crate is content.
pub(super) fn problem_of(authority: &Authority) -> Option<&'static str> {
    let host = authority.host();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if host.is_empty() {
        return Some("it has no host");
    }
    if address.is_some_and(|address| address.parse::<Ipv6Addr>().is_err()) {
        return Some("what is in brackets is not an IPv6 address");
    }
    let port = authority.as_str().strip_prefix(host).and_then(|rest| rest.strip_prefix(':'));
    let is_valid =
        |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse().is_ok_and(|port: u16| port > 0);
    (!port.is_none_or(is_valid)).then_some("its port is not from 1 to 65535")
}

/// The URL for an error message, without what may be a secret: user, password, path and query.
pub(super) fn redacted(url: &str) -> String {
    let is_scheme = |text: &&str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    let scheme = url.split_once("://").map(|(scheme, _)| scheme).filter(is_scheme);
    let rest = scheme.map_or(url, |scheme| &url[scheme.len() + 3..]);
    // A password with a slash in it ends the authority early for a parser, but is still nobody's business.
    let (user, rest) = rest.rsplit_once('@').map_or(("", rest), |(_, rest)| ("***@", rest));
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let hidden = if host.len() < rest.len() { "/***" } else { "" };
    // Where the host was forgotten, what looks like a port is a password.
    let (host, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.bytes().all(|byte| byte.is_ascii_digit()) && !host.ends_with(']') => (name, ":***"),
        _ => (host, ""),
    };
    let scheme = scheme.map(|scheme| format!("{scheme}://")).unwrap_or_default();
    format!("{scheme}{user}{host}{port}{hidden}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(url: &str) -> String {
        Endpoint::parse(url).map(|_| ()).expect_err(url).to_string()
    }

    #[test]
    fn what_is_not_a_url_is_said() {
        for url in [
            "",
            "/log",
            "localhost:9020",
            "example.com/log",
            "http://",
            "http:///log",
            "http://a b/",
            "ftp://a/",
            "x",
            "http://h:99999/",
            "http://h:0/",
            "http://h:/",
            "http://h:x/",
            "http://h/ü",
            "http://[::1/",
            "http://[::1]:0/",
            "http://[]/",
            "http://[x]/",
            "http://h:+80/",
            "http://h?q=ü",
        ] {
            let problem = problem(url);
            assert!(problem.starts_with("url: "), "{url}: {problem}");
        }
        assert_eq!(problem("/log"), r#"url: must begin with http:// or https://, but is "/***""#);
    }

    #[test]
    fn secrets_are_left_out_of_errors() {
        for url in [
            "http://u:s3cret@ho st/",
            "//u:s3cret@host/",
            "http://u:s3/cret@ho st/",
            "http://ho st/s3cret",
            "http://h:0/s3cret",
            "u:s3cret@host",
            "x y?token=s3cret",
            "x y#s3cret",
            "http://u:s3cret",
            "u:s3cret@h/x?next=http://y",
            "hooks.example.com/services/s3cret",
            "http:/hooks.example.com/s3cret",
            "//h/s3cret",
        ] {
            let problem = problem(url);
            assert!(!problem.contains("cret"), "{problem}");
        }
    }

    #[test]
    fn user_and_password_are_taken_out() {
        let (endpoint, credentials) = Endpoint::parse("http://us%40er:p%3Ass@host:81/log?a=b#part").unwrap();
        let credentials = credentials.unwrap();
        assert_eq!((credentials.user.as_str(), credentials.password.as_str()), ("us@er", "p:ss"));
        assert_eq!(endpoint.uri(), "http://host:81/log?a=b");
        assert_eq!(format!("{endpoint} {endpoint:?}"), "http://host:81 http://host:81");
        assert!(Endpoint::parse("http://host").unwrap().1.is_none());
        assert!(problem("http://%ff@host/").contains("UTF-8"));
    }

    #[test]
    fn a_query_is_joined_before_any_fragment() {
        for (url, joined) in [
            ("http://h/p", "http://h/p?q=1"),
            ("http://h/p#frag", "http://h/p?q=1"),
            ("http://h/p?a=b#frag", "http://h/p?a=b&q=1"),
            ("http://h/p?", "http://h/p?q=1"),
            ("http://h/p?a&", "http://h/p?a&q=1"),
            ("http://h", "http://h/?q=1"),
            ("http://h/a&", "http://h/a&?q=1"),
            ("http://h/p?a?", "http://h/p?a?&q=1"),
        ] {
            assert_eq!(Endpoint::parse(url).unwrap().0.with_query("q=1").unwrap(), joined, "{url}");
        }
    }

    #[test]
    fn good_urls() {
        for url in
            ["http://h", "http://h:1/", "http://[::1]/", "http://[::1]:65535/x", "http://h/%C3%BC?a=b", "HTTP://h/"]
        {
            assert!(Endpoint::parse(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn loopback_is_recognized() {
        let is_loopback = |url| Endpoint::parse(url).unwrap().0.is_loopback();
        assert!(
            ["http://127.0.0.1:9/", "http://127.1.2.3/", "http://[::1]:9/", "http://localhost/"]
                .into_iter()
                .all(is_loopback)
        );
        assert!(!["http://10.0.0.1/", "http://localhost.example.com/"].into_iter().any(is_loopback));
    }

    #[test]
    fn https_without_tls_is_an_error() {
        assert_eq!(Endpoint::parse("https://example.com/").is_ok(), HAS_TLS);
        if !HAS_TLS {
            assert!(problem("https://example.com/").contains("`rustls`"));
        }
    }
}
