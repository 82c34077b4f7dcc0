//! Handlers for log collectors, each with the address, the encoding and the names that the collector expects.
//!
//! A preset is an [`HttpHandlerBuilder`] with some settings made: everything else can be set on it, and what it has set
//! can be set anew; whether the collector takes another [`encoding`](HttpHandlerBuilder::encoding), nothing checks. The
//! fields are those of the [default dictionary](crate::map_log_record) with the names of time, level and message
//! that the collector looks for; [`rename`](HttpHandlerBuilder::rename) gives them others, and
//! [`only`](HttpHandlerBuilder::only) and [`without`](HttpHandlerBuilder::without) go by the dictionary's own names,
//! such as `msg`. The URL is the collector's, as its documentation has it up to the port, or with a path in front; the
//! rest is added unless it is there.
//!
//! | collector | preset | `created` | `levelname` | `msg` |
//! |---|---|---|---|---|
//! | Elasticsearch, OpenSearch | [`elasticsearch_bulk`] | `@timestamp` | `log.level` | `message` |
//! | Grafana Loki | [`loki`] | the entry's time | `level` | `message` |
//! | Splunk's HTTP Event Collector | [`splunk_hec`] | `time` of the event | `level` | `message` |
//! | Datadog | [`datadog`] | `timestamp` | `status` | `message` |
//! | Axiom | [`axiom`] | `_time` | `level` | `message` |
//! | Better Stack | [`better_stack`] | `dt` | `level` | `message` |
//! | ClickHouse | [`clickhouse`], [`clickhouse_form`] | `timestamp` | `level` | `message` |
//! | Vector's `http_server` | [`vector`] | `timestamp` | `level` | `message` |
//! | Fluent Bit's and Fluentd's `in_http` | [`fluent_bit`], [`fluentd`] | `timestamp` | `level` | `message` |
//! | Kafka, through a REST proxy | [`kafka_rest`] | `timestamp` | `level` | `message` |
//!
//! Times are RFC 3339 with microseconds, `2026-11-28T17:15:56.000000Z`, unless the preset says otherwise.
//!
//! ```
//! use logpost::presets;
//!
//! let handler = presets::elasticsearch_bulk("http://127.0.0.1:9200", "logs-checkout-default")
//!     .credentials("elastic", "secret")
//!     .field("service.name", "checkout")
//!     .build()?;
//! # Ok::<(), logpost::Error>(())
//! ```

mod answers;
mod arrays;
mod clickhouse;
mod elasticsearch;
mod kafka;
mod loki;
mod splunk;

pub use self::arrays::{axiom, better_stack, datadog, fluent_bit, fluentd, vector};
pub use self::clickhouse::{clickhouse, clickhouse_form};
pub use self::elasticsearch::elasticsearch_bulk;
pub use self::kafka::kafka_rest;
pub use self::loki::loki;
pub use self::splunk::splunk_hec;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::builder::HttpHandlerBuilder;
use super::encoding::{Encode, Judge};
use crate::fields::Fields;
use crate::record::LogRecord;

/// New names for keys of the default dictionary.
type Names = &'static [(&'static str, &'static str)];

/// Those of most.
const USUAL: Names = &[("created", "timestamp"), ("levelname", "level"), ("msg", "message")];

/// What the presets do to a builder.
impl HttpHandlerBuilder {
    /// One that sends to `url`, with `path` behind it.
    fn to(url: &str, path: &str) -> Self {
        Self::new(with_path(url, path))
    }

    fn named(mut self, names: Names) -> Self {
        self.mapping.selection.preset(names);
        self
    }

    fn timed(mut self, created: fn(&LogRecord) -> String) -> Self {
        self.mapping.created = Some(created);
        self
    }

    /// The time has its own place in a record's envelope, so that it can neither be renamed nor left out.
    fn pinned(mut self) -> Self {
        self.mapping.selection.pin("created");
        self
    }

    /// Where what the preset has been given can't be used: an error of `build` that names it.
    fn demand(mut self, setting: &'static str, is_good: bool, problem: impl FnOnce() -> String) -> Self {
        if !is_good {
            self.problem.get_or_insert_with(|| (setting, problem()));
        }
        self
    }

    /// A part of the path.
    fn demand_name(self, setting: &'static str, name: &str) -> Self {
        self.demand(setting, !name.is_empty(), || "must not be empty".to_owned())
    }

    /// A secret, which is not shown.
    fn demand_secret(self, setting: &'static str, secret: &str) -> Self {
        let is_sendable = secret.bytes().all(|byte| byte.is_ascii_graphic());
        self.demand(setting, !secret.is_empty(), || "must not be empty".to_owned())
            .demand(setting, is_sendable, || "has a space, or a character that no header may have".to_owned())
    }
}

/// An encoding whose answers are read.
struct Judged<E>(E, Judge);

impl<E: Encode> Encode for Judged<E> {
    fn content_type(&self) -> &'static str {
        self.0.content_type()
    }

    fn max_records(&self) -> usize {
        self.0.max_records()
    }

    fn append(&self, fields: &Fields, body: &mut Vec<u8>) {
        self.0.append(fields, body);
    }

    fn finish(&self, body: &mut Vec<u8>) {
        self.0.finish(body);
    }

    fn problem(&self) -> Option<String> {
        self.0.problem()
    }

    fn judge(&self) -> Option<Judge> {
        Some(self.1)
    }
}

fn rfc3339(record: &LogRecord) -> String {
    humantime::format_rfc3339_micros(record.created()).to_string()
}

/// The URL with `path` between its own path, unless that ends with it, and its query. `path` may have a query, which
/// comes first.
fn with_path(url: &str, path: &str) -> String {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let (path, own_query) = path.split_once('?').unwrap_or((path, ""));
    // Without a path of the collector's, the slash at the end is the URL's own.
    let base = if path.is_empty() { base } else { base.trim_end_matches('/') };
    let has = base.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
    let path = if has.is_some_and(|has| has.ends_with(path)) { "" } else { path };
    let queries = [own_query, query].into_iter().filter(|query| !query.is_empty()).collect::<Vec<_>>().join("&");
    let mark = if queries.is_empty() { "" } else { "?" };
    format!("{base}{path}{mark}{queries}")
}

/// What needs no escape in a path or a query.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text as one part of a path or of a query.
fn escaped(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_added_unless_it_is_there() {
        for (url, path, expected) in [
            ("http://h:1", "/a/_bulk", "http://h:1/a/_bulk"),
            ("http://h:1/", "/a/_bulk", "http://h:1/a/_bulk"),
            ("http://h:1/es/?x=1", "/a/_bulk?y=2", "http://h:1/es/a/_bulk?y=2&x=1"),
            ("http://h:1/a/_bulk", "/a/_bulk", "http://h:1/a/_bulk"),
            ("http://h:1/a/_bulk/?x=1", "/a/_bulk?y=2", "http://h:1/a/_bulk?y=2&x=1"),
            ("http://h:1", "", "http://h:1"),
            ("http://h:1/logs/?x=1", "", "http://h:1/logs/?x=1"),
            ("http://app.log", "/app.log", "http://app.log/app.log"),
            ("http://app.log/", "/app.log", "http://app.log/app.log"),
        ] {
            assert_eq!(with_path(url, path), expected);
        }
    }
}
