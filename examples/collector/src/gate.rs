//! Who may ask: what stands before every route.
//!
//! A page of any site can have a browser on this machine send requests to it. Three things keep them out: `Host` has to be an
//! address or a known name (a foreign name that was made to resolve to 127.0.0.1 is neither), `Origin` has to be ours where
//! there is one, and `Sec-Fetch-Site` must not say that another site asks. Programs send neither of the latter.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::HttpBody as _;
use axum::extract::{Request, State};
use axum::http::header::{self, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use subtle::ConstantTimeEq as _;

use crate::refusal::Refusal;

#[derive(Debug)]
pub(crate) struct Gate {
    token: Option<String>,
    host_names: Vec<String>,
    /// Whether nobody but this machine reaches it.
    loopback: bool,
}

impl Gate {
    pub(crate) fn new(token: Option<String>, host_names: Vec<String>, listens_at: IpAddr) -> Self {
        Self { token, host_names, loopback: listens_at.is_loopback() }
    }

    fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let forbidden = |reason: String| Refusal::new(StatusCode::FORBIDDEN, reason);
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let authority = host.parse().ok().filter(|authority: &axum::http::uri::Authority| self.knows(authority.host()));
        if authority.is_none() {
            return Err(forbidden(format!("host {host:?} is not known here: see --host-name")));
        }
        // A link on another page may lead to ours, which shows nothing of its own accord to that other page.
        let is_page = method == Method::GET && uri.path() == "/";
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        if !is_page && !matches!(site, None | Some(b"same-origin" | b"none")) {
            return Err(forbidden("a page of another site asks".to_owned()));
        }
        if let Some(origin) = headers.get(ORIGIN) {
            let origin = origin.to_str().unwrap_or_default();
            if origin.split_once("://").map(|(_, authority)| authority) != Some(host) {
                return Err(forbidden(format!("origin {origin:?} is another site")));
            }
        }
        if self.token.as_ref().is_some_and(|token| !has_token(headers, token)) {
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, "a token is needed"));
        }
        Ok(())
    }

    fn knows(&self, host: &str) -> bool {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host.eq_ignore_ascii_case("localhost")
            || address.is_ok_and(|address| !self.loopback || address.is_loopback())
            || self.host_names.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

/// As a bearer token, or as the password of whatever user.
fn has_token(headers: &HeaderMap, token: &str) -> bool {
    let credentials = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
    let Some((scheme, value)) = credentials else { return false };
    let value = value.trim();
    let is_token = |given: &[u8]| bool::from(given.ct_eq(token.as_bytes()));
    if scheme.eq_ignore_ascii_case("bearer") {
        return is_token(value.as_bytes());
    }
    let password = BASE64_STANDARD.decode(value).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"));
    password.is_some_and(|pair| {
        let colon = pair.iter().position(|&byte| byte == b':');
        colon.is_some_and(|colon| is_token(&pair[colon + 1..]))
    })
}

/// Lets a request pass or answers it, and sees to it that nobody embeds the answer or takes it for something else.
pub(crate) async fn watch(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let mut response = match gate.check(request.method(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) if request.body().is_end_stream() => refusal.into_response(),
        Err(refusal) => refusal.unread().into_response(),
    };
    let challenged = response.status() == StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    let always = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in always {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if challenged {
        let challenge = HeaderValue::from_static("Basic realm=\"logpost-collector\", charset=\"UTF-8\"");
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The status of a request for `path` with these headers; 200 where it may pass.
    fn status(gate: &Gate, path: &str, headers: &[(&'static str, &str)]) -> u16 {
        let headers: HeaderMap = headers
            .iter()
            .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect();
        let checked = gate.check(&Method::GET, &path.parse().unwrap(), &headers);
        checked.map_or_else(|refusal| refusal.status.as_u16(), |()| 200)
    }

    fn gate(token: Option<&str>, listens_at: &str) -> Gate {
        Gate::new(token.map(str::to_owned), vec!["logs.test".to_owned()], listens_at.parse().unwrap())
    }

    #[test]
    fn a_foreign_name_is_no_host_of_ours() {
        let (loopback, any) = (gate(None, "127.0.0.1"), gate(None, "0.0.0.0"));
        for host in ["127.0.0.1:9020", "127.0.0.1", "localhost:1", "LOCALHOST", "[::1]:9020", "logs.test:80"] {
            assert_eq!(status(&loopback, "/log", &[("host", host)]), 200, "{host}");
        }
        for host in ["evil.test:9020", "127.0.0.1.evil.test", "localhost.evil.test", "", "a b"] {
            assert_eq!(status(&loopback, "/log", &[("host", host)]), 403, "{host}");
            assert_eq!(status(&any, "/log", &[("host", host)]), 403, "{host}");
        }
        assert_eq!(status(&loopback, "/log", &[]), 403);
        assert_eq!(status(&loopback, "/log", &[("host", "192.0.2.1")]), 403);
        assert_eq!(status(&any, "/log", &[("host", "192.0.2.1")]), 200);
    }

    #[test]
    fn pages_of_other_sites_can_not_post_or_read() {
        let gate = gate(None, "127.0.0.1");
        let host = ("host", "127.0.0.1:9020");
        for origin in ["http://evil.test", "http://127.0.0.1:9021", "null", "http://127.0.0.1:9020.evil.test"] {
            assert_eq!(status(&gate, "/log", &[host, ("origin", origin)]), 403, "{origin}");
        }
        assert_eq!(status(&gate, "/log", &[host, ("origin", "http://127.0.0.1:9020")]), 200);
        for (site, expected) in [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)] {
            assert_eq!(status(&gate, "/log?msg=x", &[host, ("sec-fetch-site", site)]), expected, "{site}");
            assert_eq!(status(&gate, "/api/search", &[host, ("sec-fetch-site", site)]), expected, "{site}");
            assert_eq!(status(&gate, "/", &[host, ("sec-fetch-site", site)]), 200, "{site}");
        }
    }

    #[test]
    fn a_token_is_a_bearer_s_or_a_password() {
        let gate = gate(Some("s:cret"), "127.0.0.1");
        let with = |value: &str| status(&gate, "/", &[("host", "localhost"), ("authorization", value)]);
        let basic = |pair: &str| format!("Basic {}", BASE64_STANDARD.encode(pair));
        for right in ["Bearer s:cret", "bearer  s:cret", &basic("any:s:cret"), &basic(":s:cret")] {
            assert_eq!(with(right), 200, "{right}");
        }
        for wrong in ["Bearer s:cre", "Bearer", "s:cret", "Basic s:cret", &basic("s:cret"), &basic("s"), "Bearer ", ""]
        {
            assert_eq!(with(wrong), 401, "{wrong}");
        }
        assert_eq!(status(&gate, "/", &[("host", "localhost")]), 401);
    }
}
