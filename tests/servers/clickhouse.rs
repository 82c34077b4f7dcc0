//! ClickHouse's server, of a version that is old: what it has taken is asked back.

use std::process::Command;

use logpost::{presets, ureq};
use logpost_test_support::have_file;
use serde_json::{Map, Value, json};

use crate::application::Configured;
use crate::delivery::{assert_about_same_time, assert_same, deliver_as_it_is, deliver_corpus_as_it_is};

const TABLE: &str = "CREATE TABLE logs (timestamp Float64, level String, message String, name String,
    pathname Nullable(String), filename Nullable(String), module Nullable(String), lineno Nullable(UInt32),
    threadName String, process UInt32, number UInt32, whole Int64, large UInt64, half Float64, yes UInt8,
    nothing Nullable(String)) ENGINE = Memory";

/// A setting that newer versions have on by themselves.
const PASS_BY: &str = "input_format_skip_unknown_fields=1";

#[test]
fn rows_are_what_was_logged_and_columns_keep_their_types() {
    let Some(server) = start() else { return };
    let url = format!("http://{}/?{PASS_BY}", server.address);
    let sent = deliver_as_it_is(presets::clickhouse(url, "logs"), |logger| {
        for number in 0..1000 {
            let (whole, half) = (i64::MIN + i64::from(number), f64::from(number) + 0.25);
            let yes = number % 2 == 0;
            log::info!(logger: logger, number, whole, large = u64::MAX, half, yes, nothing = None::<u8>, passed_by = 1;
                "message {number}: ü \"quoted\"\n\t\\ 😀");
        }
    });
    assert_eq!(sent.stats.delivered, 1000, "{:?}", sent.failures);
    let rows = rows(&server, "SELECT * FROM logs ORDER BY number");
    assert_eq!(rows.len(), 1000);
    for ((mut row, fields), number) in rows.into_iter().zip(&sent.dictionaries).zip(0_i32..) {
        let text = |key: &str| fields.get(key).unwrap().to_string();
        let expected = json!({
            "level": "INFO", "message": format!("message {number}: ü \"quoted\"\n\t\\ 😀"), "name": module_path!(),
            "pathname": file!(), "filename": "clickhouse.rs", "module": module_path!(),
            "lineno": text("lineno").parse::<u32>().unwrap(), "threadName": text("threadName"),
            "process": std::process::id(), "number": number,
            "whole": i64::MIN + i64::from(number), "large": u64::MAX, "half": f64::from(number) + 0.25, "yes": u8::from(number % 2 == 0),
            "nothing": null,
        });
        assert_about_same_time(row.remove("timestamp").as_ref(), fields);
        assert_same(&row, expected.as_object().unwrap());
    }
}

#[test]
fn every_message_of_the_corpus_is_asked_back() {
    let Some(server) = start() else { return };
    let url = format!("http://{}/?{PASS_BY}", server.address);
    let sent = deliver_corpus_as_it_is(presets::clickhouse(url, "logs"));
    sent.all_taken();
    let rows = rows(&server, "SELECT message, name, level FROM logs ORDER BY timestamp");
    let mut found: Vec<_> =
        rows.iter().map(|row| ["message", "name", "level"].map(|key| row[key].as_str().unwrap().to_owned())).collect();
    let mut expected: Vec<_> = sent
        .dictionaries
        .iter()
        .map(|fields| ["msg", "name", "levelname"].map(|key| fields.get(key).unwrap().to_string()))
        .collect();
    found.sort();
    expected.sort();
    assert!(found == expected);
}

/// It answers 500 to rows that it can't read, which by itself would be tried again for ever.
#[test]
fn a_row_that_the_table_does_not_take_is_rejected_alone() {
    let Some(server) = start() else { return };
    let url = format!("http://{}/?{PASS_BY}", server.address);
    let sent = deliver_as_it_is(presets::clickhouse(url, "logs"), |logger| {
        for number in 0..20 {
            if number == 7 {
                log::info!(logger: logger, number, half = "no number"; "x");
            } else {
                log::info!(logger: logger, number, half = 0.5; "x");
            }
        }
    });
    assert_eq!((sent.stats.delivered, sent.stats.rejected), (19, 1), "{:?}", sent.failures);
    let last = sent.failures.last().unwrap();
    assert!(last.contains("ClickHouse answered 500: Code: 27"), "{last}");
    let rows = rows(&server, "SELECT number FROM logs ORDER BY number");
    let numbers: Vec<_> = rows.iter().map(|row| row["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..20).filter(|number| *number != 7).collect::<Vec<_>>());
}

/// A column that is missing is an error to this version, and the record is rejected.
#[test]
fn without_its_setting_this_version_takes_no_unknown_field() {
    let Some(server) = start() else { return };
    let sent = deliver_as_it_is(presets::clickhouse(format!("http://{}", server.address), "logs"), |logger| {
        log::info!(logger: logger, "x");
    });
    assert_eq!((sent.stats.delivered, sent.stats.rejected), (0, 1));
    assert!(sent.failures[0].contains("Unknown field found"), "{:?}", sent.failures);
}

fn start() -> Option<Configured> {
    // It knows no `--version`.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).map(|place| place.join("clickhouse-server"));
    let program = have_file(places.chain(["/usr/sbin/clickhouse-server".into()]))?;
    let server = Configured::start("clickhouse.xml", &[], |configuration| {
        let mut server = Command::new(program);
        server.arg("--config-file").arg(configuration);
        server
    });
    ask(&server, TABLE);
    Some(server)
}

fn ask(server: &Configured, query: &str) -> String {
    let url = format!("http://{}/?output_format_json_quote_64bit_integers=0", server.address);
    ureq::post(url).send(query).unwrap().body_mut().with_config().limit(u64::MAX).read_to_string().unwrap()
}

fn rows(server: &Configured, query: &str) -> Vec<Map<String, Value>> {
    let rows = ask(server, &format!("{query} FORMAT JSONEachRow"));
    rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect()
}
