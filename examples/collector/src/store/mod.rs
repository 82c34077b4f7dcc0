//! Records in `SQLite`: one thread writes, a few connections read.

mod reader;
mod writer;

use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::http::StatusCode;
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};

use crate::record::Record;
use crate::refusal::Refusal;
pub(crate) use reader::{Found, Opened, Reader, Row};
use writer::Write;

/// How many requests may wait for the writer.
const QUEUE: usize = 1024;

/// How long a request waits for its turn before it is answered 503.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// The records of a request.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) records: Vec<Record>,
    /// What a repeat has too.
    pub(crate) key: Option<String>,
    /// Of the memory that there is for all requests. It is with the records, since those are there until they are written, even
    /// if the one who sent them hangs up.
    #[expect(dead_code, reason = "held until it is dropped")]
    pub(crate) share: Option<OwnedSemaphorePermit>,
}

/// The first and the last record that are kept, by number; both 0 where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) first: i64,
    pub(crate) last: i64,
}

/// Whether the records were new, or came before under the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    New,
    Repeated,
}

/// How much is kept, the newest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) records: u32,
    /// Of the database.
    pub(crate) bytes: u64,
    /// Of requests, by which a repeat is known.
    pub(crate) keys: u32,
}

#[derive(Debug)]
pub(crate) struct Store {
    queue: mpsc::Sender<Write>,
    extent: watch::Receiver<Extent>,
    reader: Reader,
}

/// What ends the store: when all [`Store`]s are gone, the writer finishes what it has.
#[derive(Debug)]
pub(crate) struct Closing {
    writer: JoinHandle<()>,
    temporary: Option<TempDir>,
}

impl Store {
    /// Opens the database at `path`, or a temporary one.
    pub(crate) fn open(path: Option<&Path>, limits: Limits) -> Result<(Self, Closing), String> {
        let temporary = path.is_none().then(TempDir::new).transpose();
        let temporary = temporary.map_err(|error| format!("no directory for the database: {error}"))?;
        let path = match (path, &temporary) {
            (Some(path), _) => path.to_owned(),
            (None, Some(directory)) => directory.path().join("records.sqlite"),
            (None, None) => unreachable!("there is a directory where there is no path"),
        };
        let failed = |error: rusqlite::Error| format!("database {}: {error}", path.display());
        let connection = open_to_write(&path).map_err(failed)?;
        let (progress, extent) = watch::channel(reader::extent(&connection).map_err(failed)?);
        let (queue, waiting) = mpsc::channel(QUEUE);
        let writer = thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer::run(connection, waiting, &progress, limits))
            .map_err(|error| format!("no thread for the database: {error}"))?;
        let reader = Reader::new(path.clone());
        Ok((Self { queue, extent, reader }, Closing { writer, temporary }))
    }

    /// Waits until the records are committed, and those that are too many gone.
    pub(crate) async fn keep(&self, batch: Batch) -> Result<Stored, Refusal> {
        let Ok(place) = tokio::time::timeout(PATIENCE, self.queue.reserve()).await else {
            return Err(Refusal::busy("the store is behind"));
        };
        let ended = |()| Refusal::busy("the store has ended");
        let (done, outcome) = oneshot::channel();
        place.map_err(|_| ended(()))?.send(Write { batch, done });
        let outcome = outcome.await.map_err(|_| ended(()))?;
        outcome.map_err(|error| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, format!("the store failed: {error}")))
    }

    pub(crate) fn extent(&self) -> watch::Receiver<Extent> {
        self.extent.clone()
    }

    pub(crate) fn reader(&self) -> &Reader {
        &self.reader
    }
}

impl Closing {
    pub(crate) fn wait(self) -> Result<(), String> {
        self.writer.join().map_err(|_| "the writer panicked".to_owned())?;
        self.temporary.map_or(Ok(()), |directory| directory.close().map_err(|error| error.to_string()))
    }
}

/// WAL: readers do not wait for the writer. A crash of the process loses nothing that was answered 204; one of the machine may
/// lose the last moments, for a sync at every commit is what `synchronous = NORMAL` saves.
fn open_to_write(path: &PathBuf) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS records (
             id      INTEGER PRIMARY KEY,
             created INTEGER NOT NULL, -- microseconds since 1970
             level   INTEGER NOT NULL, -- 1 error, 2 warning, 3 info, 4 debug, 5 trace
             target  TEXT NOT NULL,
             message TEXT NOT NULL,
             fields  TEXT NOT NULL     -- JSON: [[key, value], ...]
         ) STRICT;
         CREATE TABLE IF NOT EXISTS idempotency_keys (
             id  INTEGER PRIMARY KEY,
             key TEXT NOT NULL UNIQUE
         ) STRICT;",
    )?;
    Ok(connection)
}

#[cfg(test)]
mod tests;
