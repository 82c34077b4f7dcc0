//! What the page asks of the store.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use super::Extent;
use crate::filter::Filter;
use crate::record::{CORE_KEYS, Field};
use crate::refusal::Refusal;

/// How many questions are answered at a time; others wait.
const CONNECTIONS: usize = 2;

/// How much of a message, and of its fields, a row of the list shows.
const PREVIEW: usize = 300;

#[derive(Clone, Debug)]
pub(crate) struct Reader {
    path: Arc<PathBuf>,
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

/// The records that match: of each its number, its time and its level. A column each, since there may be 300,000 of them, and in
/// differences, which are short.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Found {
    /// What is kept, at the moment of the search.
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// The first number, and how much more each next one is.
    pub(crate) ids: Vec<i64>,
    /// Milliseconds since 1970 of the first, and how much later (or earlier) each next one is.
    pub(crate) times: Vec<i64>,
    /// A digit each.
    pub(crate) levels: String,
}

/// A line of the list.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) id: i64,
    /// Microseconds since 1970.
    pub(crate) created: i64,
    pub(crate) level: u8,
    /// What the sender calls it.
    pub(crate) level_name: Option<String>,
    pub(crate) target: String,
    pub(crate) message: String,
    /// The record's own fields, `key=value`, as far as there is room.
    pub(crate) extra: String,
}

/// A record with all its fields.
#[derive(Debug, Serialize)]
pub(crate) struct Opened {
    pub(crate) id: i64,
    pub(crate) created: i64,
    pub(crate) level: u8,
    pub(crate) target: String,
    pub(crate) message: String,
    pub(crate) fields: Vec<OpenedField>,
}

#[derive(Debug, Serialize)]
pub(crate) struct OpenedField {
    pub(crate) key: String,
    /// The text of the value's JSON: a browser that read it as a number might round it.
    pub(crate) json: String,
    /// Whether it is the record's own: not one that every record has.
    pub(crate) own: bool,
}

impl Reader {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path: Arc::new(path), idle: Arc::default(), permits: Arc::new(Semaphore::new(CONNECTIONS)) }
    }

    /// All that match and have a number above `after`.
    pub(crate) async fn search(&self, filter: Filter, after: i64) -> Result<Found, Refusal> {
        self.ask(move |snapshot| search(snapshot, &filter, after)).await
    }

    /// Those of `ids` that are there.
    pub(crate) async fn rows(&self, ids: Vec<i64>) -> Result<Vec<Row>, Refusal> {
        self.ask(move |snapshot| {
            let mut statement = snapshot.prepare_cached(ONE)?;
            let rows = ids.into_iter().map(|id| statement.query_row([id], row).optional());
            rows.filter_map(Result::transpose).collect()
        })
        .await
    }

    pub(crate) async fn record(&self, id: i64) -> Result<Option<Opened>, Refusal> {
        self.ask(move |snapshot| snapshot.prepare_cached(ONE)?.query_row([id], opened).optional()).await
    }

    /// Answers by one state of the database, on a thread that may wait.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Refusal> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("it is never closed");
        let reader = self.clone();
        let answer = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let mut connection = reader.connection()?;
            let answer = question(&connection.transaction()?)?;
            reader.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            Ok(answer)
        });
        let failed = |error: &dyn std::fmt::Display| Refusal::busy(format!("the store could not be read: {error}"));
        answer.await.map_err(|error| failed(&error))?.map_err(|error: rusqlite::Error| failed(&error))
    }

    fn connection(&self) -> rusqlite::Result<Connection> {
        if let Some(connection) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(connection);
        }
        let connection = Connection::open_with_flags(&*self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        Ok(connection)
    }
}

/// The first and the last record.
pub(super) fn extent(connection: &Connection) -> rusqlite::Result<Extent> {
    // Apart from each other, for each is then a look at one end of the table.
    let mut statement = connection.prepare_cached(
        "SELECT coalesce((SELECT min(id) FROM records), 0), coalesce((SELECT max(id) FROM records), 0)",
    )?;
    statement.query_row([], |row| Ok(Extent { first: row.get(0)?, last: row.get(1)? }))
}

fn search(snapshot: &Transaction<'_>, filter: &Filter, after: i64) -> rusqlite::Result<Found> {
    let Extent { first, last } = extent(snapshot)?;
    let mut found = Found { first, last, ..Found::default() };
    let (mut last_id, mut last_time) = (0, 0);
    // The long columns are last, so that they are not read where they are not looked at.
    let mut statement = snapshot
        .prepare_cached("SELECT id, created, level, target, message, fields FROM records WHERE id > ?1 ORDER BY id")?;
    let mut rows = statement.query([after])?;
    while let Some(row) = rows.next()? {
        if !filter.is_empty() && !filter.matches(text(row, 3)?, text(row, 4)?, text(row, 5)?) {
            continue;
        }
        let (id, time): (i64, i64) = (row.get(0)?, row.get::<_, i64>(1)?.div_euclid(1000));
        found.ids.push(id - last_id);
        found.times.push(time - last_time);
        found.levels.push(char::from(b'0' + row.get::<_, u8>(2)?.min(9)));
        (last_id, last_time) = (id, time);
    }
    Ok(found)
}

/// Without a copy.
fn text<'a>(row: &'a rusqlite::Row<'_>, column: usize) -> rusqlite::Result<&'a str> {
    Ok(row.get_ref(column)?.as_str()?)
}

const ONE: &str = "SELECT id, created, level, target, message, fields FROM records WHERE id = ?1";

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let fields: Vec<Field<'_>> = serde_json::from_str(text(row, 5)?).unwrap_or_default();
    let level_name = fields.iter().find(|(key, _)| key == "levelname").map(|(_, value)| preview(value.text(), 12));
    let mut extra = String::new();
    for (key, value) in fields.iter().filter(|(key, _)| !CORE_KEYS.contains(&&**key)) {
        if extra.len() > PREVIEW {
            break;
        }
        let space = if extra.is_empty() { "" } else { " " };
        extra.extend([space, &preview(key, PREVIEW), "=", &preview(value.text(), PREVIEW)]);
    }
    Ok(Row {
        id: row.get(0)?,
        created: row.get(1)?,
        level: row.get(2)?,
        level_name,
        target: preview(text(row, 3)?, PREVIEW),
        message: preview(text(row, 4)?, PREVIEW),
        extra: preview(&extra, PREVIEW),
    })
}

fn opened(row: &rusqlite::Row<'_>) -> rusqlite::Result<Opened> {
    let fields: Vec<(Cow<'_, str>, &RawValue)> = serde_json::from_str(text(row, 5)?).unwrap_or_default();
    Ok(Opened {
        id: row.get(0)?,
        created: row.get(1)?,
        level: row.get(2)?,
        target: row.get(3)?,
        message: row.get(4)?,
        fields: fields.into_iter().map(opened_field).collect(),
    })
}

fn opened_field((key, value): (Cow<'_, str>, &RawValue)) -> OpenedField {
    let own = !CORE_KEYS.contains(&&*key);
    OpenedField { key: key.into_owned(), json: value.get().to_owned(), own }
}

/// The beginning of a text, and dots where there is more.
fn preview(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
