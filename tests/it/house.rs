//! The house stays one to live in: imports point one way, and each foreign crate is known to one place.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module, and those of ours that it may import. What stands here may only name what stands above it, so there can
/// be no cycle.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("sync", &[]),
    ("clock", &[]),
    ("count", &[]),
    ("error", &["count"]),
    ("random", &[]),
    ("value", &[]),
    ("host", &[]),
    ("form", &[]),
    ("wall_clock", &[]),
    ("process", &["wall_clock"]),
    ("stats", &[]),
    ("ledger", &["stats", "sync"]),
    ("record", &["form", "process", "sync", "value", "wall_clock"]),
    ("fields", &["form", "process", "record", "value"]),
    ("filter", &["sync"]),
    ("handler", &["error", "record"]),
    ("http", &["clock", "error", "fields", "handler", "random", "record", "sync", "value", "wall_clock"]),
    ("queue", &["clock", "error", "filter", "ledger", "process", "record", "stats", "sync"]),
    ("testing", &["clock", "fields", "handler", "queue", "record", "sync"]),
    (
        "listener",
        &[
            "clock",
            "count",
            "error",
            "handler",
            "ledger",
            "process",
            "queue",
            "random",
            "record",
            "stats",
            "sync",
            "wall_clock",
        ],
    ),
    ("tees", &[]),
    ("logger", &["clock", "error", "filter", "process", "queue", "record", "tees"]),
    ("guard", &["clock", "count", "error", "filter", "listener", "logger", "process", "queue", "stats", "sync"]),
    ("global", &["error", "filter", "guard", "logger", "stats"]),
    ("panics", &["guard", "listener", "process", "queue"]),
    ("pipeline", &["error", "filter", "handler", "listener", "queue"]),
    (
        "builder",
        &["error", "fields", "filter", "global", "guard", "listener", "logger", "panics", "pipeline", "queue", "tees"],
    ),
    ("env", &["builder", "error", "filter", "guard", "http", "pipeline", "queue"]),
];

/// Foreign crates, and where they may be named.
const KNOWN_TO: &[(&str, &[&str])] = &[
    ("flume", &["queue/bounded.rs", "queue/channels.rs"]),
    ("ureq", &["http/"]),
    ("form_urlencoded", &["form.rs", "http/urlencode.rs", "testing/form.rs"]),
    ("percent_encoding", &["http/endpoint.rs", "http/presets/mod.rs", "http/reason.rs"]),
    ("rustls", &["http/tls/in_rust.rs"]),
    ("native_tls", &["http/tls/of_system.rs"]),
    ("flate2", &["http/body.rs", "testing/request.rs"]),
    ("hyper", &["testing/answer.rs", "testing/receiver.rs"]),
    ("hyper_util", &["testing/receiver.rs"]),
    ("http_body_util", &["testing/receiver.rs"]),
    ("tokio", &["testing/receiver.rs"]),
    ("itoa", &["fields/default.rs", "value.rs"]),
    ("serde_json", &["http/json.rs", "http/presets/"]),
    ("humantime", &["http/presets/mod.rs"]),
    ("httpdate", &["http/retry_after.rs"]),
    ("base64", &["http/builder.rs", "http/reason.rs", "http/tls/of_system.rs"]),
    ("gethostname", &["host.rs"]),
    ("fastrand", &["random.rs"]),
    ("arrayvec", &["record/text.rs"]),
    ("serde", &["record/serde.rs"]),
    ("quanta", &["wall_clock.rs"]),
    ("env_filter", &["filter/directives.rs"]),
    ("arc_swap", &["filter/directives.rs"]),
];

pub(crate) fn source_files() -> BTreeMap<String, String> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, files) } else { files.push(path) }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    let name = |path: &Path| path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
    files.iter().map(|path| (name(path), code_of(&fs::read_to_string(path).unwrap()))).collect()
}

/// The lines that are neither comments nor unit tests.
fn code_of(source: &str) -> String {
    let code = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn words_after<'a>(code: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    let word = |rest: &'a str| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    code.split(prefix).skip(1).map(word)
}

#[test]
fn imports_point_one_way() {
    for (place, (module, allowed)) in MAY_IMPORT.iter().enumerate() {
        for name in *allowed {
            assert!(
                MAY_IMPORT[..place].iter().any(|(above, _)| above == name),
                "{module} imports {name}: not above it"
            );
        }
    }
    for (file, code) in source_files() {
        let module = file.split(['/', '.']).next().unwrap();
        if module == "lib" {
            continue;
        }
        let (_, allowed) =
            MAY_IMPORT.iter().find(|(name, _)| *name == module).unwrap_or_else(|| panic!("{file} is new"));
        for imported in words_after(&code, "crate::") {
            assert!(imported == module || allowed.contains(&imported), "{file} imports {imported}");
        }
    }
}

#[test]
fn each_foreign_crate_is_known_to_one_place() {
    for (file, code) in source_files() {
        for (name, places) in KNOWN_TO {
            let named = code.contains(&format!("{name}::"));
            assert!(!named || places.iter().any(|place| file.starts_with(place)), "{file} names {name}");
        }
    }
}
