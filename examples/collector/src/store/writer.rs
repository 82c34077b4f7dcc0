//! The thread that writes: one transaction for all that waits.

use rusqlite::{Connection, Transaction, params};
use tokio::sync::{mpsc, oneshot, watch};

use super::{Batch, Extent, Limits, Stored, reader};
use crate::record::Record;

/// How many records a transaction takes, and as many as its last request has beyond.
const GROUP: usize = 20_000;

/// What is to be written.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) batch: Batch,
    /// Told when they are committed, or why they can't be.
    pub(super) done: oneshot::Sender<Result<Stored, String>>,
}

/// Ends when nobody can send any more.
pub(super) fn run(
    mut connection: Connection,
    mut waiting: mpsc::Receiver<Write>,
    progress: &watch::Sender<Extent>,
    limits: Limits,
) {
    while let Some(first) = waiting.blocking_recv() {
        let mut size = first.batch.records.len();
        let mut group = vec![first];
        while size < GROUP {
            let Ok(next) = waiting.try_recv() else { break };
            size += next.batch.records.len();
            group.push(next);
        }
        let outcome = write(&mut connection, &group, limits).map_err(|error| error.to_string());
        match &outcome {
            // First, so that who has its answer finds the records.
            Ok((_, extent)) => drop(progress.send_replace(*extent)),
            Err(error) => eprintln!("logpost-collector: the store failed: {error}"),
        }
        for (place, write) in group.into_iter().enumerate() {
            let outcome = outcome.as_ref().map(|(stored, _)| stored[place]).map_err(Clone::clone);
            // Who hung up will not hear of it.
            drop(write.done.send(outcome));
        }
    }
}

fn write(connection: &mut Connection, group: &[Write], limits: Limits) -> rusqlite::Result<(Vec<Stored>, Extent)> {
    let transaction = connection.transaction()?;
    let mut outcomes = Vec::with_capacity(group.len());
    for write in group {
        let stored = remember(&transaction, write.batch.key.as_deref())?;
        if stored == Stored::New {
            insert(&transaction, &write.batch.records)?;
        }
        outcomes.push(stored);
    }
    let extent = forget(&transaction, limits)?;
    transaction.commit()?;
    Ok((outcomes, extent))
}

fn remember(transaction: &Transaction<'_>, key: Option<&str>) -> rusqlite::Result<Stored> {
    let Some(key) = key else { return Ok(Stored::New) };
    let added =
        transaction.prepare_cached("INSERT OR IGNORE INTO idempotency_keys (key) VALUES (?1)")?.execute([key])?;
    Ok(if added == 0 { Stored::Repeated } else { Stored::New })
}

/// Deletes what is more than is kept. Returns what is left.
fn forget(transaction: &Transaction<'_>, limits: Limits) -> rusqlite::Result<Extent> {
    transaction
        .prepare_cached("DELETE FROM idempotency_keys WHERE id <= (SELECT max(id) FROM idempotency_keys) - ?1")?
        .execute([limits.keys])?;
    let last = reader::extent(transaction)?.last;
    let mut delete = transaction.prepare_cached("DELETE FROM records WHERE id <= ?1")?;
    delete.execute([last - i64::from(limits.records)])?;
    let mut extent = reader::extent(transaction)?;
    while used_bytes(transaction)? > limits.bytes && extent.first < extent.last {
        // A tenth at a time, and one at least.
        delete.execute([extent.first + (extent.last - extent.first) / 10])?;
        extent = reader::extent(transaction)?;
    }
    Ok(extent)
}

/// Of the database, without pages that are free again.
fn used_bytes(transaction: &Transaction<'_>) -> rusqlite::Result<u64> {
    let mut statement = transaction.prepare_cached(
        "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
    )?;
    statement.query_row([], |row| row.get(0)).map(i64::unsigned_abs)
}

fn insert(transaction: &Transaction<'_>, records: &[Record]) -> rusqlite::Result<()> {
    let mut insert = transaction
        .prepare_cached("INSERT INTO records (created, level, target, message, fields) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for record in records {
        insert.execute(params![record.created, record.level, record.target, record.message, record.fields])?;
    }
    Ok(())
}
