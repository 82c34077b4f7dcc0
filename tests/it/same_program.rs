//! The same program twice: `tests/data/same_program.py`, with Python's `QueueHandler`, `QueueListener` and `HTTPHandler`, and the one
//! below, with ours, send the same records to one receiver, a program of Python's that knows nothing of logpost. What it
//! rebuilds of both is the same, field by field, by the rules of `compare`.

use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use log::{Level, LevelFilter, Log, info, log};
use logpost::{BoundedQueue, HttpHandler, Logger, QueueHandler, QueueListener};
use logpost_test_support::corpus::Case;
use logpost_test_support::{LONG, have};
use serde_json::{Map, Value};

use crate::corpus::{ByPython, cases};
use crate::interop::{parsed, python, string};

type Attributes = Map<String, Value>;

/// What only Python has. Behind a `QueueHandler` all but two of them are always None.
const ONLY_PYTHON_HAS: [&str; 7] = ["args", "exc_info", "exc_text", "stack_info", "taskName", "funcName", "message"];

#[test]
fn a_receiver_can_not_tell_who_sends() {
    if !have("python3", "--version") {
        return;
    }
    let receiver = python("receiver.py");
    let url = format!("http://127.0.0.1:{}/log", parsed(&receiver.line())["port"]);

    let mut other = python("same_program.py");
    other.send(url.as_bytes());
    let sent: usize = other.line().parse().unwrap();
    let cases: Vec<_> = cases().into_iter().filter(ByPython::python_can_have_it).collect();
    let workers = 2 * (Level::iter().count() + 1);
    assert_eq!(sent, cases.len() + workers, "the programs are not the same");
    same_program(&url, &cases);

    let mut requests: Vec<_> = receiver.finish().iter().map(|line| parsed(line)).collect();
    requests.pop().expect("its goodbye");
    assert_eq!(requests.len(), 2 * sent);
    let (theirs, ours) = requests.split_at(sent);
    for (place, (python, rust)) in theirs.iter().zip(ours).enumerate() {
        assert_eq!((python.get("error"), rust.get("error")), (None, None), "{python:.1000}\n{rust:.1000}");
        let (case, name) = (cases.get(place), cases.get(place).map_or("a worker's", |case| &case.id));
        if let Err(difference) = compare(attributes(python), attributes(rust), case) {
            panic!("record {place}, {name}: {difference}");
        }
        for key in ["method", "path"] {
            assert_eq!(python[key], rust[key], "{name}");
        }
        if case.is_some() && !is_of_windows(attributes(python)) {
            assert!(formatted(python) == formatted(rust), "{name}");
        }
    }
}

/// The program.
fn same_program(url: &str, cases: &[Case]) {
    let queue = BoundedQueue::new();
    let listener = QueueListener::new(queue.clone()).handler(HttpHandler::new(url).unwrap());
    let handler = QueueHandler::new(queue);
    let (logger, _guard) = logpost::builder().level(LevelFilter::Trace).queue(handler).build().unwrap();
    listener.start().unwrap();
    run("corpus", || cases.iter().for_each(|case| case.log(&logger as &dyn Log)));
    for name in ["worker 1 ü", "worker=2&"] {
        run(name, || work(&logger, name));
    }
    let stats = listener.stop(LONG);
    assert_eq!((stats.delivered, stats.pending), (stats.accepted, 0), "{stats}");
}

fn work(logger: &Logger, name: &str) {
    for (number, level) in Level::iter().enumerate() {
        log!(
            logger: logger, target: "app", level,
            user = "ü & co", attempt = number, ratio = 0.25, cached = true, nothing = log::kv::Value::null();
            "{name}: record {number}, 100% of a+b=c&d; \"ü\" 😀"
        );
    }
    info!(logger: logger, target: "app", "");
}

fn run(name: &str, target: impl FnOnce() + Send) {
    thread::scope(|scope| {
        thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, target).unwrap();
    });
}

/// Compares a record of Python's with ours, field by field; says how they differ, if not as the rules allow for.
fn compare(python: &Attributes, rust: &Attributes, case: Option<&Case>) -> Result<(), String> {
    if let Some(key) = rust.keys().find(|key| !python.contains_key(*key)) {
        return Err(format!("Python has no {key}"));
    }
    for (key, theirs) in python {
        let Some(ours) = rust.get(key) else {
            let is_known = match &**key {
                "message" => *theirs == python["msg"],
                "module" => case.is_some_and(|case| case.module_path.is_none()),
                "funcName" => theirs.is_null() || theirs == "work",
                _ => theirs.is_null() && ONLY_PYTHON_HAS.contains(&&**key),
            };
            if is_known {
                continue;
            }
            return Err(format!("only Python has {key}: {theirs:.300}"));
        };
        let as_ruled = match &**key {
            // Where it was logged: the same where the program says so, the program's own where it does not.
            "lineno" if case.is_none() => theirs.as_u64() > Some(0) && ours.as_u64() > Some(0),
            "pathname" | "filename" if case.is_none() => {
                string(theirs).ends_with("same_program.py") && string(ours).ends_with("same_program.rs")
            }
            // Both separators are looked at, on whichever system.
            "filename" if is_of_windows(python) => string(theirs).rsplit('\\').next() == ours.as_str(),
            // Python's is the stem of the file's name, ours is the module path.
            "module" => match case {
                None => (theirs == "same_program") && ours == module_path!(),
                Some(case) => ours.as_str() == case.module_path.as_deref(),
            },
            "processName" => theirs == "MainProcess" && *ours == executable(),
            "process" => theirs != ours && *ours == std::process::id(),
            // A number, each system's and each program's own.
            "thread" => theirs.as_u64() > Some(0) && ours.as_u64() > Some(0),
            // Ours ran after Python's, and neither long ago.
            "created" => {
                let (before, after) = (number(theirs), number(ours));
                before <= after && (0.0..LONG.as_secs_f64()).contains(&(after - before)) && after <= since_epoch()
            }
            // Of `created`, to the millisecond; a float has no more.
            "msecs" => [python, rust].iter().all(|record| {
                let of_created = number(&record["created"]).fract() * 1000.0;
                let msecs = number(&record["msecs"]);
                msecs.fract() == 0.0 && (of_created - msecs).abs() <= 1.0
            }),
            "relativeCreated" => {
                [theirs, ours].iter().all(|since| number(since) >= 0.0 && number(since) < since_epoch())
            }
            _ => same_value(&string_or_number(theirs), &string_or_number(ours), kind(key, case)),
        };
        if !as_ruled {
            return Err(format!("{key}: {theirs:.300} is Python's, {ours:.300} is ours"));
        }
    }
    Ok(())
}

/// The same value, in the spelling of each language where they have one of their own.
fn same_value(python: &str, rust: &str, kind: &str) -> bool {
    let float = |text: &str| text.parse::<f64>().unwrap();
    match kind {
        "bool" => python.to_lowercase() == rust,
        "f64" => float(python).to_bits() == float(rust).to_bits(),
        _ => python == rust,
    }
}

/// What a field's value is.
fn kind<'a>(key: &str, case: Option<&'a Case>) -> &'a str {
    let of_corpus = case.and_then(|case| case.key_values.iter().find(|(found, ..)| found == key));
    match of_corpus {
        Some((_, kind, _)) => kind,
        None if case.is_none() && key == "cached" => "bool",
        None if case.is_none() && key == "ratio" => "f64",
        None => "str",
    }
}

fn is_of_windows(record: &Attributes) -> bool {
    string(&record["pathname"]).contains('\\')
}

fn attributes(request: &Value) -> &Attributes {
    request["attributes"].as_object().unwrap()
}

/// How the receiver formats it, from behind the time on.
fn formatted(request: &Value) -> &str {
    string(&request["formatted"]).strip_prefix(string(&request["asctime"])).unwrap()
}

fn string_or_number(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn executable() -> String {
    let path = std::env::current_exe().unwrap();
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}

fn since_epoch() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}
