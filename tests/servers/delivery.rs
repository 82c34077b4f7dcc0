//! Records that are logged, and the dictionaries that a server should see.

use std::sync::{Arc, Mutex, PoisonError};

use log::LevelFilter;
use logpost::{
    CaptureHandler, Encode, Fields, Form, HttpHandlerBuilder, Json, Logger, Stats, ValueKind, map_log_record,
};
use logpost_test_support::LONG;
use logpost_test_support::corpus::Case;
use serde_json::{Map, Value};

/// What became of some records.
pub(crate) struct Delivery {
    /// The dictionary of each, as it was handed to the encoding.
    pub(crate) dictionaries: Vec<Fields>,
    /// What `on_error` was told.
    pub(crate) failures: Vec<String>,
    pub(crate) stats: Stats,
}

/// Sends what `log` logs, by the default dictionary.
pub(crate) fn deliver(handler: HttpHandlerBuilder, log: impl FnOnce(&Logger)) -> Delivery {
    let dictionaries = Kept::default();
    let kept = dictionaries.clone();
    let handler = handler.map_log_record(move |record, fields| {
        map_log_record(record, fields);
        kept.push_new(fields);
    });
    let mut delivery = deliver_as_it_is(handler, log);
    delivery.dictionaries = dictionaries.take();
    delivery
}

/// Sends what `log` logs, for a handler that makes something of the dictionary. Those of this delivery are the default's,
/// and their times not quite those that were sent.
pub(crate) fn deliver_as_it_is(handler: HttpHandlerBuilder, log: impl FnOnce(&Logger)) -> Delivery {
    let (beside, failures) = (CaptureHandler::new(), Kept::default());
    let told = failures.clone();
    let (logger, guard) = logpost::builder()
        .level(LevelFilter::Trace)
        .max_message_bytes(16 * 1024 * 1024)
        .on_error(move |failure| told.push(failure.to_string()))
        .handler(handler.build().unwrap())
        .handler(beside.clone())
        .build()
        .unwrap();
    log(&logger);
    guard.flush(LONG).unwrap();
    let stats = guard.stats_by_pipeline()[0].stats.clone();
    assert_eq!(stats.accepted, stats.delivered + stats.rejected, "{stats}");
    Delivery { dictionaries: beside.fields(), failures: failures.take(), stats }
}

/// Sends every record of the corpus, by the default dictionary.
pub(crate) fn deliver_corpus(handler: HttpHandlerBuilder) -> Delivery {
    let cases = corpus();
    let delivery = deliver(handler, |logger| cases.iter().for_each(|case| case.log(logger)));
    assert_eq!(delivery.dictionaries.len(), cases.len());
    delivery
}

/// The same, for a handler that makes something of the dictionary.
pub(crate) fn deliver_corpus_as_it_is(handler: HttpHandlerBuilder) -> Delivery {
    deliver_as_it_is(handler, |logger| corpus().iter().for_each(|case| case.log(logger)))
}

fn corpus() -> Vec<Case> {
    Case::all(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/corpus.jsonl"))
}

/// Logs names that are no variables' names.
pub(crate) fn log_odd_names(logger: &Logger) {
    log::info!(logger: logger, "a.b" = 1, "c d" = 2, "e[f]" = 3, "g[" = 4, " h" = 5, "i.j" = 6, i_j = 7, k = 8, k = 9; "x");
}

/// What a dictionary with those at its end becomes by `safe_names`.
pub(crate) fn odd_names_made_safe(fields: &Fields) -> Map<String, Value> {
    let safe =
        [("a_b", 1), ("c_d", 2), ("e_f_", 3), ("g_", 4), ("_h", 5), ("i_j_2", 6), ("i_j", 7), ("k", 8), ("k_2", 9)];
    let core = fields.len() - safe.len();
    let core = fields.iter().take(core).map(|(key, value)| (key.to_owned(), Value::from(value.to_string())));
    core.chain(safe.map(|(key, value)| (key.to_owned(), value.to_string().into()))).collect()
}

/// A form as those read it that keep the last of several values.
pub(crate) fn last_values(form: &Map<String, Value>) -> Map<String, Value> {
    let last = |values: &Value| values.as_array().and_then(|values| values.last().cloned()).expect("one at least");
    form.iter().map(|(key, values)| (key.clone(), last(values))).collect()
}

/// That a time is a record's, by a clock that was read twice.
pub(crate) fn assert_about_same_time(found: Option<&Value>, fields: &Fields) {
    let expected: f64 = fields.get("created").expect("in every record").to_string().parse().expect("a number");
    let found = found.and_then(Value::as_f64).expect("a number");
    assert!((found - expected).abs() < 1.0, "{found} is not {expected}");
}

impl Delivery {
    /// The dictionaries of those that were taken: all but those that `refused` speaks of, which the server has refused
    /// with this status.
    pub(crate) fn taken(&self, status: &str, refused: impl Fn(&Fields) -> bool) -> Vec<&Fields> {
        let taken: Vec<_> = self.dictionaries.iter().filter(|fields| !refused(fields)).collect();
        assert_eq!(self.stats.delivered, taken.len() as u64, "{:?}", self.failures);
        assert_eq!(self.failures.len() as u64, self.stats.rejected, "{:?}", self.failures);
        assert!(self.failures.iter().all(|failure| failure.contains(status)), "{:?}", self.failures);
        taken
    }

    /// The dictionaries, where all were taken.
    pub(crate) fn all_taken(&self) -> Vec<&Fields> {
        let none: [&str; 0] = [];
        assert_eq!(self.failures, none);
        self.taken("", |_| false)
    }
}

/// What a dictionary of a form is to be read as: each key with its values, in order.
pub(crate) fn as_form(fields: &Fields) -> Map<String, Value> {
    let mut form = Map::new();
    for (key, value) in fields.iter() {
        let values = form.entry(key).or_insert_with(|| Value::Array(vec![]));
        values.as_array_mut().expect("one since it is there").push(value.to_string().into());
    }
    form
}

/// What a dictionary is to be read as from JSON. By the rules that `logpost::Json` states, and not by its code.
pub(crate) fn as_json(fields: &Fields) -> Map<String, Value> {
    let mut object = Map::new();
    for (key, value) in fields.iter() {
        let text = value.to_string();
        let value = match value.kind() {
            ValueKind::Bool => (text == "true").into(),
            ValueKind::Number => serde_json::from_str(&text).unwrap_or(Value::Null),
            ValueKind::Null => Value::Null,
            _ => text.into(),
        };
        let mut names = std::iter::once(key.to_owned()).chain((2..).map(|number| format!("{key}_{number}")));
        let name = names.find(|name| !object.contains_key(name)).expect("there is always another number");
        object.insert(name, value);
    }
    object
}

/// How many bytes a record is as a form.
pub(crate) fn form_size(fields: &Fields) -> usize {
    let mut body = Vec::new();
    Form.append(fields, &mut body);
    body.len()
}

/// How many bytes a record is as an array of one.
pub(crate) fn json_size(fields: &Fields) -> usize {
    let mut body = Vec::new();
    Json.append(fields, &mut body);
    Json.finish(&mut body);
    body.len()
}

/// Two texts of a megabyte are too much to read.
pub(crate) fn assert_same(found: &Map<String, Value>, expected: &Map<String, Value>) {
    for key in found.keys().chain(expected.keys()) {
        let (found, expected) = (found.get(key), expected.get(key));
        assert!(
            found == expected,
            "{key:?}: {:.300} instead of {:.300}",
            format!("{found:?}"),
            format!("{expected:?}")
        );
    }
}

/// A list that two threads know.
struct Kept<T>(Arc<Mutex<Vec<T>>>);

impl Kept<Fields> {
    /// Adds one that is not there yet: a record that has no room in a batch is mapped again for the next one.
    fn push_new(&self, fields: &Fields) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.contains(fields) {
            kept.push(fields.clone());
        }
    }
}

impl<T> Kept<T> {
    fn push(&self, item: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(item);
    }

    fn take(&self) -> Vec<T> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}
