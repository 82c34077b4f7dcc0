//! Of the store by itself.

use std::path::Path;

use super::*;
use crate::filter::Filter;
use crate::value::Value;

const KEYS: u32 = 100;

fn text(text: &str) -> Value<'_> {
    Value::Text(text.into())
}

fn records(messages: impl IntoIterator<Item = impl std::fmt::Display>) -> Vec<Record> {
    let record = |message: &str| Record::new(&[("msg".into(), text(message)), ("own".into(), text("x"))], 1_500);
    messages.into_iter().map(|message| record(&message.to_string())).collect()
}

async fn ids(store: &Store) -> Vec<i64> {
    let found = store.reader().search(Filter::default(), 0).await.unwrap();
    let mut id = 0;
    found
        .ids
        .iter()
        .map(|more| {
            id += more;
            id
        })
        .collect()
}

async fn keep(store: &Store, records: Vec<Record>, key: Option<String>) -> Result<Stored, Refusal> {
    store.keep(Batch { records, key, share: None }).await
}

fn open(path: Option<&Path>, records: u32) -> (Store, Closing) {
    Store::open(path, Limits { records, bytes: 1 << 30, keys: KEYS }).unwrap()
}

fn close(store: Store, closing: Closing) {
    drop(store);
    closing.wait().unwrap();
}

#[tokio::test]
async fn the_newest_are_kept() {
    let (store, closing) = open(None, 10);
    for first in [0, 7, 14] {
        keep(&store, records(first..first + 7), None).await.unwrap();
    }
    assert_eq!(ids(&store).await, (12..=21).collect::<Vec<_>>());
    assert_eq!(*store.extent().borrow(), Extent { first: 12, last: 21 });
    // More at a time than are kept.
    keep(&store, records(0..100), None).await.unwrap();
    assert_eq!(ids(&store).await, (112..=121).collect::<Vec<_>>());
    assert_eq!(store.reader().rows(vec![1, 111, 112]).await.unwrap().len(), 1);
    assert!(store.reader().record(111).await.unwrap().is_none());
    close(store, closing);
}

#[tokio::test]
async fn a_repeat_is_not_kept_again_even_after_a_restart() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("x.sqlite");
    let key = || Some("process-1".to_owned());
    let (store, closing) = open(Some(&path), 10);
    assert_eq!(keep(&store, records(["a"]), key()).await.unwrap(), Stored::New);
    assert_eq!(keep(&store, records(["a"]), key()).await.unwrap(), Stored::Repeated);
    assert_eq!(keep(&store, records(["b"]), None).await.unwrap(), Stored::New);
    close(store, closing);
    let (store, closing) = open(Some(&path), 10);
    assert_eq!(keep(&store, records(["a"]), key()).await.unwrap(), Stored::Repeated);
    assert_eq!(ids(&store).await, [1, 2]);
    close(store, closing);
}

#[tokio::test]
async fn keys_are_forgotten_one_day() {
    let (store, closing) = open(None, 10);
    let keep = |key: u32| keep(&store, records(["a"]), Some(format!("process-{key}")));
    for key in 0..=KEYS {
        assert_eq!(keep(key).await.unwrap(), Stored::New);
    }
    assert_eq!(keep(1).await.unwrap(), Stored::Repeated);
    assert_eq!(keep(0).await.unwrap(), Stored::New);
    close(store, closing);
}

#[tokio::test]
async fn many_requests_share_a_transaction_and_each_is_whole() {
    let (store, closing) = open(None, 10_000);
    let all: Vec<_> = (0..500).map(|n| keep(&store, records([n * 2, n * 2 + 1]), None)).collect();
    for outcome in futures_util::future::join_all(all).await {
        outcome.unwrap();
    }
    let rows = store.reader().rows((1..=1000).collect()).await.unwrap();
    for pair in rows.chunks(2) {
        let number = |row: &Row| row.message.parse::<u32>().unwrap();
        assert_eq!((number(&pair[0]) % 2, number(&pair[0]) + 1), (0, number(&pair[1])));
    }
    assert_eq!(rows.len(), 1000);
    close(store, closing);
}

/// Another program that holds the database makes it fail.
#[tokio::test]
async fn what_can_not_be_stored_is_to_be_sent_again() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("x.sqlite");
    let (store, closing) = open(Some(&path), 10);
    keep(&store, records(["before"]), None).await.unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("ALTER TABLE records RENAME TO elsewhere").unwrap();
    let refusal = keep(&store, records(["lost?"]), Some("process-1".to_owned())).await.unwrap_err();
    assert_eq!(refusal.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refusal.reason.starts_with("the store failed: no such table"), "{refusal}");
    other.execute_batch("ALTER TABLE elsewhere RENAME TO records").unwrap();
    // Its key was not remembered either.
    assert_eq!(keep(&store, records(["lost?"]), Some("process-1".to_owned())).await.unwrap(), Stored::New);
    assert_eq!(ids(&store).await, [1, 2]);
    close(store, closing);
}

#[tokio::test]
async fn rows_are_previews_and_records_are_whole() {
    let (store, closing) = open(None, 10);
    let long = "ü".repeat(1000);
    let fields = [
        ("name".into(), text("a::b")),
        ("levelname".into(), text("CRITICAL")),
        ("levelno".into(), text("50")),
        ("msg".into(), text(&long)),
        ("order".into(), serde_json::from_str("17").unwrap()),
        ("order".into(), text("again")),
    ];
    keep(&store, vec![Record::new(&fields, 1_500)], None).await.unwrap();
    let rows = store.reader().rows(vec![1]).await.unwrap();
    let row = &rows[0];
    assert_eq!((row.message.chars().count(), row.extra.as_str()), (301, "order=17 order=again"));
    assert_eq!((row.level, row.level_name.as_deref(), row.target.as_str()), (1, Some("CRITICAL"), "a::b"));
    let record = store.reader().record(1).await.unwrap().unwrap();
    assert_eq!((record.message, record.created), (long.clone(), 1_500));
    let values: Vec<_> = record.fields.iter().map(|field| (field.json.as_str(), field.own)).collect();
    assert!(values[..4].iter().all(|(_, own)| !own));
    assert_eq!(values[4..], [("17", true), ("\"again\"", true)]);
    close(store, closing);
}

#[test]
fn a_database_that_can_not_be_opened_is_named() {
    let directory = TempDir::new().unwrap();
    let error = Store::open(Some(directory.path()), Limits { records: 10, bytes: 1 << 30, keys: KEYS }).unwrap_err();
    assert!(error.starts_with(&format!("database {}: ", directory.path().display())), "{error}");
}

#[tokio::test]
async fn few_are_kept_where_they_are_large() {
    let limits = Limits { records: 1000, bytes: 1_000_000, keys: KEYS };
    let (store, closing) = Store::open(None, limits).unwrap();
    for number in 0..40 {
        // Twice: as the message, and among the fields.
        keep(&store, records([format!("{number} {}", "x".repeat(25_000))]), None).await.unwrap();
    }
    let kept = ids(&store).await;
    assert!((10..20).contains(&kept.len()) && kept.ends_with(&[39, 40]), "{kept:?}");
    // Larger than all that may be kept: it is, alone.
    keep(&store, records(["x".repeat(2_000_000)]), None).await.unwrap();
    assert_eq!(ids(&store).await, [41]);
    close(store, closing);
}

#[tokio::test(start_paused = true)]
async fn who_finds_the_queue_full_is_told_to_come_back() {
    let (mut store, closing) = open(None, 10);
    // Whose other end nobody empties.
    let (queue, waiting) = mpsc::channel(1);
    store.queue = queue;
    let store = std::sync::Arc::new(store);
    let first = tokio::spawn({
        let store = std::sync::Arc::clone(&store);
        async move { keep(&store, records(["a"]), None).await }
    });
    while waiting.is_empty() {
        tokio::task::yield_now().await;
    }
    let refusal = keep(&store, records(["b"]), None).await.unwrap_err();
    assert_eq!((refusal.status, refusal.reason.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "the store is behind"));
    // And who waits in it when the store ends is told too.
    drop(waiting);
    assert_eq!(first.await.unwrap().unwrap_err().status, StatusCode::SERVICE_UNAVAILABLE);
    drop(store);
    closing.wait().unwrap();
}

#[tokio::test(start_paused = true)]
async fn records_of_those_who_hung_up_still_count() {
    let (mut store, closing) = open(None, 10);
    let (queue, waiting) = mpsc::channel(1);
    store.queue = queue;
    let budget = std::sync::Arc::new(tokio::sync::Semaphore::new(1));
    let share = std::sync::Arc::clone(&budget).try_acquire_owned().ok();
    let keeping = store.keep(Batch { records: records(["a"]), key: None, share });
    assert!(tokio::time::timeout(Duration::from_secs(1), keeping).await.is_err(), "it was answered");
    assert_eq!(budget.available_permits(), 0);
    // As the writer does when it has written them.
    drop(waiting);
    assert_eq!(budget.available_permits(), 1);
    close(store, closing);
}
