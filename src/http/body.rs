//! The body of a request: as many records as it may hold, made once for all attempts at them.

use std::sync::Arc;

use super::dictionary::Mapping;
use super::encoding::Encode;
use super::idempotency::MadeOf;
use crate::fields::Fields;
use crate::record::LogRecord;

/// Makes bodies, in storage that serves the next one too.
#[derive(Clone)]
pub(super) struct BodyWriter {
    mapping: Mapping,
    encoding: Arc<dyn Encode>,
    max_bytes: usize,
    /// The size above which a body is compressed.
    #[cfg(feature = "gzip")]
    gzip_above: Option<usize>,
    fields: Fields,
    plain: Vec<u8>,
    #[cfg(feature = "gzip")]
    compressed: Vec<u8>,
    of: MadeOf,
}

/// Storage above this size is given back after a large body.
pub(super) const KEPT: usize = 1024 * 1024;

impl BodyWriter {
    pub(super) fn new(mapping: Mapping, encoding: Arc<dyn Encode>, max_bytes: usize) -> Self {
        Self {
            mapping,
            encoding,
            max_bytes,
            #[cfg(feature = "gzip")]
            gzip_above: None,
            fields: Fields::new(),
            plain: Vec::new(),
            #[cfg(feature = "gzip")]
            compressed: Vec::new(),
            of: MadeOf::default(),
        }
    }

    /// Compresses bodies of more than so many bytes.
    #[cfg(feature = "gzip")]
    pub(super) fn gzip_above(mut self, bytes: Option<usize>) -> Self {
        self.gzip_above = bytes;
        self
    }

    /// Makes a body of the first of `records`, as many as fit but one at least; says how many those are.
    pub(super) fn fill(&mut self, records: &[LogRecord]) -> usize {
        // A mapper that panics must leave nothing behind that looks complete.
        self.of.clear();
        let mut count = self.append(records);
        self.encoding.finish(&mut self.plain);
        while count > 1 && self.plain.len() > self.max_bytes {
            count = self.append(&records[..count - 1]);
            self.encoding.finish(&mut self.plain);
        }
        self.compress();
        self.of.set(&records[..count]);
        count
    }

    /// How many bytes the body has before compression.
    pub(super) fn size(&self) -> usize {
        self.plain.len()
    }

    /// As many as fit before the body is finished.
    fn append(&mut self, records: &[LogRecord]) -> usize {
        self.plain.clear();
        self.plain.shrink_to(KEPT);
        self.fields.clear();
        self.fields.shrink_to(KEPT);
        let mut count = 0;
        for record in records {
            let before = self.plain.len();
            self.mapping.map(record, &mut self.fields);
            self.encoding.append(&self.fields, &mut self.plain);
            if count > 0 && self.plain.len() > self.max_bytes {
                self.plain.truncate(before);
                break;
            }
            count += 1;
        }
        count
    }

    /// Makes the body of exactly these records, unless it is there already: an attempt made again sends the same bytes.
    pub(super) fn prepare(&mut self, records: &[LogRecord]) {
        if !self.of.is(records) {
            let max_bytes = std::mem::replace(&mut self.max_bytes, usize::MAX);
            self.fill(records);
            self.max_bytes = max_bytes;
        }
    }
}

#[cfg(feature = "gzip")]
impl BodyWriter {
    /// The body, as it is to be sent.
    pub(super) fn bytes(&self) -> &[u8] {
        if self.compressed.is_empty() { &self.plain } else { &self.compressed }
    }

    /// What was done to it.
    pub(super) fn content_encoding(&self) -> Option<&'static str> {
        (!self.compressed.is_empty()).then_some("gzip")
    }

    fn compress(&mut self) {
        use std::io::Write as _;
        self.compressed.clear();
        self.compressed.shrink_to(KEPT);
        if self.gzip_above.is_none_or(|limit| self.plain.len() <= limit) {
            return;
        }
        // The fastest level: logs shrink well by any.
        let mut encoder = flate2::write::GzEncoder::new(&mut self.compressed, flate2::Compression::fast());
        let written = encoder.write_all(&self.plain).and_then(|()| encoder.try_finish());
        drop(encoder);
        if written.is_err() {
            // Writing to memory does not fail; if it did, the plain body would be as good.
            self.compressed.clear();
        }
    }
}

#[cfg(not(feature = "gzip"))]
#[expect(clippy::unused_self, reason = "the feature gzip has a use for it")]
impl BodyWriter {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.plain
    }

    pub(super) fn content_encoding(&self) -> Option<&'static str> {
        None
    }

    fn compress(&self) {}
}

#[cfg(all(test, feature = "gzip"))]
mod tests {
    use super::*;
    use crate::http::{FormLines, HttpHandler};
    use std::io::Read as _;

    #[test]
    fn compressed_above_the_limit_only() {
        let builder = HttpHandler::builder("http://127.0.0.1:1/").only(["msg"]);
        let mut body = BodyWriter::new(builder.mapping, Arc::new(FormLines), usize::MAX).gzip_above(Some(100));
        let record = |text: &str| LogRecord::from(&log::Record::builder().args(format_args!("{text}")).build());
        body.prepare(&[record("short")]);
        assert_eq!((body.bytes(), body.content_encoding()), (b"msg=short\n".as_slice(), None));
        body.prepare(&[record(&"long".repeat(1000))]);
        assert_eq!(body.content_encoding(), Some("gzip"));
        assert!(body.bytes().len() < 200);
        let mut plain = String::new();
        flate2::read::GzDecoder::new(body.bytes()).read_to_string(&mut plain).unwrap();
        assert_eq!(plain, format!("msg={}\n", "long".repeat(1000)));
    }
}
