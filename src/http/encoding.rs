//! How dictionaries become a body.

use super::urlencode;
use crate::fields::Fields;

/// How the dictionaries of some records become the body of one request.
///
/// [`Form`] is the default; [`FormLines`] takes many records at once.
#[doc(alias = "Formatter")]
#[doc(alias = "Layout")]
#[doc(alias = "urlencode")]
pub trait Encode: Send + Sync + 'static {
    /// The body's media type, for `Content-Type`.
    fn content_type(&self) -> &'static str;

    /// How many records one body can hold. Defaults to any number.
    fn max_records(&self) -> usize {
        usize::MAX
    }

    /// Appends one record to the body, which is empty before the first.
    fn append(&self, fields: &Fields, body: &mut Vec<u8>);
}

/// One record as `application/x-www-form-urlencoded`: what Python's `HTTPHandler` sends, and the default.
///
/// The bytes are those of the [URL Standard's serializer]: a space as `+`, everything but `A-Z a-z 0-9 * - . _` as `%XX`
/// of its UTF-8. Python's `urlencode` escapes `*` and leaves `~`; every decoder reads both alike.
///
/// [URL Standard's serializer]: https://url.spec.whatwg.org/#concept-urlencoded-serializer
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form;

impl Encode for Form {
    fn content_type(&self) -> &'static str {
        "application/x-www-form-urlencoded"
    }

    fn max_records(&self) -> usize {
        1
    }

    fn append(&self, fields: &Fields, body: &mut Vec<u8>) {
        urlencode::append(fields, body);
    }
}

/// Many records, each a line that is a form: split the body at newlines, and decode each line as [`Form`].
///
/// A newline inside a value is `%0A`, so the lines are exactly the records. Each line ends with a newline. The
/// `Content-Type` is `application/x-www-form-urlencoded-lines`, which no framework takes for a form: a server reads the
/// body itself, as in Python by `[dict(parse_qsl(line, keep_blank_values=True)) for line in body.decode().splitlines()]`.
///
/// ```
/// use logpost::{Encode, Fields, FormLines};
///
/// let mut body = Vec::new();
/// for message in ["one", "two\nlines"] {
///     FormLines.append(&Fields::from_iter([("msg", message)]), &mut body);
/// }
/// assert_eq!(body, b"msg=one\nmsg=two%0Alines\n");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FormLines;

impl Encode for FormLines {
    fn content_type(&self) -> &'static str {
        // Not the type of a form: who takes it for one would read all lines as one.
        "application/x-www-form-urlencoded-lines"
    }

    fn append(&self, fields: &Fields, body: &mut Vec<u8>) {
        urlencode::append(fields, body);
        body.push(b'\n');
    }
}
