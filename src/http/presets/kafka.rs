//! Kafka, through a REST proxy.

use serde_json::Value;

use super::answers::{error, judge_200};
use super::{USUAL, escaped, rfc3339};
use crate::fields::Fields;
use crate::handler::{EmitError, ErrorClass};
use crate::http::builder::HttpHandlerBuilder;
use crate::http::encoding::{Encode, Judge, Verdict};
use crate::http::json::append_object;

/// Kafka, through a REST proxy that speaks [Confluent's v2], as Redpanda's HTTP proxy does too: each record is a
/// message in `topic`, a JSON object without a key.
///
/// The answer says of each message whether it was taken. Those that can't be, by the proxy's word, are rejected, and
/// those that may be later are sent again.
///
/// It is an error of `build` if `topic` is empty.
///
/// ```
/// let handler = logpost::presets::kafka_rest("http://127.0.0.1:8082", "logs").build()?;
/// # Ok::<(), logpost::Error>(())
/// ```
///
/// [Confluent's v2]: https://docs.confluent.io/platform/current/kafka-rest/api.html#post--topics-(string-topic_name)
#[doc(alias = "redpanda")]
#[doc(alias = "confluent")]
pub fn kafka_rest(url: impl AsRef<str>, topic: impl AsRef<str>) -> HttpHandlerBuilder {
    let topic = topic.as_ref();
    HttpHandlerBuilder::to(url.as_ref(), &format!("/topics/{}", escaped(topic)))
        .demand_name("topic", topic)
        .header("Accept", "application/vnd.kafka.v2+json")
        .named(USUAL)
        .timed(rfc3339)
        .encoding(Records)
}

struct Records;

impl Encode for Records {
    fn content_type(&self) -> &'static str {
        "application/vnd.kafka.json.v2+json"
    }

    fn append(&self, fields: &Fields, body: &mut Vec<u8>) {
        body.extend_from_slice(if body.is_empty() { b"{\"records\":[" } else { b"," });
        body.extend_from_slice(b"{\"value\":");
        append_object(fields, body);
        body.push(b'}');
    }

    fn finish(&self, body: &mut Vec<u8>) {
        body.extend_from_slice(b"]}");
    }

    fn judge(&self) -> Option<Judge> {
        Some(judge)
    }
}

fn judge(status: u16, body: &[u8]) -> Verdict {
    judge_200(status, body, |answer| {
        let offsets = answer["offsets"].as_array();
        let nothing = || error(ErrorClass::Transient, &format!("the answer has no offsets: {answer}"));
        // All well or not: there must be as many as messages were sent.
        Err(EmitError::each(offsets.ok_or_else(nothing)?.iter().map(outcome).collect()))
    })
}

/// Of `{"partition":0,"offset":17,"error_code":null,"error":null}`.
fn outcome(offset: &Value) -> Result<(), EmitError> {
    let code = &offset["error_code"];
    let class = match code.as_i64() {
        Some(0) => return Ok(()),
        None if code.is_null() && offset["error"].is_null() => return Ok(()),
        // Confluent's "non-retriable", and Kafka's own code for a message that is too large, which Redpanda passes on.
        Some(1 | 10) => ErrorClass::Payload,
        _ => ErrorClass::Transient,
    };
    let says = offset["error"].as_str().unwrap_or("no reason");
    Err(error(class, &format!("error_code {code}: {says}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_has_its_outcome() {
        let taken = r#"{"key_schema_id":null,"value_schema_id":null,"offsets":[{"partition":2,"offset":100}]}"#;
        let delivers =
            |answer: &str, records| judge(200, answer.as_bytes()).unwrap().unwrap_err().delivers_all(records);
        assert!(delivers(taken, 1) && !delivers(taken, 2) && !delivers(r#"{"offsets":[]}"#, 2));
        for no_success in [r#""40403""#, "1.5", "true", r#"null,"error":"x""#] {
            assert!(!delivers(&format!(r#"{{"offsets":[{{"error_code":{no_success}}}]}}"#), 1), "{no_success}");
        }
        let some = r#"{"offsets":[{"partition":2,"offset":100,"error_code":null,"error":null},
            {"error_code":1,"error":"too large"},{"error_code":2,"error":"not now"}]}"#;
        let Some(Err(error)) = judge(200, some.as_bytes()) else { panic!("two failed") };
        let outcomes = error.into_outcomes().unwrap();
        let told: Vec<_> =
            outcomes.into_iter().map(|outcome| outcome.map_err(|error| (error.class(), error.to_string()))).collect();
        let failed = |class, text: &str| Err((class, text.to_owned()));
        let payload = failed(ErrorClass::Payload, "error_code 1: too large");
        assert_eq!(told, [Ok(()), payload, failed(ErrorClass::Transient, "error_code 2: not now")]);
        assert!(judge(404, b"{}").is_none());
        let Some(Err(error)) = judge(200, b"{}") else { panic!("nothing is said of the messages") };
        assert_eq!(error.class(), ErrorClass::Transient);
    }
}
