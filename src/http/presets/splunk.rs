//! Splunk.

use super::USUAL;
use super::answers::{error, parse};
use crate::fields::Fields;
use crate::handler::ErrorClass;
use crate::http::builder::HttpHandlerBuilder;
use crate::http::encoding::{Encode, Judge, Verdict};
use crate::http::json::append_object_but;

/// Splunk's [HTTP Event Collector]: each record is an event, with its time in seconds.
///
/// Index, source and source type are those that the token has. An answer whose `code` is not 0 delivers nothing,
/// whatever its status; one that is about the token or the index, which somebody has to mend, loses nothing.
///
/// It is an error of `build` if `token` is empty.
///
/// ```
/// let token = "B5A79AAD-D822-46CC-80D1-819F80D7BFB0";
/// let handler = logpost::presets::splunk_hec("http://127.0.0.1:8088", token).build()?;
/// # Ok::<(), logpost::Error>(())
/// ```
///
/// [HTTP Event Collector]: https://help.splunk.com/en/splunk-enterprise/get-data-in/collect-http-event-data/format-events-for-http-event-collector
#[doc(alias = "hec")]
pub fn splunk_hec(url: impl AsRef<str>, token: impl AsRef<str>) -> HttpHandlerBuilder {
    let token = token.as_ref();
    HttpHandlerBuilder::to(url.as_ref(), "/services/collector/event")
        .demand_secret("token", token)
        .header("Authorization", format!("Splunk {token}"))
        .named(USUAL)
        .pinned()
        .encoding(Events)
}

/// Objects, one behind the other.
struct Events;

/// What USUAL makes of `created`.
const TIME: &str = "timestamp";

impl Encode for Events {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn append(&self, fields: &Fields, body: &mut Vec<u8>) {
        body.push(b'{');
        // Splunk takes the time of arrival where there is none.
        let time = fields.get(TIME).and_then(|time| time.as_str()).filter(|time| is_seconds(time));
        if let Some(time) = time {
            body.extend_from_slice(b"\"time\":");
            body.extend_from_slice(time.as_bytes());
            body.push(b',');
        }
        body.extend_from_slice(b"\"event\":");
        append_object_but(fields, |key| time.is_some() && key == TIME, body);
        body.push(b'}');
    }

    fn judge(&self) -> Option<Judge> {
        Some(judge)
    }
}

/// Whether it is a number as JSON has it. A mapper may have pushed anything.
fn is_seconds(time: &str) -> bool {
    serde_json::from_str::<serde_json::Number>(time).is_ok()
}

/// By the table of codes in Splunk's "Troubleshoot HTTP Event Collector".
fn judge(status: u16, body: &[u8]) -> Verdict {
    let answer = match parse(body) {
        Ok(answer) => answer,
        Err(error) => return (status == 200).then_some(Err(error)),
    };
    let class = match answer["code"].as_u64() {
        Some(0) if status == 200 => return Some(Ok(())),
        // The token, the index, the channel, acknowledgements: nothing is wrong with the events.
        Some(1..=4 | 7 | 10 | 11 | 14 | 16) => ErrorClass::Endpoint,
        // No event, or none that it understands.
        Some(5 | 6 | 12 | 13 | 15) => ErrorClass::Payload,
        _ if status != 200 => return None,
        _ => ErrorClass::Transient,
    };
    let error = error(class, &format!("Splunk answered {status}: {answer}"));
    Some(Err(if (400..500).contains(&status) { error.not_arrived() } else { error }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_time_is_a_field_like_others() {
        let event = |time: &str| {
            let mut body = Vec::new();
            Events.append(&Fields::from_iter([(TIME, time), ("n", "1")]), &mut body);
            String::from_utf8(body).unwrap()
        };
        assert_eq!(event("1.5"), r#"{"time":1.5,"event":{"n":"1"}}"#);
        assert_eq!(event("noon"), r#"{"event":{"timestamp":"noon","n":"1"}}"#);
    }

    #[test]
    fn the_code_decides() {
        let class = |status, body: &str| match judge(status, body.as_bytes()) {
            Some(Err(error)) => Some(error.class()),
            Some(Ok(())) | None => None,
        };
        let delivered = judge(200, br#"{"text":"Success","code":0}"#);
        assert!(matches!(delivered, Some(Ok(()))));
        assert_eq!(class(400, r#"{"text":"Incorrect index","code":7}"#), Some(ErrorClass::Endpoint));
        assert_eq!(class(400, r#"{"text":"Invalid data format","code":6}"#), Some(ErrorClass::Payload));
        assert_eq!(class(200, r#"{"text":"Server is busy","code":9}"#), Some(ErrorClass::Transient));
        assert_eq!(class(200, "<html>"), Some(ErrorClass::Transient));
        assert!(judge(503, br#"{"text":"Server is busy","code":9}"#).is_none());
        assert!(judge(502, b"<html>").is_none());
    }
}
