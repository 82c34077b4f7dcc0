//! Collectors that take an array, or lines, of JSON as it is.

use super::answers::{error, judge_200};
use super::{Judged, Names, USUAL, escaped, rfc3339};
use crate::handler::ErrorClass;
use crate::http::builder::HttpHandlerBuilder;
use crate::http::encoding::Verdict;
use crate::http::json::{FormField, Json, JsonLines};

/// Datadog's [log intake], v2. The URL is that of your site, such as `https://http-intake.logs.datadoghq.com`.
///
/// The level is `status` and the target `logger.name`, as Datadog's own integrations have it. `service`, `ddsource`,
/// `ddtags` and `hostname` are [`field`](HttpHandlerBuilder::field)s of yours.
///
/// It is an error of `build` if `api_key` is empty.
///
/// ```
/// # #[cfg(feature = "rustls")]
/// let handler = logpost::presets::datadog("https://http-intake.logs.datadoghq.com", "0123456789abcdef")
///     .field("service", "checkout")
///     .field("ddtags", "env:staging,version:5.1")
///     .build()?;
/// # Ok::<(), logpost::Error>(())
/// ```
///
/// [log intake]: https://docs.datadoghq.com/api/latest/logs/#send-logs
pub fn datadog(url: impl AsRef<str>, api_key: impl AsRef<str>) -> HttpHandlerBuilder {
    const NAMES: Names =
        &[("created", "timestamp"), ("levelname", "status"), ("msg", "message"), ("name", "logger.name")];
    let api_key = api_key.as_ref();
    array(url.as_ref(), "/api/v2/logs", NAMES)
        .demand_secret("api_key", api_key)
        .header("DD-API-KEY", api_key)
        .encoding(Json)
}

/// Axiom's [ingest API]: events in `dataset`. The URL is that of your edge deployment, such as
/// `https://us-east-1.aws.edge.axiom.co`.
///
/// An answer that counts events that failed does not say which these are: the batch is halved until they are alone, and
/// events in a part that was taken but for them arrive twice.
///
/// It is an error of `build` if `dataset` or `token` is empty.
///
/// ```
/// # #[cfg(feature = "rustls")]
/// let handler = logpost::presets::axiom("https://us-east-1.aws.edge.axiom.co", "checkout", "xaat-0123").build()?;
/// # Ok::<(), logpost::Error>(())
/// ```
///
/// [ingest API]: https://axiom.co/docs/restapi/endpoints/ingestToDataset
pub fn axiom(url: impl AsRef<str>, dataset: impl AsRef<str>, token: impl AsRef<str>) -> HttpHandlerBuilder {
    const NAMES: Names = &[("created", "_time"), ("levelname", "level"), ("msg", "message")];
    let (dataset, token) = (dataset.as_ref(), token.as_ref());
    array(url.as_ref(), &format!("/v1/ingest/{}", escaped(dataset)), NAMES)
        .demand_name("dataset", dataset)
        .demand_secret("token", token)
        .bearer_token(token)
        .encoding(Judged(Json, judge_axiom))
}

/// Of `{"ingested":2,"failed":0,"failures":[]}`.
fn judge_axiom(status: u16, body: &[u8]) -> Verdict {
    judge_200(status, body, |answer| match answer["failed"].as_u64() {
        Some(0) => Ok(()),
        Some(failed) => {
            let reason = answer["failures"][0]["error"].as_str().unwrap_or("no reason");
            Err(error(ErrorClass::Payload, &format!("{failed} failed: {reason}")))
        }
        None => Err(error(ErrorClass::Transient, &format!("the answer does not say what failed: {answer}"))),
    })
}

/// Better Stack's [logs], also known as Logtail. The URL is the source's ingesting host, `https://` and what Better
/// Stack shows for it.
///
/// It is an error of `build` if `source_token` is empty.
///
/// ```
/// # #[cfg(feature = "rustls")]
/// let handler = logpost::presets::better_stack("https://s1.eu-nbg-2.betterstackdata.com", "0123456789").build()?;
/// # Ok::<(), logpost::Error>(())
/// ```
///
/// [logs]: https://betterstack.com/docs/logs/ingesting-data/http/logs/
#[doc(alias = "logtail")]
pub fn better_stack(url: impl AsRef<str>, source_token: impl AsRef<str>) -> HttpHandlerBuilder {
    const NAMES: Names = &[("created", "dt"), ("levelname", "level"), ("msg", "message")];
    let token = source_token.as_ref();
    array(url.as_ref(), "", NAMES)
        .demand_secret("source_token", token)
        .bearer_token(token)
        .encoding(Judged(Json, judge_better_stack))
}

/// 406 is its word for JSON that it can't read.
fn judge_better_stack(status: u16, body: &[u8]) -> Verdict {
    let says = || String::from_utf8_lossy(body);
    (status == 406)
        .then(|| Err(error(ErrorClass::Payload, &format!("the server answered 406: {}", says())).not_arrived()))
}

/// Vector's source [`http_server`], a line a record: with `decoding.codec = "json"` there, whose framing is by newlines
/// unless it is set. The URL has the path that the source has.
///
/// ```
/// let handler = logpost::presets::vector("http://127.0.0.1:8080/").build()?;
/// # Ok::<(), logpost::Error>(())
/// ```
///
/// [`http_server`]: https://vector.dev/docs/reference/configuration/sources/http_server/
pub fn vector(url: impl AsRef<str>) -> HttpHandlerBuilder {
    array(url.as_ref(), "", USUAL).encoding(JsonLines)
}

/// Fluent Bit's input [`http`]. `tag` is what Fluent Bit routes by.
///
/// It is an error of `build` if `tag` is empty.
///
/// ```
/// let handler = logpost::presets::fluent_bit("http://127.0.0.1:9880", "app.log").build()?;
/// # Ok::<(), logpost::Error>(())
/// ```
///
/// [`http`]: https://docs.fluentbit.io/manual/data-pipeline/inputs/http
pub fn fluent_bit(url: impl AsRef<str>, tag: impl AsRef<str>) -> HttpHandlerBuilder {
    let tag = tag.as_ref();
    array(url.as_ref(), &format!("/{}", escaped(tag)), USUAL).demand_name("tag", tag).encoding(Json)
}

/// Fluentd's input [`http`], in a form's field `json`, as every version of it takes it. `tag` is what Fluentd routes
/// by.
///
/// It is an error of `build` if `tag` is empty.
///
/// ```
/// let handler = logpost::presets::fluentd("http://127.0.0.1:9880", "app.log").build()?;
/// # Ok::<(), logpost::Error>(())
/// ```
///
/// [`http`]: https://docs.fluentd.org/input/http
pub fn fluentd(url: impl AsRef<str>, tag: impl AsRef<str>) -> HttpHandlerBuilder {
    let tag = tag.as_ref();
    array(url.as_ref(), &format!("/{}", escaped(tag)), USUAL).demand_name("tag", tag).encoding(FormField("json"))
}

fn array(url: &str, path: &str, names: Names) -> HttpHandlerBuilder {
    HttpHandlerBuilder::to(url, path).named(names).timed(rfc3339)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axiom_says_how_many_failed() {
        let class = |body: &str| judge_axiom(200, body.as_bytes()).unwrap().err().map(|error| error.class());
        assert_eq!(class(r#"{"ingested":2,"failed":0,"failures":[]}"#), None);
        assert_eq!(class(r#"{"ingested":1,"failed":1,"failures":[{"error":"no"}]}"#), Some(ErrorClass::Payload));
        assert_eq!(class("{}"), Some(ErrorClass::Transient));
        assert_eq!(class("welcome"), Some(ErrorClass::Transient));
        assert!(judge_axiom(403, b"").is_none());
    }

    #[test]
    fn better_stack_can_not_read_it() {
        let error = judge_better_stack(406, b"Couldn't parse JSON content.").unwrap().unwrap_err();
        assert_eq!(error.class(), ErrorClass::Payload);
        assert_eq!(error.to_string(), "the server answered 406: Couldn't parse JSON content.");
        assert!(judge_better_stack(403, b"").is_none());
    }
}
