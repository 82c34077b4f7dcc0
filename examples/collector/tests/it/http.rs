//! What is answered to whom.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use flate2::Compression;
use flate2::write::GzEncoder;
use logpost_collector::Settings;
use serde_json::{Value, json};
use ureq::http::HeaderValue;

use crate::support::{Running, field};

const FORM: &str = "application/x-www-form-urlencoded";

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn every_content_type_by_post_and_a_form_by_get() {
    let collector = Running::start();
    let bodies = [
        (FORM, "name=a&msg=one&levelno=30&levelname=WARNING&order=17"),
        ("application/x-www-form-urlencoded-lines", "name=a&msg=one&levelno=30&levelname=WARNING&order=17\n"),
        ("application/json", r#"[{"name":"a","msg":"one","levelno":30,"levelname":"WARNING","order":"17"}]"#),
        ("application/json", r#"{"name":"a","msg":"one","levelno":30,"levelname":"WARNING","order":"17"}"#),
        (
            "application/x-ndjson",
            "{\"name\":\"a\",\"msg\":\"one\",\"levelno\":30,\"levelname\":\"WARNING\",\"order\":\"17\"}\n",
        ),
        (
            FORM,
            "logs=%5B%7B%22name%22%3A%22a%22%2C%22msg%22%3A%22one%22%2C%22levelno%22%3A30%2C%22levelname%22%3A%22WARNING%22%2C%22order%22%3A%2217%22%7D%5D",
        ),
    ];
    for (content_type, body) in bodies {
        assert_eq!(collector.post_as(content_type, body), (204, String::new()), "{body}");
    }
    let (status, _) = collector.get("/log?name=a&msg=one&levelno=30&levelname=WARNING&order=17", &[]);
    assert_eq!(status, 204);
    for id in 1..=bodies.len() + 1 {
        let record = collector.record(id);
        assert_eq!((&record["target"], &record["message"], &record["level"]), (&json!("a"), &json!("one"), &json!(2)));
        assert_eq!(field(&record, "order"), "17", "{record}");
    }
    assert_eq!(collector.count("fields=order%3D17&target=A&text=ONE"), bodies.len() + 1);
    assert_eq!(collector.count("fields=order%3D18"), 0);
}

#[test]
fn compressed_bodies_are_bounded_before_and_after() {
    let collector = Running::with(Settings { max_body_bytes: 1000, ..Settings::default() });
    let headers = [("Content-Type", FORM), ("Content-Encoding", "gzip")];
    assert_eq!(collector.post(&headers, &gzip(b"msg=one")), (204, String::new()));
    let (status, reason) = collector.post(&headers, &gzip(&vec![b'a'; 1001]));
    assert_eq!((status, reason.as_str()), (413, "the body is more than 1000 bytes when it is decompressed\n"));
    assert_eq!(collector.post(&headers, b"msg=one").0, 400);
    assert_eq!(collector.post(&[("Content-Type", FORM), ("Content-Encoding", "br")], b"msg=one").0, 415);
    assert_eq!(collector.count(""), 1);
}

#[test]
fn large_bodies_are_refused_with_a_length_and_without() {
    let collector = Running::with(Settings { max_body_bytes: 1000, ..Settings::default() });
    let body = |length: usize| format!("msg={}", "x".repeat(length - 4));
    assert_eq!(collector.post_as(FORM, &body(1000)).0, 204);
    assert_eq!(collector.post_as(FORM, &body(1001)), (413, "the body is more than 1000 bytes\n".to_owned()));
    let chunked = format!("{:x}\r\n{}\r\n0\r\n\r\n", 1001, body(1001));
    let answer =
        raw(&collector, "POST /log", &format!("Content-Type: {FORM}\r\nTransfer-Encoding: chunked\r\n"), &chunked);
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert_eq!(collector.count(""), 1);
}

/// Or a client would send its next request where the server takes it for the rest of this one.
#[test]
fn connections_end_where_a_body_was_not_read() {
    let collector = Running::with(Settings { max_body_bytes: 1000, ..Settings::default() });
    for (headers, body, status, closes) in [
        (&[("Content-Type", FORM)][..], "x".repeat(1001), 413, true),
        (&[("Content-Type", FORM), ("Content-Encoding", "br")], "msg=x".to_owned(), 415, true),
        (&[("Content-Type", FORM), ("Origin", "http://evil.test")], "msg=x".to_owned(), 403, true),
        (&[("Content-Type", "text/plain")], "msg=x".to_owned(), 415, false),
        (&[("Content-Type", FORM)], String::new(), 400, false),
        (&[("Content-Type", FORM)], "msg=x".to_owned(), 204, false),
    ] {
        let response = collector.posted(headers, body.as_bytes());
        let connection = response.headers().get("connection").map(HeaderValue::as_bytes);
        assert_eq!((response.status().as_u16(), connection == Some(b"close")), (status, closes), "{headers:?}");
    }
}

/// The answer to a request that is written by hand.
fn raw(collector: &Running, line: &str, headers: &str, body: &str) -> String {
    let host = collector.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn what_is_refused_is_refused_with_its_reason() {
    let collector = Running::start();
    for (content_type, body, status, reason) in [
        (FORM, "", 400, "no records in it\n"),
        ("application/x-ndjson", "{\"msg\":\"x\"}\n{\"msg\":", 400, "line 2: not the JSON of a record: EOF"),
        ("application/json", "[{\"msg\":\"x\"},[]]", 400, "record 2: not the JSON of a record: invalid type"),
        ("text/plain", "msg=x", 415, "content type \"text/plain\": send application/x-www-form-urlencoded"),
    ] {
        let answer = collector.post_as(content_type, body);
        assert!(answer.0 == status && answer.1.starts_with(reason), "{answer:?}");
    }
    assert_eq!(collector.get("/log", &[]), (400, "no records in it\n".to_owned()));
    let key = "k".repeat(201);
    assert_eq!(collector.post(&[("Content-Type", FORM), ("Idempotency-Key", &key)], b"msg=x").0, 400);
    for line in ["HEAD /log?msg=x", "PUT /log?msg=x", "DELETE /log?msg=x"] {
        assert!(raw(&collector, line, "", "").starts_with("HTTP/1.1 405 "), "{line}");
    }
    assert_eq!(collector.get("/nowhere", &[]).0, 404);
    assert_eq!(collector.get("/api/rows?ids=x", &[]).0, 400);
    assert_eq!(collector.get("/api/records/7", &[]).0, 404);
    assert_eq!(collector.get("/api/search?fields=%3D", &[]), (400, "no key before =\n".to_owned()));
    assert_eq!(collector.count(""), 0, "a part of what was refused is there");
}

#[test]
fn with_a_token_everything_takes_it() {
    let collector = Running::with(Settings { token: Some("secret".to_owned()), ..Settings::default() });
    for path in ["/", "/log?msg=x", "/api/search", "/api/rows?ids=1", "/api/records/1", "/api/events", "/icon.svg"] {
        for headers in [&[][..], &[("Authorization", "Bearer wrong")]] {
            let response = collector.response(path, headers);
            assert_eq!(response.status(), 401, "{path}");
            assert_eq!(response.headers()["www-authenticate"], "Basic realm=\"logpost-collector\", charset=\"UTF-8\"");
        }
    }
    assert_eq!(collector.post(&[("Content-Type", FORM)], b"msg=x").0, 401);
    let right = ("Authorization", "Bearer secret");
    assert_eq!(collector.post(&[("Content-Type", FORM), right], b"msg=x").0, 204);
    assert_eq!(collector.get("/", &[right]).0, 200);
    // The user is "any".
    let (status, found) = collector.get("/api/search", &[("Authorization", "Basic YW55OnNlY3JldA==")]);
    assert_eq!((status, serde_json::from_str::<Value>(&found).unwrap()["last"].clone()), (200, json!(1)));
}

#[test]
fn pages_of_other_sites_are_kept_out() {
    let collector = Running::start();
    for (name, value) in [("Origin", "http://evil.test"), ("Sec-Fetch-Site", "cross-site"), ("Host", "evil.test:9020")]
    {
        assert_eq!(collector.post(&[("Content-Type", FORM), (name, value)], b"msg=x").0, 403, "{name}");
        assert_eq!(collector.get("/log?msg=x", &[(name, value)]).0, 403, "{name}");
        assert_eq!(collector.get("/api/search", &[(name, value)]).0, 403, "{name}");
    }
    assert_eq!(collector.count(""), 0);
}

#[test]
fn page_has_a_strict_policy() {
    let collector = Running::start();
    let response = collector.response("/", &[]);
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    let policy = header("content-security-policy");
    let directives: Vec<_> = policy.split("; ").collect();
    assert_eq!(directives[0], "default-src 'none'");
    for (kind, directive) in [("script-src", directives[1]), ("style-src", directives[2])] {
        let hash = directive.strip_prefix(&format!("{kind} 'sha256-")).unwrap().strip_suffix("='").unwrap();
        assert_eq!(hash.len(), 43, "nothing but one hash: {directive}");
    }
    for unsafe_word in ["unsafe", "*", "http", "data:", "blob:"] {
        assert!(!policy.contains(unsafe_word), "{policy}");
    }
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("require-trusted-types-for 'script'"));
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("cache-control"), "no-store");
}

#[test]
fn a_repeat_is_answered_as_the_first_was_and_kept_once() {
    let collector = Running::start();
    let headers = [("Content-Type", FORM), ("Idempotency-Key", "process-1")];
    for _ in 0..3 {
        assert_eq!(collector.post(&headers, b"msg=x").0, 204);
    }
    assert_eq!(collector.post(&[("Content-Type", FORM), ("Idempotency-Key", "process-2")], b"msg=x").0, 204);
    assert_eq!(collector.count(""), 2);
}

/// The data of the next event.
fn event(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> Option<Value> {
    let data = lines.find_map(|line| line.ok()?.strip_prefix("data: ").map(str::to_owned))?;
    Some(serde_json::from_str(&data).unwrap())
}

#[test]
fn events_say_how_far_the_store_is_and_end_with_the_collector() {
    let collector = Running::start();
    let response = collector.response("/api/events", &[]);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut lines = BufReader::new(response.into_body().into_reader()).lines();
    assert_eq!(event(&mut lines).unwrap()["last"], 0);
    collector.post_as("application/x-ndjson", "{\"msg\":\"a\"}\n{\"msg\":\"b\"}");
    let status = std::iter::from_fn(|| event(&mut lines)).find(|status| status["last"] == 2 && status["received"] == 2);
    assert_eq!(status.unwrap()["senders"], 1);
    collector.stop();
    assert_eq!(event(&mut lines), None);
}

#[test]
fn pages_that_do_not_read_keep_nobody_waiting() {
    let collector = Running::start();
    let open: Vec<_> = (0..64).map(|_| collector.response("/api/events", &[])).collect();
    let too_many = collector.response("/api/events", &[]);
    assert_eq!((too_many.status().as_u16(), too_many.headers()["retry-after"].as_bytes()), (503, &b"1"[..]));
    let body = "msg=x\n".repeat(1000);
    for _ in 0..100 {
        assert_eq!(collector.post_as("application/x-www-form-urlencoded-lines", &body).0, 204);
    }
    assert_eq!(collector.count("text=x"), 100_000);
    drop(open);
}
