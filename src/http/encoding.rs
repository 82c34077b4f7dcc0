//! How dictionaries become a body.

use super::urlencode;
use crate::fields::Fields;
use crate::handler::EmitError;

/// How the dictionaries of some records become the body of one request, and what the server's answer to it means.
///
/// [`Form`] is the default; [`FormLines`] takes many records at once, and so do `Json`, `JsonLines` and `FormField`,
/// with the feature `json`.
///
/// A body is begun empty, gets each record in turn, and is then finished. It is made once for all attempts at the same
/// records. [`Batch::max_bytes`](crate::Batch::max_bytes) holds for the finished body: where it is too long, the body
/// is made anew with fewer records.
///
/// ```
/// use logpost::{Encode, Fields, HttpHandler};
///
/// /// A line a record, of the message alone.
/// struct Lines;
///
/// impl Encode for Lines {
///     fn content_type(&self) -> &'static str {
///         "text/plain; charset=utf-8"
///     }
///
///     fn append(&self, fields: &Fields, body: &mut Vec<u8>) {
///         let message = fields.get("msg").map(|message| message.to_string()).unwrap_or_default();
///         body.extend_from_slice(message.replace('\n', " ").as_bytes());
///         body.push(b'\n');
///     }
/// }
///
/// let handler = HttpHandler::builder("http://127.0.0.1:9020/log").encoding(Lines).build()?;
/// # Ok::<(), logpost::Error>(())
/// ```
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

    /// Completes the body when all its records have been appended: by what ends it, or by making another one of it.
    /// Defaults to nothing.
    fn finish(&self, body: &mut Vec<u8>) {
        let _ = body;
    }

    /// What is wrong with how it is set, for an error of [`build`](crate::HttpHandlerBuilder::build). Defaults to
    /// nothing.
    fn problem(&self) -> Option<String> {
        None
    }

    /// What reads the server's answers, where their status alone does not say what became of the records. Defaults to
    /// none. [`HttpHandlerBuilder::accept`](crate::HttpHandlerBuilder::accept) is asked first.
    fn judge(&self) -> Option<Judge> {
        None
    }
}

/// Reads a server's answer, its status and its body: see [`Encode::judge`].
pub type Judge = fn(u16, &[u8]) -> Verdict;

/// What an answer means for the records: `Some(Ok(()))` that they are delivered, an error what else became of them, and
/// `None` what the status means by itself.
pub type Verdict = Option<Result<(), EmitError>>;

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
