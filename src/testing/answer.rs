//! What a test's server answers.

use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::{HeaderMap, StatusCode};

/// What a [`Server`](super::Server) does once it has read a request. Made of a status alone with `into()`.
///
/// ```
/// use logpost::testing::{Answer, Server};
///
/// let server = Server::start()?;
/// server.answer(503);
/// server.answer(Answer::new(429).header("Retry-After", "120").body("too many"));
/// server.answer(Answer::disconnect());
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "ResponseTemplate")]
#[derive(Clone, Debug)]
pub struct Answer(pub(super) Kind);

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Send(Response),
    Disconnect,
    Hang,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Response {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// An answer with this status, without headers of its own and without a body.
    ///
    /// # Panics
    ///
    /// If `status` is none that can end a request: it has to be from 200 to 999.
    #[track_caller]
    pub fn new(status: u16) -> Self {
        let parsed = StatusCode::from_u16(status).ok().filter(|parsed| !parsed.is_informational());
        let Some(status) = parsed else { panic!("a status is from 200 to 999, but this is {status}") };
        Self(Kind::Send(Response { status, ..Response::default() }))
    }

    /// Closes the connection in place of an answer: the client can't know whether the request has arrived.
    pub fn disconnect() -> Self {
        Self(Kind::Disconnect)
    }

    /// Never answers, and leaves the connection open until the server ends.
    pub fn hang() -> Self {
        Self(Kind::Hang)
    }

    /// Adds a header; nothing where no answer is sent.
    ///
    /// # Panics
    ///
    /// If HTTP does not allow the name or the value, or if it says how long the body is: the server says that.
    #[track_caller]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let Ok(parsed) = HeaderName::try_from(name) else { panic!("{name:?} is not a header name that HTTP allows") };
        let Ok(value) = HeaderValue::try_from(value) else { panic!("{name}: HTTP does not allow {value:?}") };
        assert!(![CONTENT_LENGTH, TRANSFER_ENCODING].contains(&parsed), "{name:?} is the server's to set");
        if let Kind::Send(response) = &mut self.0 {
            response.headers.append(parsed, value);
        }
        self
    }

    /// Sets the body; nothing where no answer is sent.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        if let Kind::Send(response) = &mut self.0 {
            response.body = body.into();
        }
        self
    }

    /// The status that the client learns of.
    pub(super) fn status(&self) -> Option<u16> {
        match &self.0 {
            Kind::Send(response) => Some(response.status.as_u16()),
            Kind::Disconnect | Kind::Hang => None,
        }
    }
}

/// 200, without a body.
impl Default for Answer {
    fn default() -> Self {
        Self(Kind::Send(Response::default()))
    }
}

/// [`Answer::new`], with its panics.
impl From<u16> for Answer {
    #[track_caller]
    fn from(status: u16) -> Self {
        Self::new(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    #[test]
    fn the_default_is_success() {
        assert_eq!(Answer::default().status(), Some(200));
    }

    #[test]
    fn what_http_does_not_allow_is_said_at_once() {
        let message = |make: fn() -> Answer| *catch_unwind(make).unwrap_err().downcast::<String>().unwrap();
        assert_eq!(message(|| Answer::new(100)), "a status is from 200 to 999, but this is 100");
        assert_eq!(message(|| Answer::from(1000)), "a status is from 200 to 999, but this is 1000");
        assert_eq!(message(|| Answer::new(200).header("a b", "")), r#""a b" is not a header name that HTTP allows"#);
        assert_eq!(message(|| Answer::new(200).header("a", "\n")), r#"a: HTTP does not allow "\n""#);
        let length = message(|| Answer::new(200).header("Content-Length", "7"));
        assert_eq!(length, r#""Content-Length" is the server's to set"#);
    }

    #[test]
    fn without_an_answer_there_is_nothing_to_add_to() {
        for answer in [Answer::disconnect(), Answer::hang()] {
            assert_eq!(answer.header("a", "b").body("c").status(), None);
        }
    }
}
