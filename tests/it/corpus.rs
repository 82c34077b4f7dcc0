//! Every record of tests/data/corpus.jsonl arrives with the fields that Python's `HTTPHandler` would have sent, but for
//! the differences in the tables below.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use logpost::HttpHandler;
use logpost_test_support::corpus::{Case, text};
use logpost_test_support::{LONG, Request, Server, have, wait_until};

use crate::interop::{Decoder, Dictionary};

/// Python's keys that Rust has no value for, and `message`, which would be `msg` a second time.
const NOT_SENT: [&str; 6] = ["args", "exc_info", "exc_text", "stack_info", "funcName", "message"];

/// Keys whose values the corpus can't know.
const PER_RUN: [&str; 7] = ["created", "msecs", "relativeCreated", "thread", "threadName", "processName", "process"];

/// What is sent of a field in place of Python's value.
#[derive(Clone, Copy)]
enum Sent {
    /// Nothing: Python makes up a value where there is none.
    Nothing,
    /// These values.
    Values(&'static [&'static str]),
    /// The spelling that the corpus has as Rust's: of bools, and of floats.
    RustSpelling,
}

/// Record, key, and what is sent. Besides, `module` is the module path, not the stem of the file's name, in all records.
/// That is all: the levels have Python's names and numbers, so the corpus' alternative `WARN` is not used.
const DIFFERENCES: [(&str, &str, Sent); 18] = [
    ("file-none", "pathname", Sent::Nothing),
    ("file-none", "filename", Sent::Nothing),
    ("file-none", "lineno", Sent::Nothing),
    // Rust's files keep the separators of the system they were compiled on.
    ("file-windows", "filename", Sent::Values(&["conn.rs"])),
    // A dictionary of Python's keeps the last one alone.
    ("key-duplicate", "k", Sent::Values(&["1", "2"])),
    ("val-true", "v", Sent::RustSpelling),
    ("val-false", "v", Sent::RustSpelling),
    ("val-many", "b", Sent::RustSpelling),
    ("val-f-1.0", "v", Sent::RustSpelling),
    ("val-f-1e15", "v", Sent::RustSpelling),
    ("val-f-1e16", "v", Sent::RustSpelling),
    ("val-f-1e22", "v", Sent::RustSpelling),
    ("val-f-1e-7", "v", Sent::RustSpelling),
    ("val-f-1.7976931348623157e308", "v", Sent::RustSpelling),
    ("val-f-nan", "v", Sent::RustSpelling),
    // Python raises a KeyError; see `Case::python`.
    ("clash-message", "extra_message", Sent::Values(&["evil"])),
    ("clash-args", "extra_args", Sent::Values(&["evil"])),
    ("clash-lineno", "extra_lineno", Sent::Values(&["evil"])),
];

/// The record without anything special, which stands for what Python would have sent of a record that it refuses.
const PLAIN: &str = "level-info";

#[test]
fn fields_are_pythons_but_for_the_table() {
    if !have("python3", "--version") {
        return;
    }
    let cases = cases();
    // So that `created` needs a zero behind its point: one that was not written would be missed at any other time.
    wait_until("a second begins", || since_epoch().fract() < 0.05);
    let before = since_epoch();
    let requests = sent(&cases);
    let after = since_epoch();
    let plain = cases.iter().find(|case| case.id == PLAIN).unwrap();
    let mut python = Decoder::start();
    let mut used = BTreeSet::new();
    for (case, request) in cases.iter().zip(&requests) {
        let (mut fields, pairs) = python.decode(&request.body);
        check_per_run_fields(&case.id, &fields, before..=after);
        for (_, values) in fields.iter_mut().filter(|(key, _)| PER_RUN.contains(&&**key)) {
            values.clear();
        }
        let expected = case.expected(plain, &mut used);
        let same = fields == expected;
        assert!(same, "{}: {}", case.id, first_difference(&fields, &expected));
        // The dictionary has lost the places of keys that come twice.
        let core = pairs.len() - case.key_values.len();
        let keys: Vec<_> = pairs[core..].iter().map(|(key, _)| key.clone()).collect();
        assert_eq!(keys, case.extra_keys(), "{}", case.id);
    }
    for (id, key, _) in &DIFFERENCES {
        assert!(used.contains(&(*id, *key)), "{id}: {key} is in the table for nothing");
    }
}

#[test]
fn bytes_differ_from_pythons_in_two_characters_alone() {
    let cases = cases();
    let requests = sent(&cases);
    for (case, request) in cases.iter().zip(&requests) {
        let Some(wire) = case.expect["wire"].as_str() else {
            continue;
        };
        let known = |pair: &&str| {
            let key = pair.split('=').next().unwrap();
            key == "module"
                || NOT_SENT.contains(&key)
                || PER_RUN.contains(&key)
                || DIFFERENCES.iter().any(|(id, name, _)| (*id, *name) == (&case.id, key))
        };
        let body = std::str::from_utf8(&request.body).unwrap();
        let found: Vec<_> = body
            .split('&')
            .filter(|pair| !known(pair))
            .map(|pair| pair.replace('*', "%2A").replace("%7E", "~"))
            .collect();
        let expected: Vec<_> = wire.split('&').filter(|pair| !known(pair)).collect();
        assert_eq!(found, expected, "{}", case.id);
    }
}

pub(crate) fn cases() -> Vec<Case> {
    Case::all(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/corpus.jsonl"))
}

/// Logs the records, and returns the requests that came of them, in order.
fn sent(cases: &[Case]) -> Vec<Request> {
    let server = Server::start();
    let (logger, guard) = logpost::builder().handler(HttpHandler::new(server.url()).unwrap()).build().unwrap();
    for case in cases {
        case.log(&logger);
    }
    guard.flush(LONG).unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), cases.len());
    requests
}

fn check_per_run_fields(id: &str, fields: &Dictionary, run: std::ops::RangeInclusive<f64>) {
    let text = |name: &str| {
        let found: Vec<_> = fields.iter().filter(|(key, _)| key == name).collect();
        let [(_, values)] = &found[..] else { panic!("{id}: {name}: {found:?}") };
        let [value] = &values[..] else { panic!("{id}: {name}: {values:?}") };
        value.clone()
    };
    let created = text("created");
    let (_, fraction) = created.split_once('.').unwrap();
    assert_eq!(fraction.len(), 6, "{id}: {created}");
    assert!(run.contains(&created.parse().unwrap()), "{id}: {created} in {run:?}");
    let milliseconds = fraction[..3].parse::<u32>().unwrap();
    assert_eq!(text("msecs"), milliseconds.to_string(), "{id}: {created}");
    let elapsed = text("relativeCreated");
    let (milliseconds, fraction) = elapsed.split_once('.').unwrap();
    assert!(milliseconds.parse::<u32>().is_ok(), "{id}: {elapsed}");
    assert!(fraction.len() == 3 && fraction.parse::<u32>().is_ok(), "{id}: {elapsed}");
    assert!(text("thread").parse::<u64>().is_ok(), "{id}: {}", text("thread"));
    assert_eq!(text("threadName"), std::thread::current().name().unwrap(), "{id}");
    let executable = std::env::current_exe().unwrap();
    assert_eq!(text("processName"), executable.file_stem().unwrap().to_str().unwrap(), "{id}");
    assert_eq!(text("process"), std::process::id().to_string(), "{id}");
}

/// To the microsecond, as the record's time is.
fn since_epoch() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    format!("{}.{:06}", now.as_secs(), now.subsec_micros()).parse().unwrap()
}

/// Some of the values are a megabyte long.
fn first_difference(found: &Dictionary, expected: &Dictionary) -> String {
    let mut places = 0..found.len().max(expected.len());
    let at = places.find(|&at| found.get(at) != expected.get(at)).unwrap();
    let shown = |dictionary: &Dictionary| format!("{:.300}", format!("{:?}", dictionary.get(at)));
    format!("{} instead of {}", shown(found), shown(expected))
}

/// What Python makes of a record, and what is to arrive of it.
pub(crate) trait ByPython {
    fn python(&self, plain: &Case) -> Dictionary;
    fn clashes(&self) -> bool;
    /// Whether a program in Python can have the record: it has no key twice or in place of a field, and a file always.
    fn python_can_have_it(&self) -> bool;
    fn extra_keys(&self) -> Vec<String>;
    fn expected(&self, plain: &Case, used: &mut BTreeSet<(&str, &str)>) -> Dictionary;
}

impl ByPython for Case {
    fn python_can_have_it(&self) -> bool {
        let keys: BTreeSet<_> = self.key_values.iter().map(|(key, ..)| key).collect();
        !self.clashes() && keys.len() == self.key_values.len() && self.file.is_some()
    }

    /// What Python sends, in its order, without values for the fields that differ from run to run.
    fn python(&self, plain: &Case) -> Dictionary {
        if self.clashes() {
            let same = (&self.message, &self.target, &self.file) == (&plain.message, &plain.target, &plain.file);
            assert!(same, "{}: {PLAIN} can't stand for it", self.id);
            let mut fields = plain.python(plain);
            fields.extend(self.key_values.iter().map(|(key, _, _)| (format!("extra_{key}"), vec![])));
            return fields;
        }
        let fields = self.expect["fields"].as_object().unwrap();
        let order: Vec<_> = if let Some(order) = self.expect["order"].as_array() {
            order.iter().map(text).collect()
        } else {
            // The corpus leaves it out where it is long: the keys of every record, then the record's own.
            let plain = plain.python(plain).into_iter().map(|(key, _)| key);
            plain.chain(self.extra_keys()).collect()
        };
        assert!(fields.keys().all(|key| order.contains(key)), "{}", self.id);
        order
            .into_iter()
            .map(|key| {
                let values = fields.get(&key).map(|values| values.as_array().unwrap().iter().map(text).collect());
                assert_eq!(values.is_none(), PER_RUN.contains(&&*key), "{}: {key:?}", self.id);
                (key, values.unwrap_or_default())
            })
            .collect()
    }

    /// Whether Python refuses it, since a key-value would overwrite a field.
    fn clashes(&self) -> bool {
        self.expect.get("python_error").is_some()
    }

    /// The keys of the key-values, as they are sent.
    fn extra_keys(&self) -> Vec<String> {
        let prefix = if self.clashes() { "extra_" } else { "" };
        self.key_values.iter().map(|(key, _, _)| format!("{prefix}{key}")).collect()
    }

    /// What is to arrive: what Python sends, but for the tables. Notes in `used` which differences there are.
    fn expected(&self, plain: &Case, used: &mut BTreeSet<(&str, &str)>) -> Dictionary {
        let mut expected = Vec::new();
        for (key, python) in self.python(plain) {
            if NOT_SENT.contains(&&*key) {
                continue;
            }
            let difference = DIFFERENCES.iter().find(|(id, name, _)| (*id, *name) == (&self.id, &key));
            let sent: Vec<_> = match difference {
                _ if key == "module" => self.module_path.iter().cloned().collect(),
                None => python.clone(),
                Some((_, _, Sent::Nothing)) => vec![],
                Some((_, _, Sent::Values(values))) => values.iter().copied().map(Into::into).collect(),
                Some((_, _, Sent::RustSpelling)) => vec![text(&self.expect["rust_alt"][&key])],
            };
            if let Some((id, name, _)) = difference {
                assert_ne!(sent, python, "{id}: {name} is no difference");
                used.insert((*id, *name));
            }
            if !sent.is_empty() || PER_RUN.contains(&&*key) {
                expected.push((key, sent));
            }
        }
        expected
    }
}
