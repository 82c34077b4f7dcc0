//! What the page asks for, as JSON.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::filter::{self, Filter};
use crate::refusal::Refusal;
use crate::senders::Senders;
use crate::store::{Extent, Found, Opened, Row, Store};

/// How many rows are given at a time.
const MAX_ROWS: usize = 500;

/// How many pages may listen to events.
const MAX_LISTENERS: usize = 64;

/// At least so long between two events.
const PACE: Duration = Duration::from_millis(100);

/// How often the rate and the senders are looked at.
const TICK: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Api {
    store: Arc<Store>,
    senders: Arc<Senders>,
    /// Another one with each start, so that a page that was open before begins anew.
    generation: u64,
    listeners: Arc<Semaphore>,
    ended: watch::Receiver<bool>,
}

impl Api {
    pub(crate) fn new(store: Arc<Store>, senders: Arc<Senders>, generation: u64, ended: watch::Receiver<bool>) -> Self {
        Self { store, senders, generation, listeners: Arc::new(Semaphore::new(MAX_LISTENERS)), ended }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct After {
    after: i64,
}

/// The numbers, times and levels of what matches.
pub(crate) async fn search(
    State(api): State<Arc<Api>>,
    Query(query): Query<filter::Query>,
    Query(After { after }): Query<After>,
) -> Result<Json<Found>, Refusal> {
    let filter = Filter::new(&query).map_err(Refusal::bad_request)?;
    Ok(Json(api.store.reader().search(filter, after).await?))
}

#[derive(Debug, Deserialize)]
pub(crate) struct Ids {
    ids: String,
}

/// The lines of some records; those that are gone are left out.
pub(crate) async fn rows(
    State(api): State<Arc<Api>>,
    Query(Ids { ids }): Query<Ids>,
) -> Result<Json<Vec<Row>>, Refusal> {
    let ids: Result<Vec<i64>, _> = ids.split(',').map(str::parse).collect();
    let ids = ids.ok().filter(|ids| ids.len() <= MAX_ROWS);
    let ids = ids.ok_or_else(|| Refusal::bad_request(format!("ids: not up to {MAX_ROWS} numbers")))?;
    Ok(Json(api.store.reader().rows(ids).await?))
}

/// A record with all its fields.
pub(crate) async fn record(State(api): State<Arc<Api>>, Path(id): Path<i64>) -> Result<Json<Opened>, Refusal> {
    let record = api.store.reader().record(id).await?;
    record.map(Json).ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, format!("record {id} is not kept any more")))
}

/// How far the store is, and what the page's head shows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Status {
    generation: u64,
    first: i64,
    last: i64,
    received: u64,
    rate: f64,
    senders: usize,
}

/// An event whenever the status is another, ten a second at the most.
///
/// It says how far the store is, and no more: a page then asks for what it wants to see. So there is nothing to keep for a page
/// that is slow, and it can't miss anything: it sees the latest status when it is ready for it.
pub(crate) async fn events(
    State(api): State<Arc<Api>>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let permit = Arc::clone(&api.listeners).try_acquire_owned();
    let permit = permit.map_err(|_| Refusal::busy("too many pages are open"))?;
    let listener = Listener { extent: api.store.extent(), ended: api.ended.clone(), last: None, api, _permit: permit };
    let events = unfold(listener, async |mut listener| {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

struct Listener {
    api: Arc<Api>,
    extent: watch::Receiver<Extent>,
    ended: watch::Receiver<bool>,
    last: Option<Status>,
    _permit: OwnedSemaphorePermit,
}

impl Listener {
    /// `None` when the collector ends.
    async fn next(&mut self) -> Option<Event> {
        if self.last.is_some() {
            self.wait(PACE, false).await?;
        }
        loop {
            let status = self.status();
            if self.last != Some(status) {
                self.last = Some(status);
                return Some(Event::default().json_data(status).expect("numbers can be written as JSON"));
            }
            self.wait(TICK, true).await?;
        }
    }

    async fn wait(&mut self, most: Duration, for_records: bool) -> Option<()> {
        tokio::select! {
            () = tokio::time::sleep(most) => Some(()),
            changed = self.extent.changed(), if for_records => changed.ok(),
            _ = self.ended.wait_for(|ended| *ended) => None,
        }
    }

    fn status(&mut self) -> Status {
        let Extent { first, last } = *self.extent.borrow_and_update();
        let traffic = self.api.senders.traffic(Instant::now());
        let (received, rate, senders) = (traffic.received, traffic.rate, traffic.senders);
        Status { generation: self.api.generation, first, last, received, rate, senders }
    }
}
