//! Hostile records: those of the library's corpus, and those that would like to be markup or script.

use logpost::{Encode, FormField, FormLines, HttpHandler, Json, JsonLines};
use logpost_test_support::LONG;
use logpost_test_support::corpus::Case;
use serde_json::json;

use crate::support::{Running, field, fields, read};

/// What runs where it becomes markup: each would set `window.pwned`.
pub(crate) const PAYLOADS: [&str; 14] = [
    "<script>window.pwned = 1</script>",
    "</script><script>window.pwned = 1</script>",
    "<img src=x onerror=\"window.pwned = 1\">",
    "<svg onload=window.pwned=1>",
    "\"><svg/onload=window.pwned=1>",
    "' onmouseover='window.pwned=1' x='",
    "<iframe srcdoc=\"<script>parent.pwned=1</script>\"></iframe>",
    "javascript:window.pwned=1",
    "<a href=\"javascript:window.pwned=1\">click</a>",
    "${window.pwned=1}",
    "{{constructor.constructor('window.pwned=1')()}}",
    "<style>*{display:none}</style>",
    "<!--<img src=x onerror=window.pwned=1>",
    "\u{202e}<math><mtext></form><form><mglyph><style></math><img src onerror=window.pwned=1>",
];

/// The library's.
const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/corpus.jsonl");

/// The corpus, and each payload as message, target, key and value.
pub(crate) fn cases() -> Vec<Case> {
    let payloads = PAYLOADS.iter().map(|payload| {
        let value = json!({ "t": "str", "v": payload });
        let key_values = json!([[payload, value], ["__proto__", value]]);
        let record = json!({ "message": payload, "target": payload, "level": "error", "kv": key_values });
        Case::from(&json!({ "id": payload, "record": record }))
    });
    Case::all(CORPUS).into_iter().chain(payloads).collect()
}

/// Logs them all, through logpost.
pub(crate) fn log_all(collector: &Running, cases: &[Case], encoding: impl Encode) {
    // A record of one MiB is three as a form.
    let handler = HttpHandler::builder(collector.endpoint()).encoding(encoding).build().unwrap();
    let (logger, guard) = logpost::builder().level(log::LevelFilter::Trace).handler(handler).build().unwrap();
    for case in cases {
        case.log(&logger);
    }
    guard.flush(LONG).unwrap();
    assert_eq!(guard.stats().delivered, cases.len() as u64);
}

fn arrives(encoding: impl Encode) {
    let (collector, cases) = (Running::start(), cases());
    assert!(cases.len() > 100);
    log_all(&collector, &cases, encoding);
    for (place, case) in cases.iter().enumerate() {
        let record = collector.record(place + 1);
        assert_eq!((&record["message"], &record["target"]), (&json!(case.message), &json!(case.target)));
        assert_eq!(record["level"], case.level as u8);
        let sent = fields(&record);
        for (key, kind, value) in &case.key_values {
            // A key of the dictionary is another's; in JSON so is one that comes a second time.
            let keys = [key.clone(), format!("extra_{key}"), format!("{key}_2")];
            let mut values = sent.iter().filter(|(key, _)| keys.contains(key)).map(|(_, json)| read(json));
            // Floats, for one, are spelled in several ways.
            let exact = matches!(kind.as_str(), "str" | "i64" | "u64" | "i128" | "u128" | "bool");
            assert!(values.any(|sent| sent == *value || !exact), "{key}: {value:.50} is not in {sent:?}");
        }
    }
}

#[test]
fn arrives_as_form_lines() {
    arrives(FormLines);
}

#[test]
fn arrives_as_json() {
    arrives(Json);
}

#[test]
fn arrives_as_json_lines() {
    arrives(JsonLines);
}

#[test]
fn arrives_as_json_in_a_field() {
    arrives(FormField("json"));
}

#[test]
fn arrives_from_python() {
    let collector = Running::start();
    let mut count = 0;
    for case in Case::all(CORPUS) {
        let Some(wire) = case.expect["wire"].as_str() else { continue };
        assert_eq!(collector.post_as("application/x-www-form-urlencoded", wire).0, 204, "{wire}");
        count += 1;
        let record = collector.record(count);
        for (key, values) in case.expect["fields"].as_object().unwrap() {
            assert_eq!(json!(field(&record, key)), values[0], "{key} of {}", case.id);
        }
        assert_eq!(record["message"], case.expect["fields"]["message"][0]);
    }
    assert!(count > 80, "{count}");
}
