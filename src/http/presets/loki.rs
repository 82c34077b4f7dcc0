//! Grafana Loki.

use std::collections::HashMap;

use super::USUAL;
use super::answers::error;
use crate::fields::{Fields, is_safe_name};
use crate::handler::ErrorClass;
use crate::http::builder::HttpHandlerBuilder;
use crate::http::encoding::{Encode, Judge, Verdict};
use crate::http::json::{append_object_but, append_string};
use crate::wall_clock;

/// Grafana Loki's [push API]: records whose `labels` have the same values are a stream, and each is a line of JSON with
/// the fields that are no labels.
///
/// A label is a field by the name that it is sent under: `level`, `name` (the target), `module`, or what
/// [`field`](HttpHandlerBuilder::field) sets. Few values of each make few streams, which Loki wants; one that a record
/// lacks is left out, and a key-value of a label's name is in the line, `service_2` say. The time of an entry is in
/// nanoseconds; it is sent whatever [`only`](HttpHandlerBuilder::only) says.
///
/// It is an error of `build` if there is no label, if one is given twice, is neither a field of every record nor set by
/// `field` (unless [`map_log_record`](HttpHandlerBuilder::map_log_record) pushes fields of your own), or has anything
/// but letters, digits and `_` in its name.
///
/// ```
/// let handler = logpost::presets::loki("http://127.0.0.1:3100", ["service", "level"])
///     .field("service", "checkout")
///     .header("X-Scope-OrgID", "shop")
///     .build()?;
/// # Ok::<(), logpost::Error>(())
/// ```
///
/// [push API]: https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs
#[doc(alias = "grafana")]
pub fn loki<L: Into<String>>(url: impl AsRef<str>, labels: impl IntoIterator<Item = L>) -> HttpHandlerBuilder {
    let labels: Vec<String> = labels.into_iter().map(Into::into).collect();
    let bad = labels.iter().find(|label| !is_safe_name(label)).cloned();
    let again = (1..labels.len()).find(|&at| labels[..at].contains(&labels[at])).map(|at| labels[at].clone());
    let mut builder = HttpHandlerBuilder::to(url.as_ref(), "/loki/api/v1/push")
        .demand("labels", !labels.is_empty(), || "names no label, but a stream has one at least".to_owned())
        .demand("labels", !labels.iter().any(|label| label == TIME), || format!("{TIME:?} is the time of an entry"))
        .demand("labels", bad.is_none(), || {
            format!("{:?} must be of letters, digits and `_`, with no digit first", bad.unwrap_or_default())
        })
        .demand("labels", again.is_none(), || format!("{:?} is given twice", again.unwrap_or_default()))
        .named(USUAL)
        .pinned()
        .timed(|record| record.created_nanos().to_string())
        .encoding(Streams { labels: labels.clone() });
    builder.mapping.wanted = Some(("labels", labels));
    builder
}

/// What USUAL makes of `created`.
const TIME: &str = "timestamp";

/// Until the body is finished, each record is a stream of its own, in three lines: what begins it, its one entry, and
/// what ends it. JSON has no newline inside. The streams are no longer when they are joined.
struct Streams {
    labels: Vec<String>,
}

impl Encode for Streams {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn append(&self, fields: &Fields, body: &mut Vec<u8>) {
        body.extend_from_slice(b"{\"stream\":");
        self.append_labels(fields, body);
        body.extend_from_slice(b",\"values\":[\n[");
        // Loki takes nothing without a time, and a mapper may have pushed none.
        let time = fields.get(TIME).map(|time| time.to_string());
        append_string(&time.unwrap_or_else(|| wall_clock::now().to_string()), body);
        body.push(b',');
        let mut line = Vec::new();
        append_object_but(fields, |key| key == TIME || self.is_label(key), &mut line);
        append_string(&String::from_utf8_lossy(&line), body);
        body.extend_from_slice(b"]\n]},\n");
    }

    fn finish(&self, body: &mut Vec<u8>) {
        let lines: Vec<&[u8]> = body.split(|byte| *byte == b'\n').collect();
        let mut streams: Vec<(&[u8], Vec<&[u8]>)> = Vec::new();
        let mut places = HashMap::new();
        for record in lines.chunks_exact(3) {
            let place = *places.entry(record[0]).or_insert(streams.len());
            match streams.get_mut(place) {
                Some((_, entries)) => entries.push(record[1]),
                None => streams.push((record[0], vec![record[1]])),
            }
        }
        let join = |(begin, entries): &(&[u8], Vec<&[u8]>)| [*begin, &entries.join(&b','), b"]}"].concat();
        let streams: Vec<_> = streams.iter().map(join).collect();
        *body = [b"{\"streams\":[", &*streams.join(&b','), b"]}"].concat();
    }

    fn judge(&self) -> Option<Judge> {
        Some(judge)
    }
}

impl Streams {
    fn is_label(&self, key: &str) -> bool {
        self.labels.iter().any(|label| label == key)
    }

    /// The first field of a label's name.
    fn append_labels(&self, fields: &Fields, body: &mut Vec<u8>) {
        let start = body.len();
        for label in &self.labels {
            let Some(value) = fields.get(label) else { continue };
            body.push(if body.len() == start { b'{' } else { b',' });
            append_string(label, body);
            body.push(b':');
            append_string(value.as_str().unwrap_or_default(), body);
        }
        // What Loki itself calls those that say nothing of themselves.
        body.extend_from_slice(if body.len() == start { b"{\"service_name\":\"unknown_service\"}" } else { b"}" });
    }
}

/// 260 is Loki's word for a tenant whose logs it drops, by its setting `block_ingestion_until`.
fn judge(status: u16, body: &[u8]) -> Verdict {
    let says = || format!("Loki answered 260: {}", String::from_utf8_lossy(body));
    (status == 260).then(|| Err(error(ErrorClass::Endpoint, &says()).not_arrived()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(labels: &[&str], records: &[&[(&str, &str)]]) -> String {
        let streams = Streams { labels: labels.iter().map(|label| (*label).to_owned()).collect() };
        let mut body = Vec::new();
        for record in records {
            streams.append(&record.iter().copied().collect(), &mut body);
        }
        let before = body.len();
        streams.finish(&mut body);
        assert!(body.len() <= before + 14 - 3 * records.len());
        String::from_utf8(body).unwrap()
    }

    #[test]
    fn records_with_the_same_labels_are_a_stream() {
        let records: &[&[_]] = &[
            &[("timestamp", "1"), ("level", "INFO"), ("message", "a\nb")],
            &[("timestamp", "2"), ("level", "ERROR"), ("message", "\"")],
            &[("timestamp", "3"), ("level", "INFO"), ("message", "c")],
        ];
        assert_eq!(
            body(&["level"], records),
            concat!(
                r#"{"streams":[{"stream":{"level":"INFO"},"values":[["1","{\"message\":\"a\\nb\"}"],"#,
                r#"["3","{\"message\":\"c\"}"]]},{"stream":{"level":"ERROR"},"values":[["2","{\"message\":\"\\\"\"}"]]}]}"#
            )
        );
    }

    #[test]
    fn a_label_that_a_record_lacks_is_left_out() {
        let records: &[&[_]] = &[&[("timestamp", "1"), ("a", "x")], &[("timestamp", "2")]];
        assert_eq!(
            body(&["a", "b"], records),
            concat!(
                r#"{"streams":[{"stream":{"a":"x"},"values":[["1","{}"]]},"#,
                r#"{"stream":{"service_name":"unknown_service"},"values":[["2","{}"]]}]}"#
            )
        );
    }

    /// What a label's field holds is the label's; a key-value of the same name is no less sent for it.
    #[test]
    fn what_has_the_name_of_a_label_is_in_the_line() {
        let records: &[&[_]] = &[&[("timestamp", "1"), ("service", "shop"), ("service", "db"), ("timestamp", "noon")]];
        assert_eq!(
            body(&["service"], records),
            concat!(
                r#"{"streams":[{"stream":{"service":"shop"},"values":[["1","#,
                r#""{\"service_2\":\"db\",\"timestamp_2\":\"noon\"}"]]}]}"#
            )
        );
    }

    #[test]
    fn a_label_that_is_given_twice_is_an_error() {
        let error = super::loki("http://127.0.0.1:1", ["level", "name", "level"]).build().unwrap_err();
        assert_eq!(
            (error.setting(), error.to_string()),
            (Some("labels"), r#"labels: "level" is given twice"#.to_owned())
        );
    }

    #[test]
    fn a_tenant_that_is_blocked_loses_nothing() {
        let error = judge(260, b"ingestion blocked").unwrap().unwrap_err();
        assert_eq!(
            (error.class(), error.to_string()),
            (ErrorClass::Endpoint, "Loki answered 260: ingestion blocked".to_owned())
        );
        assert!(judge(204, b"").is_none());
    }
}
