//! HTTP/1.1 as little as a test server needs of it: requests with a Content-Length, answers of any bytes.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::link::Link;

/// A request as it came over the wire.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Which connection it came on, from 0, and which request on that connection it was, from 0.
    pub connection: usize,
    /// Which request of its connection it was, from 0.
    pub position: usize,
    /// The method.
    pub method: String,
    /// The request target, path and query.
    pub target: String,
    /// All headers, in order, their names as sent.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The status that it was answered with; none where the client can't have learnt of one.
    pub answered: Option<u16>,
}

impl Request {
    /// The values of a header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let matching = self.headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        matching.map(|(_, value)| value.as_str()).collect()
    }

    /// The pairs of the form: of the body, or without one of the query.
    pub fn form(&self) -> Vec<(String, String)> {
        self.pairs().into_owned().collect()
    }

    fn pairs(&self) -> form_urlencoded::Parse<'_> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        let form = if self.body.is_empty() { query.as_bytes() } else { &self.body };
        form_urlencoded::parse(form)
    }

    /// The first value of a field of the form.
    pub fn field(&self, key: &str) -> Option<String> {
        self.pairs().find(|(found, _)| found == key).map(|(_, value)| value.into_owned())
    }

    /// The message of the record that the form is about.
    ///
    /// # Panics
    ///
    /// If it has none.
    pub fn msg(&self) -> String {
        self.field("msg").expect("a form with a field msg")
    }

    /// Reads the head; `None` where the client has closed the connection instead.
    pub(crate) fn read_head(stream: &mut BufReader<Link>) -> io::Result<Option<Self>> {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split_whitespace().map(ToOwned::to_owned);
        let mut request = Self {
            method: words.next().unwrap_or_default(),
            target: words.next().unwrap_or_default(),
            ..Self::default()
        };
        loop {
            let mut line = String::new();
            stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                return Ok(Some(request));
            };
            request.headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    pub(crate) fn content_length(&self) -> usize {
        self.header("content-length").first().map_or(0, |length| length.parse().expect("a length in bytes"))
    }

    /// Reads the body, so many bytes at a time, with this pause after each.
    pub(crate) fn read_body(&mut self, stream: &mut BufReader<Link>, step: usize, pause: Duration) -> io::Result<()> {
        self.body = vec![0; self.content_length()];
        for chunk in self.body.chunks_mut(step) {
            stream.read_exact(chunk)?;
            thread::park_timeout(pause);
        }
        Ok(())
    }
}

/// No client that takes care reads more than this of a head.
const LONGEST_HEAD: usize = 64 * 1024;

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    bytes: Vec<u8>,
    close: bool,
    late_record: bool,
}

impl Answer {
    /// An answer with this status, no headers of its own, and a short body (none for 204 and 304).
    pub fn status(status: u16) -> Self {
        Self::with(status, &[], if matches!(status, 204 | 304) { "" } else { "ok" })
    }

    /// An answer with this status, these headers and this body.
    pub fn with(status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let mut head = format!("HTTP/1.1 {status} Because\r\n");
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        if !matches!(status, 204 | 304) {
            head.extend(["Content-Length: ", &body.len().to_string(), "\r\n"]);
        }
        Self::raw(format!("{head}\r\n{body}"))
    }

    /// Just these bytes, whatever they mean.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self { bytes, close: false, late_record: false }
    }

    /// Closes the connection behind the answer.
    #[must_use]
    pub fn then_close(mut self) -> Self {
        self.close = true;
        self
    }

    /// Over TLS, sends a record without data behind the answer, as servers do that send session tickets late.
    #[must_use]
    pub fn then_late_record(mut self) -> Self {
        self.late_record = true;
        self
    }

    pub(crate) fn has_late_record(&self) -> bool {
        self.late_record
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The status that a client takes from it. A head that is longer than [`LONGEST_HEAD`], or has no end, has none.
    pub(crate) fn read_status(&self) -> Option<u16> {
        let text = String::from_utf8_lossy(&self.bytes);
        let mut rest = text.as_ref();
        loop {
            let (head, behind) = rest.split_once("\r\n\r\n")?;
            let status = head.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
            if status >= 200 {
                return (head.len() < LONGEST_HEAD).then_some(status);
            }
            rest = behind;
        }
    }

    /// The bytes up to the end of the head, and those behind it.
    pub(crate) fn head_and_body(&self) -> (&[u8], &[u8]) {
        let end = self.bytes.windows(4).position(|window| window == b"\r\n\r\n");
        self.bytes.split_at(end.map_or(self.bytes.len(), |end| end + 4))
    }

    pub(crate) fn closes(&self) -> bool {
        self.close
    }
}

/// What to answer to a request that has been read.
#[derive(Clone)]
pub struct Responder(Arc<dyn Fn(&Request) -> Answer + Send + Sync>);

impl Responder {
    /// Answers what `respond` says.
    pub fn new(respond: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self(Arc::new(respond))
    }

    pub(crate) fn answer(&self, request: &Request) -> Answer {
        (self.0)(request)
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Responder")
    }
}
