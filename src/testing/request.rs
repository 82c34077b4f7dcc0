//! A request as a test's server got it.

use std::fmt;

use super::form::FormData;

/// A request that a [`Server`](super::Server) has read to its end.
#[derive(Clone)]
pub struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) forms: Vec<FormData>,
    pub(super) status: Option<u16>,
}

impl Request {
    /// The method: `POST` or `GET`, unless a client other than logpost sent it.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path, as sent: percent-encoded, and without the query.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The query, as sent.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// All headers, their names in lower case; where a name comes several times, its values are in order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The first value of a header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The body; with the feature `gzip`, decompressed if need be. Empty where it was larger than
    /// [`MAX_BODY_BYTES`](super::MAX_BODY_BYTES).
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The forms in it, whatever it was answered: one of a body in [`Form`](crate::Form) or of a GET's query, one a line
    /// of a body in [`FormLines`](crate::FormLines), none of anything else.
    pub fn forms(&self) -> &[FormData] {
        &self.forms
    }

    /// The status that it was answered with; none for [`Answer::disconnect`](super::Answer::disconnect) and
    /// [`Answer::hang`](super::Answer::hang).
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// Whether its forms are taken: it was answered 2xx.
    pub(super) fn is_accepted(&self) -> bool {
        matches!(self.status, Some(200..=299))
    }

    /// Undoes the body's compression, and finds the forms in it.
    ///
    /// # Errors
    ///
    /// The status to answer, if that can't be done within so many bytes.
    pub(super) fn decode(&mut self, max_body: usize) -> Result<(), u16> {
        match self.header("content-encoding") {
            None => {}
            Some(coding) if coding.eq_ignore_ascii_case("identity") => {}
            Some(coding) if coding.eq_ignore_ascii_case("gzip") => self.body = decompressed(&self.body, max_body)?,
            Some(_) => return Err(UNSUPPORTED_MEDIA_TYPE),
        }
        self.forms = self.find_forms();
        Ok(())
    }

    fn find_forms(&self) -> Vec<FormData> {
        let content_type = self.header("content-type").unwrap_or_default();
        // "; charset=utf-8" and the like say nothing that a form does not say anyway.
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            vec![FormData::decode(&self.body)]
        } else if media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded-lines") {
            FormData::decode_lines(&self.body)
        } else if self.method == "GET" {
            self.query.iter().map(|query| FormData::decode(query.as_bytes())).collect()
        } else {
            Vec::new()
        }
    }
}

pub(super) const CONTENT_TOO_LARGE: u16 = 413;
const UNSUPPORTED_MEDIA_TYPE: u16 = 415;

#[cfg(feature = "gzip")]
fn decompressed(body: &[u8], max_body: usize) -> Result<Vec<u8>, u16> {
    use std::io::Read as _;
    const BAD_REQUEST: u16 = 400;
    let mut plain = Vec::new();
    // One byte more, to tell what is too much from what just fits.
    let limit = u64::try_from(max_body).unwrap_or(u64::MAX).saturating_add(1);
    let mut decoder = flate2::read::MultiGzDecoder::new(body).take(limit);
    decoder.read_to_end(&mut plain).map_err(|_| BAD_REQUEST)?;
    if plain.len() > max_body { Err(CONTENT_TOO_LARGE) } else { Ok(plain) }
}

#[cfg(not(feature = "gzip"))]
fn decompressed(_: &[u8], _: usize) -> Result<Vec<u8>, u16> {
    Err(UNSUPPORTED_MEDIA_TYPE)
}

/// In one line: what it was, and what became of it.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.method, self.path)?;
        match self.status {
            Some(status) => write!(f, "answered {status}")?,
            None => f.write_str("not answered")?,
        }
        for form in &self.forms {
            write!(f, " {form:?}")?;
        }
        Ok(())
    }
}

/// The values of headers are left out: Authorization may be among them.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("headers", &self.headers().map(|(name, _)| name).collect::<Vec<_>>())
            .field("forms", &self.forms)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_BODY: usize = 1000;

    fn request(method: &str, query: Option<&str>, headers: &[(&str, &str)], body: &[u8]) -> Request {
        Request {
            method: method.to_owned(),
            path: "/log".to_owned(),
            query: query.map(ToOwned::to_owned),
            headers: headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
            body: body.to_vec(),
            forms: Vec::new(),
            status: None,
        }
    }

    fn forms(mut request: Request) -> String {
        match request.decode(MAX_BODY) {
            Ok(()) => format!("{:?}", request.forms()),
            Err(status) => status.to_string(),
        }
    }

    #[test]
    fn forms_are_found_by_what_the_request_says() {
        let form = ("content-type", "Application/X-WWW-form-urlencoded ; charset=utf-8");
        let lines = ("content-type", "application/x-www-form-urlencoded-lines");
        let json = ("content-type", "application/json");
        for (request, expected) in [
            (request("POST", Some("key=1"), &[form], b"a=1&b=2"), r#"[{"a": "1", "b": "2"}]"#),
            (request("POST", None, &[form], b""), "[{}]"),
            (request("POST", None, &[lines], b"a=1\nb=2\n"), r#"[{"a": "1"}, {"b": "2"}]"#),
            (request("POST", Some("a=1"), &[json], b"{}"), "[]"),
            (request("POST", Some("a=1"), &[], b"a=1"), "[]"),
            (request("GET", Some("a=1&b=2"), &[], b""), r#"[{"a": "1", "b": "2"}]"#),
            (request("GET", None, &[], b""), "[]"),
            (request("POST", None, &[form, ("content-encoding", "identity")], b"a=1"), r#"[{"a": "1"}]"#),
            (request("POST", None, &[form, ("content-encoding", "br")], b"a=1"), "415"),
        ] {
            assert_eq!(forms(request.clone()), expected, "{request:?}");
        }
    }

    #[cfg(not(feature = "gzip"))]
    #[test]
    fn gzip_takes_the_feature() {
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("content-encoding", "gzip")];
        assert_eq!(forms(request("POST", None, &headers, b"a=1")), "415");
    }

    #[cfg(feature = "gzip")]
    #[test]
    fn compressed_bodies_have_the_limit_of_others() {
        use std::io::Write as _;
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("content-encoding", "GZIP")];
        let compressed = |value_bytes: usize| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(b"a=").and_then(|()| encoder.write_all(&b"x".repeat(value_bytes))).unwrap();
            encoder.finish().unwrap()
        };
        let sent = |body: &[u8]| forms(request("POST", None, &headers, body));
        assert_eq!(sent(&compressed(MAX_BODY - 2)), format!("[{{\"a\": \"{}\"}}]", "x".repeat(MAX_BODY - 2)));
        assert_eq!(sent(&compressed(MAX_BODY - 1)), "413");
        assert_eq!(sent(&compressed(100 * MAX_BODY)), "413");
        assert_eq!(sent(b"a=1"), "400");
        let whole = compressed(7);
        assert_eq!(sent(&whole[..whole.len() - 1]), "400");
    }

    #[test]
    fn debug_shows_no_value_of_a_header() {
        let request = request("POST", None, &[("authorization", "Basic c2VjcmV0")], b"");
        assert_eq!(request.header("Authorization"), Some("Basic c2VjcmV0"));
        let text = format!("{request:?} {request}");
        assert!(text.contains("authorization") && !text.contains("c2VjcmV0"), "{text}");
    }
}
