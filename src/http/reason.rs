//! What a server says about why it refuses, fit for a line in an error message.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use ureq::http::{HeaderValue, Uri};

/// How much of it is worth telling.
const MAX_CHARACTERS: usize = 200;
/// Parts of a URL that are shorter are no secrets, but may well be words.
const MIN_SECRET: usize = 4;

/// What is told of a refusal's body: nothing, or its beginning behind a colon.
pub(super) struct Reason(String);

impl Reason {
    /// How much of a refusal's body is looked at.
    pub(super) const MAX_BYTES: usize = 4096;

    pub(super) fn of(body: &[u8], secrets: &Secrets) -> Self {
        let beginning = &body[..body.len().min(Self::MAX_BYTES)];
        Self(line(&secrets.hide(String::from_utf8_lossy(beginning).into_owned())))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ": {}", self.0) }
    }
}

/// The beginning of a text, in one line: what moves a terminal's cursor, or ends a line, has no place in a message.
pub(super) fn line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = line.chars().take(MAX_CHARACTERS);
    shown.map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// What a server must not be quoted with: the path and the query of the URL, and their parts, which may be as good as a
/// password, and the values of headers.
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    pub(super) fn of<'h>(uri: &Uri, headers: impl Iterator<Item = &'h HeaderValue>) -> Self {
        Self(secrets_of(uri).into_iter().chain(headers.flat_map(secrets_of_header)).collect())
    }

    pub(super) fn hide(&self, text: String) -> String {
        self.0.iter().fold(text, |text, secret| text.replace(secret, "***"))
    }
}

/// Path and query, their parts, and all of these percent-decoded: longest first, so that no part is hidden before the
/// whole.
fn secrets_of(uri: &Uri) -> Vec<String> {
    let (path, query) = (uri.path(), uri.query().unwrap_or_default());
    let whole = uri.path_and_query().map_or("", |whole| whole.as_str());
    let values = query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
    let parts = [whole, path, query].into_iter().chain(path.split('/')).chain(values);
    let mut secrets: Vec<_> =
        parts.flat_map(|part| [part.to_owned(), percent_decode_str(part).decode_utf8_lossy().into_owned()]).collect();
    secrets.retain(|secret| secret.len() >= MIN_SECRET);
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets
}

/// The value, and what stands behind the scheme of `Authorization`, if it is a secret at all; of `Basic` the password too.
fn secrets_of_header(value: &HeaderValue) -> Vec<String> {
    let text = if value.is_sensitive() { String::from_utf8_lossy(value.as_bytes()) } else { return Vec::new() };
    let credentials = text.split_once(' ').map_or("", |(_, credentials)| credentials);
    let decoded = BASE64_STANDARD.decode(credentials).ok().and_then(|decoded| String::from_utf8(decoded).ok());
    let password = decoded.as_deref().and_then(|decoded| decoded.split_once(':')).map_or("", |(_, password)| password);
    let secrets = [&*text, credentials, password].into_iter().filter(|secret| secret.len() >= MIN_SECRET);
    secrets.map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(body: &[u8], uri: &'static str) -> String {
        let mut token = HeaderValue::from_static("Bearer abra.cadabra");
        token.set_sensitive(true);
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        Reason::of(body, &Secrets::of(&Uri::from_static(uri), [token, form].iter())).to_string()
    }

    #[test]
    fn one_short_line() {
        assert_eq!(told(b"", "http://h/"), "");
        assert_eq!(told(b" no\r\n such\x1b[31m field", "http://h/"), ": no such\u{fffd}[31m field");
        assert_eq!(told(&[b'x'; 10_000], "http://h/").len(), 202);
    }

    #[test]
    fn what_a_url_may_keep_secret_is_hidden() {
        let hook = "http://h/hook/s3cret?token=t0ken";
        let body = b"POST /hook/s3cret: token=t0ken is too much for /hook/s3cret?token=t0ken";
        assert_eq!(told(body, hook), ": POST ***: *** is too much for ***");
        assert_eq!(told(b"no such token: t0ken, s3cret", hook), ": no such token: ***, ***");
        assert_eq!(told(b"s 3cret", "http://h/s%203cret"), ": ***");
        assert_eq!(told(b"/log", "http://h/"), ": /log");
    }

    #[test]
    fn a_password_is_hidden() {
        let mut basic = HeaderValue::from_static("Basic YXBwOmh1bnRlcjI=");
        basic.set_sensitive(true);
        let secrets = Secrets::of(&Uri::from_static("http://h/"), [&basic].into_iter());
        assert_eq!(
            Reason::of(b"app: hunter2 is wrong (YXBwOmh1bnRlcjI=)", &secrets).to_string(),
            ": app: *** is wrong (***)"
        );
    }

    #[test]
    fn the_value_of_a_header_is_hidden_unless_it_is_ours() {
        let body = b"unknown token abra.cadabra in 'Bearer abra.cadabra' for application/x-www-form-urlencoded";
        assert_eq!(told(body, "http://h/"), ": unknown token *** in '***' for application/x-www-form-urlencoded");
    }
}
