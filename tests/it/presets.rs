//! Presets send what the collectors' own documents show, and time, level and message by the names that they look for.
//!
//! None of these collectors is here: what is compared is the request, with the example in the documents that are named.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use log::{error, info};
use logpost::{Batch, Fields, HttpHandlerBuilder, Value, presets};
use logpost_test_support::{Answer, LONG, Plan, Request, Server};
use serde_json::{Value as Json, json};

/// A record of an example: what is in its dictionary.
type Example<'a> = &'a [(&'a str, Value<'static>)];

/// What a collector answers, and what it is sent of these records in one request.
fn sent(answer: &'static str, preset: impl FnOnce(&str) -> HttpHandlerBuilder, examples: &[Example<'_>]) -> Request {
    let server = Server::scripted(move |_| Plan::Answer(Answer::with(200, &[], answer)));
    let address = format!("http://{}", server.address());
    let dictionaries: Vec<Fields> = examples.iter().map(|example| example.iter().copied().collect()).collect();
    let handler = preset(&address).map_log_record(move |record, fields| {
        let number: usize = record.message().parse().unwrap();
        for (key, value) in dictionaries[number].iter() {
            fields.push(key, value);
        }
    });
    let handler = if examples.len() > 1 { handler.batch(Batch::default().linger(LONG)) } else { handler };
    let (logger, guard) = logpost::builder().handler(handler.build().unwrap()).build().unwrap();
    for number in 0..examples.len() {
        info!(logger: logger, "{number}");
    }
    guard.flush(LONG).unwrap();
    assert_eq!(guard.stats().delivered, examples.len() as u64, "{}", guard.stats());
    let mut requests = server.requests();
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

/// Method, target and media type, and the headers that are asked for.
fn assert_head(request: &Request, target: &str, content_type: &str, headers: &[(&str, &str)]) {
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", target));
    assert_eq!(request.header("content-type"), [content_type]);
    for (name, value) in headers {
        assert_eq!(request.header(name), [*value], "{name}");
    }
}

fn json_of(request: &Request) -> Json {
    serde_json::from_slice(&request.body).unwrap()
}

/// <https://www.elastic.co/docs/manage-data/data-store/data-streams/set-up-data-stream>, "Create the data stream".
#[test]
fn elasticsearch_bulk() {
    let preset = |url: &str| presets::elasticsearch_bulk(url, "my-data-stream");
    let first = "192.0.2.42 - - [06/May/2099:16:21:15 +0000] \"GET /images/bg.jpg HTTP/1.0\" 200 24736";
    let second = "192.0.2.255 - - [06/May/2099:16:25:42 +0000] \"GET /favicon.ico HTTP/1.0\" 200 3638";
    let examples: [Example<'_>; 2] = [
        &[("@timestamp", "2099-05-06T16:21:15.000Z".into()), ("message", first.into())],
        &[("@timestamp", "2099-05-06T16:25:42.000Z".into()), ("message", second.into())],
    ];
    let request = sent(r#"{"errors":false,"items":[]}"#, preset, &examples);
    let target = "/my-data-stream/_bulk?filter_path=errors,items.*.status,items.*.error";
    assert_head(&request, target, "application/x-ndjson", &[]);
    let expected = r#"{ "create":{ } }
{ "@timestamp": "2099-05-06T16:21:15.000Z", "message": "192.0.2.42 - - [06/May/2099:16:21:15 +0000] \"GET /images/bg.jpg HTTP/1.0\" 200 24736" }
{ "create":{ } }
{ "@timestamp": "2099-05-06T16:25:42.000Z", "message": "192.0.2.255 - - [06/May/2099:16:25:42 +0000] \"GET /favicon.ico HTTP/1.0\" 200 3638" }
"#;
    let lines = |text: &str| -> Vec<Json> { text.lines().map(|line| serde_json::from_str(line).unwrap()).collect() };
    let body = String::from_utf8(request.body).unwrap();
    assert_eq!(lines(&body), lines(expected));
    assert!(body.ends_with('\n'), "the last line must end, or Elasticsearch takes nothing");
}

/// <https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs>. The line is JSON, where the example's
/// is a word.
#[test]
fn loki() {
    let preset = |url: &str| presets::loki(url, ["foo"]);
    let example: Example<'_> =
        &[("timestamp", 1_570_818_238_000_000_000_u64.into()), ("foo", "bar2".into()), ("message", "fizzbuzz".into())];
    let request = sent("", preset, &[example]);
    assert_head(&request, "/loki/api/v1/push", "application/json", &[]);
    let mut expected: Json = serde_json::from_str(
        r#"{"streams": [{ "stream": { "foo": "bar2" }, "values": [ [ "1570818238000000000", "fizzbuzz" ] ] }]}"#,
    )
    .unwrap();
    expected["streams"][0]["values"][0][1] = r#"{"message":"fizzbuzz"}"#.into();
    assert_eq!(json_of(&request), expected);
}

/// <https://help.splunk.com/en/splunk-enterprise/get-data-in/collect-http-event-data/format-events-for-http-event-collector>,
/// "Event data", and "Batch events": objects one behind the other. Host and source are the token's.
#[test]
fn splunk_hec() {
    let preset = |url: &str| presets::splunk_hec(url, "CF179AE4-3C99-45F5-A7CC-3284AA91CF67");
    let example: Example<'_> =
        &[("timestamp", 1_437_522_387.into()), ("message", "Something happened".into()), ("severity", "INFO".into())];
    let without_time: Example<'_> = &[("message", "b".into())];
    let request = sent(r#"{"text":"Success","code":0}"#, preset, &[example, without_time]);
    let authorization = ("authorization", "Splunk CF179AE4-3C99-45F5-A7CC-3284AA91CF67");
    assert_head(&request, "/services/collector/event", "application/json", &[authorization]);
    let events = serde_json::Deserializer::from_slice(&request.body).into_iter().map(Result::unwrap);
    assert_eq!(
        events.collect::<Vec<Json>>(),
        [
            json!({"time": 1_437_522_387, "event": {"message": "Something happened", "severity": "INFO"}}),
            json!({"event": {"message": "b"}})
        ]
    );
}

/// <https://docs.datadoghq.com/api/latest/logs/#send-logs>, v2.
#[test]
fn datadog() {
    let preset = |url: &str| presets::datadog(url, "0123456789abcdef0123456789abcdef");
    let message = "2019-11-19T14:37:58,995 INFO [process.name][20081] Hello World";
    let example: Example<'_> = &[
        ("ddsource", "nginx".into()),
        ("ddtags", "env:staging,version:5.1".into()),
        ("hostname", "i-012345678".into()),
        ("message", message.into()),
        ("service", "payment".into()),
    ];
    let request = sent("{}", preset, &[example]);
    assert_head(&request, "/api/v2/logs", "application/json", &[("dd-api-key", "0123456789abcdef0123456789abcdef")]);
    let expected = r#"[{"ddsource": "nginx", "ddtags": "env:staging,version:5.1", "hostname": "i-012345678",
        "message": "2019-11-19T14:37:58,995 INFO [process.name][20081] Hello World", "service": "payment"}]"#;
    assert_eq!(json_of(&request), serde_json::from_str::<Json>(expected).unwrap());
}

/// <https://axiom.co/docs/restapi/endpoints/ingestToDataset>, and <https://axiom.co/docs/restapi/introduction> for an
/// event.
#[test]
fn axiom() {
    let preset = |url: &str| presets::axiom(url, "my-dataset", "xaat-0123");
    let request = sent(r#"{"ingested":1,"failed":0,"failures":[]}"#, preset, &[&[("axiom", "logging".into())]]);
    assert_head(&request, "/v1/ingest/my-dataset", "application/json", &[("authorization", "Bearer xaat-0123")]);
    assert_eq!(json_of(&request), json!([{"axiom": "logging"}]));
}

/// <https://betterstack.com/docs/logs/ingesting-data/http/logs/>; the example's object is in an array, as several are.
#[test]
fn better_stack() {
    let preset = |url: &str| presets::better_stack(url, "0123456789");
    let request = sent("", preset, &[&[("message", "logs is ready".into())]]);
    assert_head(&request, "/", "application/json", &[("authorization", "Bearer 0123456789")]);
    assert_eq!(json_of(&request), json!([{"message": "logs is ready"}]));
}

/// <https://clickhouse.com/docs/interfaces/http>: the beginning of the query in the URL, the rows in the body; and
/// <https://clickhouse.com/docs/interfaces/formats/JSONEachRow>.
#[test]
fn clickhouse() {
    let rows: [Example<'_>; 2] = [&[("n", 1.into()), ("t", "a".into())], &[("n", 2.into()), ("t", "b\nc".into())]];
    let request = sent("", |url| presets::clickhouse(url, "db.logs"), &rows);
    let target = "/?query=INSERT%20INTO%20db.logs%20FORMAT%20JSONEachRow";
    assert_head(&request, target, "application/x-ndjson", &[]);
    assert_eq!(String::from_utf8(request.body).unwrap(), "{\"n\":1,\"t\":\"a\"}\n{\"n\":2,\"t\":\"b\\nc\"}\n");

    let request = sent("", |url| presets::clickhouse_form(url, "logs"), &rows[1..]);
    let target = "/?query=INSERT%20INTO%20logs%20FORMAT%20Form";
    assert_head(&request, target, "application/x-www-form-urlencoded", &[]);
    assert_eq!(request.body, b"n=2&t=b%0Ac");
}

/// <https://vector.dev/docs/reference/configuration/sources/http_server/>, "application/json" with lines.
#[test]
fn vector() {
    let rows: [Example<'_>; 2] = [&[("key", "val".into())], &[("key", "2".into())]];
    let request = sent("", |url| presets::vector(format!("{url}/events")), &rows);
    assert_head(&request, "/events", "application/x-ndjson", &[]);
    assert_eq!(request.body, b"{\"key\":\"val\"}\n{\"key\":\"2\"}\n");
}

/// <https://docs.fluentbit.io/manual/data-pipeline/inputs/http>, "Set a tag"; the example's object is in an array.
#[test]
fn fluent_bit() {
    let example: Example<'_> = &[("key1", "value1".into()), ("key2", "value2".into())];
    let request = sent("", |url| presets::fluent_bit(url, "app.log"), &[example]);
    assert_head(&request, "/app.log", "application/json", &[]);
    assert_eq!(json_of(&request), json!([{"key1": "value1", "key2": "value2"}]));
}

/// <https://docs.fluentd.org/input/http>, "Handle Large Data with Batch Mode".
#[test]
fn fluentd() {
    let examples: [Example<'_>; 3] = [&[("foo", "bar".into())], &[("abc", "def".into())], &[("xyz", "123".into())]];
    let request = sent("", |url| presets::fluentd(url, "app.log"), &examples);
    assert_head(&request, "/app.log", "application/x-www-form-urlencoded", &[]);
    let expected = r#"[{"foo":"bar"},{"abc":"def"},{"xyz":"123"}]"#;
    assert_eq!(request.form(), [("json".to_owned(), expected.to_owned())]);
}

/// <https://docs.confluent.io/platform/current/kafka-rest/quickstart.html>, "Produce and Consume JSON Messages".
#[test]
fn kafka_rest() {
    let answer = r#"{"offsets":[{"partition":0,"offset":0,"error_code":null,"error":null}],"key_schema_id":null,"value_schema_id":null}"#;
    let request = sent(answer, |url| presets::kafka_rest(url, "jsontest"), &[&[("foo", "bar".into())]]);
    let accept = ("accept", "application/vnd.kafka.v2+json");
    assert_head(&request, "/topics/jsontest", "application/vnd.kafka.json.v2+json", &[accept]);
    assert_eq!(request.body, br#"{"records":[{"value":{"foo":"bar"}}]}"#);
}

/// The record as the collector gets it by default.
fn record_of(preset: HttpHandlerBuilder, server: &Server, dig: fn(&[u8]) -> Json) -> Json {
    let (logger, guard) = logpost::builder().handler(preset.build().unwrap()).build().unwrap();
    error!(logger: logger, level = "mine", message = "mine", timestamp = "mine"; "disk full");
    guard.flush(LONG).unwrap();
    dig(&server.requests().last().unwrap().body)
}

/// The preset, the names of time, level and message, and where the record is in a body.
type Case = (HttpHandlerBuilder, [&'static str; 3], fn(&[u8]) -> Json);

fn first_of_array(body: &[u8]) -> Json {
    serde_json::from_slice::<Json>(body).unwrap()[0].clone()
}

fn last_line(body: &[u8]) -> Json {
    serde_json::from_str(std::str::from_utf8(body).unwrap().lines().last().unwrap()).unwrap()
}

/// Time, level and message have the names that the collector shows, the time is the record's, and key-values that have
/// one of these names are called otherwise.
#[test]
fn time_level_and_message_have_the_names_that_the_collector_looks_for() {
    let all_is_well = r#"{"errors":false,"items":[],"code":0,"failed":0,"offsets":[{"offset":1}]}"#;
    let server = Server::scripted(move |_| Plan::Answer(Answer::with(200, &[], all_is_well)));
    let url = format!("http://{}", server.address());
    let of_form = |body: &[u8]| {
        let json = form_urlencoded::parse(body).next().unwrap().1.into_owned();
        serde_json::from_str::<Json>(&json).unwrap()[0].clone()
    };
    let cases: [Case; 11] = [
        (presets::elasticsearch_bulk(&url, "logs"), ["@timestamp", "log.level", "message"], last_line),
        (presets::datadog(&url, "key"), ["timestamp", "status", "message"], first_of_array),
        (presets::axiom(&url, "logs", "token"), ["_time", "level", "message"], first_of_array),
        (presets::better_stack(&url, "token"), ["dt", "level", "message"], first_of_array),
        (presets::clickhouse(&url, "logs"), ["timestamp", "level", "message"], last_line),
        (presets::vector(&url), ["timestamp", "level", "message"], last_line),
        (presets::fluent_bit(&url, "app"), ["timestamp", "level", "message"], first_of_array),
        (presets::fluentd(&url, "app"), ["timestamp", "level", "message"], of_form),
        (presets::kafka_rest(&url, "logs"), ["timestamp", "level", "message"], |body| {
            serde_json::from_slice::<Json>(body).unwrap()["records"][0]["value"].clone()
        }),
        (presets::splunk_hec(&url, "token"), ["timestamp", "level", "message"], |body| {
            let envelope: Json = serde_json::from_slice(body).unwrap();
            let mut event = envelope["event"].clone();
            event["timestamp"] = envelope["time"].clone();
            event
        }),
        (presets::loki(&url, ["level"]), ["timestamp", "level", "message"], |body| {
            let body: Json = serde_json::from_slice(body).unwrap();
            let stream = &body["streams"][0];
            let mut line: Json = serde_json::from_str(stream["values"][0][1].as_str().unwrap()).unwrap();
            let nanos: f64 = stream["values"][0][0].as_str().unwrap().parse().unwrap();
            line["timestamp"] = (nanos / 1e9).into();
            line["level"] = stream["stream"]["level"].clone();
            line
        }),
    ];
    for (preset, [time, level, message], dig) in cases {
        let before = SystemTime::now();
        let record = record_of(preset, &server, dig);
        let after = SystemTime::now();
        assert_eq!((&record[level], &record[message]), (&json!("ERROR"), &json!("disk full")), "{record}");
        assert!(record["lineno"].is_u64() && record["extra_message"] == "mine", "{record}");
        for name in [time, level].iter().filter(|name| ["timestamp", "level"].contains(name)) {
            assert_eq!(record[format!("extra_{name}")], "mine", "{record}");
        }
        let sent = match &record[time] {
            Json::String(text) => humantime::parse_rfc3339(text).unwrap(),
            number => UNIX_EPOCH + Duration::from_secs_f64(number.as_f64().unwrap()),
        };
        // What the text and the double cut off, and the clock that goes by the processor's counter.
        let slack = Duration::from_millis(10);
        assert!(sent + slack > before && sent < after + slack, "{record}");
    }
}

#[test]
fn what_a_preset_can_not_use_is_an_error_that_names_it() {
    let url = "http://127.0.0.1:9";
    let es = || presets::elasticsearch_bulk(url, "logs");
    let loki = |labels: &[&'static str]| presets::loki(url, labels.iter().copied());
    for (builder, setting, says) in vec![
        (presets::elasticsearch_bulk(url, ""), "index", "empty"),
        (presets::splunk_hec(url, ""), "token", "empty"),
        (presets::splunk_hec(url, "hunter2 \n"), "token", "a space"),
        (presets::datadog(url, ""), "api_key", "empty"),
        (presets::axiom(url, "logs", ""), "token", "empty"),
        (presets::axiom(url, "", "token"), "dataset", "empty"),
        (presets::better_stack(url, ""), "source_token", "empty"),
        (presets::clickhouse(url, "logs; DROP TABLE logs"), "table", "DROP"),
        (presets::clickhouse(url, "a.b.c"), "table", "a.b.c"),
        (presets::clickhouse_form(url, ""), "table", "\"\""),
        (presets::clickhouse_form(url, "logs").batch(Batch::default()), "batch", "takes 1 a request"),
        (presets::fluent_bit(url, ""), "tag", "empty"),
        (presets::fluentd(url, ""), "tag", "empty"),
        (presets::kafka_rest(url, ""), "topic", "empty"),
        (presets::vector("localhost"), "url", "localhost"),
        (loki(&[]), "labels", "no label"),
        (loki(&["level", "service"]), "labels", "\"service\""),
        (loki(&["service.name"]).field("service.name", "x"), "labels", "\"service.name\""),
        (loki(&["level"]).without(["levelname"]), "labels", "\"level\""),
        (loki(&["timestamp"]), "labels", "the time of an entry"),
        (loki(&["level"]).rename("created", "t"), "rename", "a place of its own"),
        (loki(&["level"]).without(["created"]), "without", "can't do without"),
        (es().field("log.level", "x"), "field", "\"log.level\""),
        (es().rename("lineno", "log.level"), "rename", "sent already"),
        (es().header("Authorization", "ApiKey x").credentials("a", "b"), "header", "credentials"),
    ] {
        let error = builder.build().unwrap_err();
        let text = error.to_string();
        assert_eq!(error.setting(), Some(setting), "{text}");
        assert!(text.contains(says) && !text.contains("hunter2"), "{text}");
    }
}

#[test]
fn what_a_preset_has_set_can_be_set_anew() {
    let server = Server::scripted(|_| Plan::Answer(Answer::with(200, &[], r#"{"errors":false}"#)));
    let url = format!("http://{}", server.address());
    let preset = presets::elasticsearch_bulk(&url, "logs")
        .only(["msg", "levelname", "created", "order"])
        .rename("levelname", "severity")
        .without(["created"])
        .field("service.name", "checkout");
    let (logger, guard) = logpost::builder().handler(preset.build().unwrap()).build().unwrap();
    info!(logger: logger, order = 7; "hello");
    guard.flush(LONG).unwrap();
    assert_eq!(
        last_line(&server.requests()[0].body),
        json!({"message": "hello", "severity": "INFO", "service.name": "checkout", "order": 7})
    );
    // The label is a field that `map_log_record` pushes, of which nothing is known beforehand.
    let mapped = presets::loki(&url, ["shop"]).map_log_record(|_, fields| {
        fields.push("shop", "x");
    });
    mapped.build().unwrap();
    presets::loki(&url, ["level"]).only(["msg", "levelname"]).build().unwrap();
}
