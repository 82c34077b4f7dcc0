//! Elasticsearch and OpenSearch.

use serde_json::Value;

use super::answers::{error, judge_200};
use super::{Names, escaped, rfc3339};
use crate::fields::Fields;
use crate::handler::{EmitError, ErrorClass};
use crate::http::builder::HttpHandlerBuilder;
use crate::http::classes;
use crate::http::encoding::{Encode, Judge, Verdict};
use crate::http::json::append_object;

const NAMES: Names =
    &[("created", "@timestamp"), ("levelname", "log.level"), ("msg", "message"), ("name", "log.logger")];

/// Elasticsearch and OpenSearch, by [`_bulk`]: documents are created in `index`, which may be a data stream.
///
/// Names are those of the Elastic Common Schema: `@timestamp`, `message`, `log.level`, `log.logger`; the other fields
/// have the names of the default dictionary.
///
/// The answer says of each document what became of it: those that are refused, as by a mapping, are rejected with the
/// server's reason, those that met a server too busy are sent again, and the others are delivered. One whose `_id` is
/// there already, 409, has been delivered. An index that must not be written is an
/// [endpoint's](crate::ErrorClass::Endpoint) error.
///
/// It is an error of `build` if `index` is empty.
///
/// ```
/// let handler = logpost::presets::elasticsearch_bulk("http://127.0.0.1:9200", "logs-checkout-default")
///     .header("Authorization", "ApiKey VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw==")
///     .build()?;
/// # Ok::<(), logpost::Error>(())
/// ```
///
/// [`_bulk`]: https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk-2
#[doc(alias = "opensearch")]
pub fn elasticsearch_bulk(url: impl AsRef<str>, index: impl AsRef<str>) -> HttpHandlerBuilder {
    let index = index.as_ref();
    // What the answer says beyond that is as long as the request.
    let path = format!("/{}/_bulk?filter_path=errors,items.*.status,items.*.error", escaped(index));
    HttpHandlerBuilder::to(url.as_ref(), &path).demand_name("index", index).named(NAMES).timed(rfc3339).encoding(Bulk)
}

/// Two lines a document: what to do with it, and the document.
struct Bulk;

impl Encode for Bulk {
    fn content_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn append(&self, fields: &Fields, body: &mut Vec<u8>) {
        // A data stream takes nothing but `create`.
        body.extend_from_slice(b"{\"create\":{}}\n");
        append_object(fields, body);
        body.push(b'\n');
    }

    fn judge(&self) -> Option<Judge> {
        Some(judge)
    }
}

fn judge(status: u16, body: &[u8]) -> Verdict {
    judge_200(status, body, |answer| match (&answer["errors"], answer["items"].as_array()) {
        (Value::Bool(false), _) => Ok(()),
        (Value::Bool(true), Some(items)) => Err(EmitError::each(items.iter().map(outcome).collect())),
        _ => Err(error(ErrorClass::Transient, &format!("the answer has neither errors nor items: {answer}"))),
    })
}

/// Of `{"create":{"status":400,"error":{"type":"...","reason":"..."}}}`.
fn outcome(item: &Value) -> Result<(), EmitError> {
    let item = item.as_object().and_then(|item| item.values().next()).unwrap_or(&Value::Null);
    let status = item["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or_default();
    // 409: it is there already.
    if status == 409 {
        return Ok(());
    }
    let class = match classes::of_status(status) {
        Ok(()) => return Ok(()),
        Err(class) => class,
    };
    let (kind, reason) = (item["error"]["type"].as_str(), item["error"]["reason"].as_str());
    let says = format!("{status} {}: {}", kind.unwrap_or("no type"), reason.unwrap_or("no reason"));
    let error = error(class, &says);
    Err(if classes::is_refusal(status) { error.not_arrived() } else { error })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(body: &str) -> String {
        match judge(200, body.as_bytes()) {
            Some(Ok(())) => "delivered".to_owned(),
            Some(Err(error)) => {
                let class = error.class();
                match error.into_outcomes() {
                    Ok(outcomes) => outcomes.iter().map(one).collect::<Vec<_>>().join(", "),
                    Err(error) => format!("{class:?} {error}"),
                }
            }
            None => "by its status".to_owned(),
        }
    }

    fn one(outcome: &Result<(), EmitError>) -> String {
        let Err(error) = outcome else { return "ok".to_owned() };
        format!("{:?} {} {error}", error.class(), error.cannot_have_arrived())
    }

    #[test]
    fn each_document_has_its_outcome() {
        assert_eq!(told(r#"{"errors":false,"items":[{"create":{"status":201}}]}"#), "delivered");
        let some = r#"{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":400,
            "error":{"type":"document_parsing_exception","reason":"failed to parse\n[n]"}}},{"create":{"status":429,
            "error":{"type":"es_rejected_execution_exception","reason":"queue"}}},{"create":{"status":503}},
            {"create":{"status":409}},{"create":{"status":403,"error":{"type":"cluster_block_exception"}}}]}"#;
        assert_eq!(
            told(some),
            "ok, Payload true 400 document_parsing_exception: failed to parse\n[n], \
             Transient true 429 es_rejected_execution_exception: queue, Transient false 503 no type: no reason, ok, \
             Endpoint true 403 cluster_block_exception: no reason"
        );
    }

    #[test]
    fn what_is_no_answer_of_elasticsearch_delivers_nothing() {
        assert!(told("<html>welcome").starts_with("Transient the answer is not what this server answers: <html>"));
        assert!(told("{}").starts_with("Transient the answer has neither errors nor items: {}"));
        assert!(told(r#"{"errors":true}"#).starts_with("Transient"));
        assert!(judge(429, b"{}").is_none() && judge(413, b"").is_none());
    }
}
