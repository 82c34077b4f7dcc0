//! The records of tests/data/corpus.jsonl.

use std::collections::BTreeSet;

use log::{Level, Log, Record, kv};
use serde_json::Value;

/// One line of the corpus.
#[derive(Debug)]
pub struct Case {
    /// What tables know it by.
    pub id: String,
    /// The record's message.
    pub message: String,
    /// Its target.
    pub target: String,
    /// Its level.
    pub level: Level,
    /// Its file.
    pub file: Option<String>,
    /// Its line.
    pub line: Option<u32>,
    /// Its module path.
    pub module_path: Option<String>,
    /// Key, type, and the value's text.
    pub key_values: Vec<(String, String, String)>,
    /// What Python makes of it.
    pub expect: Value,
}

impl Case {
    /// Reads them all.
    ///
    /// # Panics
    ///
    /// If the file is not as it should be.
    pub fn all(file: &str) -> Vec<Self> {
        let corpus = std::fs::read_to_string(file).expect("the corpus");
        let cases: Vec<_> = corpus
            .lines()
            .map(|line| Self::from(&serde_json::from_str::<Value>(line).expect("a line of JSON")))
            .collect();
        let ids: BTreeSet<_> = cases.iter().map(|case| &case.id).collect();
        assert_eq!(ids.len(), cases.len(), "the tables know records by their ids");
        cases
    }

    /// Logs it.
    pub fn log(&self, logger: &dyn Log) {
        let key_values: Vec<_> = self.key_values.iter().map(|(key, kind, text)| (&**key, typed(kind, text))).collect();
        let key_values = &key_values[..];
        logger.log(
            &Record::builder()
                .args(format_args!("{}", self.message))
                .target(&self.target)
                .level(self.level)
                .file(self.file.as_deref())
                .line(self.line)
                .module_path(self.module_path.as_deref())
                .key_values(&key_values)
                .build(),
        );
    }
}

impl From<&Value> for Case {
    fn from(line: &Value) -> Self {
        let record = &line["record"];
        let optional = |name: &str| Some(&record[name]).filter(|value| !value.is_null()).map(text);
        let pair = |pair: &Value| (text(&pair[0]), text(&pair[1]["t"]), text(&pair[1]["v"]));
        Self {
            id: text(&line["id"]),
            message: text(&record["message"]),
            target: text(&record["target"]),
            level: text(&record["level"]).parse().expect("a level"),
            file: optional("file"),
            line: record["line"].as_u64().map(|line| line.try_into().expect("a line that fits")),
            module_path: optional("module_path"),
            key_values: record["kv"].as_array().expect("a list").iter().map(pair).collect(),
            expect: line["expect"].clone(),
        }
    }
}

/// A text of the corpus, which abbreviates long ones.
///
/// # Panics
///
/// If it is none.
pub fn text(value: &Value) -> String {
    match value["repeat"].as_str() {
        Some(part) => part.repeat(value["times"].as_u64().and_then(|times| times.try_into().ok()).expect("a number")),
        None => value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned(),
    }
}

fn typed<'a>(kind: &str, text: &'a str) -> kv::Value<'a> {
    let value = match kind {
        "str" => Some(text.into()),
        "bool" => text.parse::<bool>().ok().map(Into::into),
        "i64" => text.parse::<i64>().ok().map(Into::into),
        "u64" => text.parse::<u64>().ok().map(Into::into),
        "i128" => text.parse::<i128>().ok().map(Into::into),
        "u128" => text.parse::<u128>().ok().map(Into::into),
        "f64" => text.parse::<f64>().ok().map(Into::into),
        "null" => Some(kv::Value::null()),
        _ => None,
    };
    value.unwrap_or_else(|| panic!("a type that the corpus did not have, or not with such a value: {kind} {text}"))
}
