//! The documents say what is so: defaults, settings, features, links, and the tests they name.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use logpost::*;
use logpost_test_support::have;

use crate::house::source_files;

const README: &str = include_str!("../../README.md");

/// The types that have settings.
const BUILDERS: [&str; 8] = [
    "Builder",
    "Pipeline",
    "Retry",
    "HttpHandlerBuilder",
    "Batch",
    "BoundedQueueBuilder",
    "QueueHandler",
    "QueueListener",
];

/// The guide: the documentation of the crate, as Markdown.
fn guide() -> String {
    let lines = include_str!("../../src/lib.rs").lines().filter_map(|line| line.strip_prefix("//!"));
    lines.map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned() + "\n").collect()
}

/// What stands between a heading and the next one.
fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    let (_, behind) = document.split_once(&format!("{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    behind.split("\n#").next().unwrap_or_default()
}

/// The cells of all rows of all tables, row by row.
fn rows(document: &str) -> impl Iterator<Item = Vec<&str>> {
    let rows = document.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    rows.map(|row| row.split('|').map(str::trim).collect())
}

/// What stands between backticks.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The settings that a cell is about.
fn settings_in(cell: &str) -> impl Iterator<Item = &str> {
    code(cell).filter(|name| name.split_once("::").is_some_and(|(of, _)| BUILDERS.contains(&of)))
}

/// As it is read: `[text](target)` and code are their text.
fn plain(cell: &str) -> String {
    let mut plain = String::new();
    for part in cell.split(']') {
        let part = if part.starts_with('(') { part.split_once(')').map_or("", |(_, rest)| rest) } else { part };
        plain += &part.replace(['[', '`'], "");
    }
    plain
}

/// The default of a setting, by the guide.
fn told(setting: &str) -> String {
    let guide = guide();
    let mut rows = rows(section(&guide, "# Defaults"));
    let row = rows.find(|row| settings_in(row[0]).any(|name| name == setting));
    plain(row.unwrap_or_else(|| panic!("{setting} is missing in the table of defaults"))[1])
}

/// Whether `cell` is `value`, and perhaps more words about it.
fn says(cell: &str, value: &str) -> bool {
    let rest = cell.strip_prefix(value);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', ';', ':']) || rest.starts_with(", "))
}

/// The methods of builders that take themselves, and return what they have become.
fn settings() -> BTreeSet<String> {
    let mut settings = BTreeSet::new();
    for code in source_files().values() {
        for of in BUILDERS {
            for body in code.split(&format!("impl {of} {{\n")).skip(1) {
                let body = body.split("\n}\n").next().unwrap();
                for function in body.split("    pub fn ").skip(1) {
                    let signature = function.split('{').next().unwrap();
                    let (name, arguments) = signature.split_once('(').unwrap();
                    let name = name.split('<').next().unwrap();
                    let arguments = arguments.trim_start().trim_start_matches("mut ");
                    if arguments.starts_with("self") && signature.trim_end().ends_with("-> Self") {
                        settings.insert(format!("{of}::{name}"));
                    }
                }
            }
        }
    }
    settings
}

#[test]
fn every_setting_is_in_the_table_of_defaults() {
    let (guide, settings) = (guide(), settings());
    assert!(settings.len() > 40, "{settings:?}");
    let told: Vec<_> =
        rows(section(&guide, "# Defaults")).flat_map(|row| settings_in(row[0]).collect::<Vec<_>>()).collect();
    let once: BTreeSet<_> = told.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(once, settings);
    assert_eq!(told.len(), once.len(), "one is there twice");
}

/// What the documents should say for a constant.
fn value_of(constant: &str) -> String {
    match constant {
        "DEFAULT_LEVEL" => format!("{DEFAULT_LEVEL:?}"),
        "DEFAULT_MAX_MESSAGE_BYTES" => bytes(DEFAULT_MAX_MESSAGE_BYTES),
        "DEFAULT_FLUSH_TIMEOUT" => time(DEFAULT_FLUSH_TIMEOUT),
        "DEFAULT_CAPACITY" => format!("{} records", count(DEFAULT_CAPACITY)),
        "DEFAULT_CAPACITY_BYTES" => bytes(DEFAULT_CAPACITY_BYTES),
        "DEFAULT_PREALLOCATED" => {
            format!("{} records: {}", count(DEFAULT_PREALLOCATED), bytes(DEFAULT_PREALLOCATED * size_of::<LogRecord>()))
        }
        "DEFAULT_FIRST_DELAY" => time(DEFAULT_FIRST_DELAY),
        "DEFAULT_MAX_DELAY" => time(DEFAULT_MAX_DELAY),
        "MAX_RETRY_AFTER" => time(MAX_RETRY_AFTER),
        "DEFAULT_USER_AGENT" => DEFAULT_USER_AGENT.replace(env!("CARGO_PKG_VERSION"), " and the version"),
        "DEFAULT_BATCH_RECORDS" => count(DEFAULT_BATCH_RECORDS),
        "DEFAULT_BATCH_BYTES" => bytes(DEFAULT_BATCH_BYTES),
        "DEFAULT_LINGER" => time(DEFAULT_LINGER),
        "DEFAULT_TIMEOUT" => time(DEFAULT_TIMEOUT),
        "DEFAULT_CONNECT_TIMEOUT" => time(DEFAULT_CONNECT_TIMEOUT),
        #[cfg(feature = "testing")]
        "testing::MAX_BODY_BYTES" => bytes(testing::MAX_BODY_BYTES),
        _ => panic!("{constant} is not compared with what the documents say"),
    }
}

fn count(number: usize) -> String {
    match (number / 1000, number % 1000) {
        (0, rest) => rest.to_string(),
        (thousands, rest) => format!("{},{rest:03}", count(thousands)),
    }
}

fn bytes(number: usize) -> String {
    const KIB: usize = 1024;
    match number {
        _ if number % (KIB * KIB) == 0 => format!("{} MiB", number / KIB / KIB),
        _ if number % KIB == 0 => format!("{} KiB", number / KIB),
        _ => format!("{} bytes", count(number)),
    }
}

fn time(duration: Duration) -> String {
    match (duration.as_secs(), duration.subsec_millis()) {
        (0, millis) => format!("{millis} ms"),
        (seconds, 0) if seconds > 60 && seconds % 60 == 0 => format!("{} min", seconds / 60),
        (seconds, 0) => format!("{seconds} s"),
        _ => format!("{duration:?}"),
    }
}

#[test]
fn the_table_of_defaults_says_what_the_constants_are() {
    let guide = guide();
    let is_constant = |name: &str| name.ends_with(|letter: char| letter.is_ascii_uppercase()) && name.contains('_');
    let mut told = BTreeSet::new();
    for row in rows(section(&guide, "# Defaults")) {
        let Some(constant) = code(row[2]).find(|name| is_constant(name)) else { continue };
        told.insert(constant.trim_start_matches("testing::").to_owned());
        if cfg!(feature = "testing") || !constant.starts_with("testing::") {
            let value = value_of(constant);
            assert!(says(&plain(row[1]), &value), "{constant} is {value}, but the table says: {}", row[1]);
        }
    }
    let public = source_files()["lib.rs"].clone() + &source_files()["testing/mod.rs"];
    let words = public.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    let public: BTreeSet<_> = words.filter(|word| word.starts_with("DEFAULT_") || word.starts_with("MAX_")).collect();
    assert_eq!(told.iter().map(String::as_str).collect::<BTreeSet<_>>(), public);
}

/// What builders begin with, by what they show of themselves, is what the guide says.
#[test]
fn the_defaults_are_in_force() {
    let logger = format!("{:?}", builder());
    let pipeline = format!("{:?}", Pipeline::new(CaptureHandler::new()));
    let (retry, batch) = (format!("{:?}", Retry::default()), format!("{:?}", Batch::default()));
    let http = format!("{:?}", HttpHandler::builder("http://127.0.0.1:9/"));
    for (setting, all, shown, words) in [
        ("Builder::level", &logger, "filter: None".to_owned(), "Info"),
        ("Builder::tee", &logger, "tees: 0 tees".to_owned(), "none"),
        ("Builder::log_panics", &logger, "log_panics: false".to_owned(), "false"),
        ("Builder::max_message_bytes", &logger, format!("max_message_bytes: {DEFAULT_MAX_MESSAGE_BYTES}"), ""),
        ("Builder::flush_timeout", &logger, format!("flush_timeout: {DEFAULT_FLUSH_TIMEOUT:?}"), ""),
        ("Pipeline::name", &pipeline, "name: None".to_owned(), "pipeline-1"),
        ("Pipeline::level", &pipeline, "filter: Ok(Filter { widest: Trace, directives: None })".to_owned(), "Trace"),
        ("Pipeline::capacity", &pipeline, format!("records: {DEFAULT_CAPACITY}"), ""),
        ("Pipeline::capacity_bytes", &pipeline, format!("bytes: {DEFAULT_CAPACITY_BYTES}"), ""),
        ("Pipeline::preallocate", &pipeline, format!("preallocated: {DEFAULT_PREALLOCATED}"), ""),
        ("Pipeline::overflow", &pipeline, "overflow: DropNewest".to_owned(), "DropNewest"),
        ("Pipeline::workers", &pipeline, "workers: 1,".to_owned(), "1"),
        ("Pipeline::delivery", &pipeline, "delivery: AtLeastOnce".to_owned(), "AtLeastOnce"),
        ("Pipeline::retry", &pipeline, format!("retry: {retry}"), "Retry::default"),
        ("Retry::first_delay", &retry, format!("first_delay: {DEFAULT_FIRST_DELAY:?}"), ""),
        ("Retry::max_delay", &retry, format!("max_delay: {DEFAULT_MAX_DELAY:?}"), ""),
        ("Retry::max_attempts", &retry, "max_attempts: None".to_owned(), "no limit"),
        ("Retry::max_age", &retry, "max_age: None".to_owned(), "no limit"),
        ("Batch::max_records", &batch, format!("max_records: {DEFAULT_BATCH_RECORDS}"), ""),
        ("Batch::max_bytes", &batch, format!("max_bytes: {DEFAULT_BATCH_BYTES}"), ""),
        ("Batch::linger", &batch, format!("linger: {DEFAULT_LINGER:?}"), ""),
        ("HttpHandlerBuilder::method", &http, "method: Post".to_owned(), "Post"),
        ("HttpHandlerBuilder::field", &http, "fields: []".to_owned(), "none"),
        ("HttpHandlerBuilder::safe_names", &http, "safe_names: false".to_owned(), "false"),
        ("HttpHandlerBuilder::timeout", &http, format!(" timeout: {DEFAULT_TIMEOUT:?}"), ""),
        ("HttpHandlerBuilder::connect_timeout", &http, format!("connect_timeout: {DEFAULT_CONNECT_TIMEOUT:?}"), ""),
        ("HttpHandlerBuilder::proxy", &http, "proxy: Environment".to_owned(), "what the environment says"),
        #[cfg(any(feature = "rustls", feature = "native-tls"))]
        (
            "HttpHandlerBuilder::danger_accept_invalid_certs",
            &http,
            "danger_accept_invalid_certs: false".to_owned(),
            "false",
        ),
    ] {
        assert!(all.contains(&shown), "{setting}: {shown} is not in {all}");
        assert!(words.is_empty() || says(&told(setting), words), "{setting}: {}", told(setting));
    }
}

#[test]
fn the_readme_names_the_same_settings_defaults_variables_and_features() {
    for row in rows(README) {
        for setting in settings_in(row[0]) {
            assert_eq!(plain(row[1]), told(setting), "{setting}");
        }
    }
    for (variable, default) in
        [("LOGPOST_TIMEOUT", time(DEFAULT_TIMEOUT)), ("LOGPOST_CAPACITY", count(DEFAULT_CAPACITY))]
    {
        assert!(rows(README).any(|row| plain(row[0]) == variable && row[2] == default), "{variable}: {default}");
    }
    let variables = |document: &str| -> BTreeSet<String> {
        let names = rows(document).flat_map(|row| code(row[0]).map(str::to_owned).collect::<Vec<_>>());
        names.filter(|name| name.starts_with("LOGPOST_") || name == "RUST_LOG").collect()
    };
    let by_env = include_str!("../../src/env.rs").replace("/// ", "");
    assert_eq!(variables(README), variables(&by_env));

    let manifest = include_str!("../../Cargo.toml");
    let features = manifest.split("\n[features]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let features = features.lines().filter_map(|line| line.split_once(" = ")).collect::<Vec<_>>();
    let (_, on) = features.iter().find(|(name, _)| *name == "default").unwrap();
    let features: BTreeSet<_> = features.iter().map(|(name, _)| *name).filter(|name| *name != "default").collect();
    for document in [section(README, "### Features"), section(&guide(), "# Features")] {
        let told: Vec<_> = rows(document).filter_map(|row| Some((code(row[0]).next()?, row[1]))).collect();
        assert_eq!(told.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>(), features);
        for (name, default) in told {
            assert_eq!(default == "on", on.contains(&format!("{name:?}")), "{name}");
        }
    }
}

/// All documents, but for those of tests.
fn documents() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents = vec![(root.join("src/lib.rs"), guide())];
    for folder in ["", "benches", "docs", "examples", "examples/collector"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(&path).unwrap();
                documents.push((path, text));
            }
        }
    }
    documents
}

/// The names by which a document's headings can be linked to.
fn anchors(document: &str) -> Vec<String> {
    let headings =
        document.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let letter = |letter: char| match letter {
        ' ' => Some('-'),
        _ => (letter.is_alphanumeric() || "-_".contains(letter)).then(|| letter.to_ascii_lowercase()),
    };
    headings.map(|heading| heading.chars().filter_map(letter).collect()).collect()
}

#[test]
fn every_relative_link_leads_somewhere() {
    let documents = documents();
    let mut links = 0;
    for (path, document) in &documents {
        for target in document.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            // What has a colon is a URL, or an item of the crate, which rustdoc looks after.
            if target.contains(':') {
                continue;
            }
            links += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let leads_to = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(leads_to.exists(), "{}: {target} leads nowhere", path.display());
            if !anchor.is_empty() {
                let leads_to = leads_to.canonicalize().unwrap();
                let other = documents.iter().find(|(path, _)| path.canonicalize().unwrap() == leads_to);
                let (_, other) = other.unwrap_or_else(|| panic!("{}: {target} is no document", path.display()));
                assert!(anchors(other).iter().any(|found| found == anchor), "{}: no {target}", path.display());
            }
        }
    }
    assert!(links > 50, "{links}");
}

/// Each cell of ours leads to a test or an example, and the tests that prove it are where they are said to be.
#[test]
fn what_the_comparison_claims_is_proved() {
    let table = section(README, "## Beside others");
    for row in rows(table).filter(|row| row.len() > 3) {
        let ours = row[1];
        let is_no_claim = ["", "---", "`log`", "no", "logpost 0.1"].contains(&ours);
        let proofs = ["](tests/", "](examples/", "](src/"];
        assert!(is_no_claim || proofs.iter().any(|proof| ours.contains(proof)), "{row:?}");
    }
    let tests =
        rows(section(include_str!("../../docs/comparison.md"), "## logpost 0.1.0")).map(|row| proofs(row[1], row[2]));
    let tests: usize = tests.sum();
    assert!(tests > 30, "{tests}");
}

/// Every server is known by a test that is where it is said to be, or by the documentation that is linked to; every preset
/// is told of, with the lines that make it.
#[test]
fn what_is_said_of_servers_is_seen_or_has_its_source() {
    let document = include_str!("../../docs/servers.md");
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let (mut seen, mut tests, mut versions) = (0, 0, 0);
    for row in rows(document).filter(|row| row.len() == 6 && !["server", "---"].contains(&row[0])) {
        let known = row[5];
        let (by_documentation, by_test) =
            (known.starts_with("by its documentation: ["), known.starts_with("seen working"));
        assert!(by_documentation || by_test || known.starts_with("not tried: "), "{}: {known}", row[0]);
        assert!(!by_documentation || known.contains("](https://"), "{}: {known}", row[0]);
        seen += usize::from(by_test);
        let mut parts = known.split(".rs](");
        let mut tests_here = 0;
        for part in parts.by_ref().skip(1) {
            let file = docs.join(part.split(')').next().unwrap());
            let source = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            for name in code(part) {
                assert!(source.contains(&format!("fn {name}(")), "{} has no {name}", file.display());
                tests_here += 1;
            }
        }
        assert!(!by_test || tests_here > 0, "{}: no test is named", row[0]);
        tests += tests_here;
    }
    assert!(seen >= 9 && tests > 35, "{seen} servers, {tests} tests");

    // The versions that are told of are those that are installed.
    let requirements = include_str!("../servers/requirements.txt").lines().filter_map(|line| line.split_once("=="));
    let packages = include_str!("../servers/package.json").lines().filter_map(|line| line.split_once("\": \""));
    for (name, version) in requirements.chain(packages) {
        let minor = version.split('.').take(2).collect::<Vec<_>>().join(".");
        let told = match name.trim().trim_matches('"') {
            "Flask" => format!("| Flask {minor} |"),
            "Django" => format!("| Django {minor} |"),
            "express" => format!("| Express {minor} |"),
            "chdb-core" => format!("the engine of {minor}, by chdb"),
            _ => continue,
        };
        assert!(document.contains(&told), "{told} is not told of");
        versions += 1;
    }
    assert_eq!(versions, 4);

    let presets = &source_files()["http/presets/mod.rs"];
    let presets = presets.lines().filter(|line| line.starts_with("pub use self::"));
    let names = |line: &str| -> Vec<String> {
        let list = line.rsplit("::").next().unwrap().trim_matches(['{', '}', ';']);
        list.split(", ").map(|name| name.trim_matches(['{', '}', ';']).to_owned()).collect()
    };
    let presets: Vec<_> = presets.flat_map(names).collect();
    assert!(presets.len() > 10, "{presets:?}");
    for preset in presets {
        assert!(document.contains(&format!("| [`{preset}`](#")), "{preset} is in no row");
        assert!(document.contains(&format!(" = presets::{preset}(")), "{preset} has no lines");
    }
}

/// How many tests a row names, which are all in the file that it links to.
fn proofs(file: &str, tests: &str) -> usize {
    let Some(file) = file.strip_prefix('[').and_then(|link| link.split(']').next()) else { return 0 };
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    code(tests).inspect(|name| assert!(source.contains(&format!("fn {name}(")), "{file} has no {name}")).count()
}

/// Each part of Python's classes has its test, or a reason why there is no such thing; and no part is missing.
#[test]
fn each_part_of_python_s_classes_is_proved() {
    let parity = include_str!("../../docs/python.md");
    let mut tests = 0;
    for row in rows(parity).filter(|row| row.len() == 4 && row[2] != "file" && row[2] != "---") {
        let proofs = proofs(row[2], row[3]);
        assert!(proofs > 0 || row[1].starts_with("none"), "{row:?}");
        tests += proofs;
    }
    assert!(tests > 60, "{tests}");

    if !have("python3", "--version") {
        return;
    }
    let listed: BTreeSet<_> =
        rows(parity).flat_map(|row| code(row[0]).map(str::to_owned).collect::<Vec<_>>()).collect();
    let script = "from logging.handlers import *\n\
                  queue = type('Queue', (), {})()\n\
                  parts = [HTTPHandler('h', '/'), QueueHandler(queue), QueueListener(queue)]\n\
                  print(*{name for part in parts for name in dir(part) if not name.startswith('_')}, sep='\\n')";
    let python = Command::new("python3").args(["-c", script]).output().unwrap();
    assert!(python.status.success(), "{python:?}");
    let parts = String::from_utf8(python.stdout).unwrap();
    assert!(parts.lines().count() > 30, "{parts}");
    for part in parts.lines() {
        assert!(listed.contains(part), "{part} is not in docs/python.md");
    }
}
