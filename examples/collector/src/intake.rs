//! The endpoint: from a request to committed records.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::RequestExt as _;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, RawQuery, Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::connections::Peer;
use crate::decode;
use crate::refusal::Refusal;
use crate::senders::Senders;
use crate::store::{Batch, PATIENCE, Store, Stored};

/// How many bytes of bodies are held at a time, read or being read, by all requests together: 64 MiB. Their records take up to six
/// times as much: a byte of a body can be `\u0001` of a record's JSON.
pub const BUDGET_BYTES: u32 = 64 * 1024 * 1024;

/// What a request takes beside its body.
const OVERHEAD: u32 = 4096;

/// How long a body may take to arrive.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest `Idempotency-Key`. Logpost's have 40 bytes or so.
const MAX_KEY: usize = 200;

#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) store: Arc<Store>,
    pub(crate) senders: Arc<Senders>,
    pub(crate) max_body_bytes: u32,
    pub(crate) budget: Arc<Semaphore>,
}

impl Intake {
    pub(crate) fn new(store: Arc<Store>, senders: Arc<Senders>, max_body_bytes: u32) -> Self {
        Self { store, senders, max_body_bytes, budget: Arc::new(Semaphore::new(BUDGET_BYTES as usize)) }
    }

    /// A share of the budget, as soon as there is one.
    async fn share(&self, bytes: u32) -> Result<OwnedSemaphorePermit, Refusal> {
        let share = Arc::clone(&self.budget).acquire_many_owned(bytes.saturating_add(OVERHEAD).min(BUDGET_BYTES));
        let share = tokio::time::timeout(PATIENCE, share).await;
        share
            .map_err(|_| Refusal::busy("the collector is behind"))?
            .map_err(|_| Refusal::busy("the collector has ended"))
    }

    /// Decodes and keeps; the answer is for when all is committed.
    async fn take(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
        share: OwnedSemaphorePermit,
        decode: impl FnOnce(i64) -> Result<Vec<crate::record::Record>, Refusal> + Send + 'static,
    ) -> Result<StatusCode, Refusal> {
        let key = idempotency_key(headers)?;
        let sender = sender(peer, headers, key.as_deref());
        let arrived = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
        let arrived = i64::try_from(arrived).unwrap_or_default();
        // A large body would keep others waiting for this thread.
        let batch = move || decode(arrived).map(|records| Batch { records, key, share: Some(share) });
        let batch = tokio::task::spawn_blocking(batch).await;
        let batch = batch.map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))??;
        let count = batch.records.len();
        let stored = self.store.keep(batch).await?;
        self.senders.note(&sender, if stored == Stored::New { count } else { 0 }, Instant::now());
        Ok(StatusCode::NO_CONTENT)
    }
}

/// POST: records in the body.
pub(crate) async fn post(
    State(intake): State<Arc<Intake>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let headers = request.headers().clone();
    let limit = intake.max_body_bytes;
    let Body { content_type, gzip, largest } = Body::of(&headers, limit).map_err(Refusal::unread)?;
    let share = intake.share(largest).await.map_err(Refusal::unread)?;
    let body = read(request, limit).await.map_err(Refusal::unread)?;
    let decode = move |arrived| {
        let plain = if gzip { Some(decode::gunzip(&body, limit as usize)?) } else { None };
        decode::records(&content_type, plain.as_deref().unwrap_or(&body), arrived)
    };
    intake.take(&peer, &headers, share, decode).await
}

/// What the head says of the body.
struct Body {
    content_type: String,
    gzip: bool,
    /// The most bytes that it takes, decompressed beside compressed.
    largest: u32,
}

impl Body {
    fn of(headers: &HeaderMap, limit: u32) -> Result<Self, Refusal> {
        let text = |name| headers.get(name).map_or(Ok(""), |value| value.to_str()).map(str::trim);
        let content_type = text(CONTENT_TYPE).map_err(|_| Refusal::bad_request("content type: not ASCII"))?.to_owned();
        let gzip = match text(CONTENT_ENCODING).map(str::to_ascii_lowercase).as_deref() {
            Ok("" | "identity") => false,
            Ok("gzip" | "x-gzip") => true,
            _ => {
                return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content encoding: gzip is the only one"));
            }
        };
        let length = text(CONTENT_LENGTH).ok().and_then(|length| length.parse::<u64>().ok());
        if length.is_some_and(|length| length > u64::from(limit)) {
            return Err(too_large(limit));
        }
        let arrives = length.and_then(|length| u32::try_from(length).ok()).unwrap_or(limit);
        // Both are there for a moment, and it is not known how long the second will be.
        let largest = if gzip { arrives.saturating_add(limit) } else { arrives };
        Ok(Self { content_type, gzip, largest })
    }
}

async fn read(request: Request, limit: u32) -> Result<Bytes, Refusal> {
    let body = tokio::time::timeout(READ_TIMEOUT, request.extract::<Bytes, _>()).await;
    let body = body.map_err(|_| Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body took too long"))?;
    body.map_err(|rejection| match rejection.into_response().status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(limit),
        status => Refusal::new(status, "the body broke off"),
    })
}

fn too_large(limit: u32) -> Refusal {
    Refusal::too_large(format!("the body is more than {limit} bytes"))
}

/// GET: a record in the query, as Python's `HTTPHandler` sends it by default.
pub(crate) async fn get(
    State(intake): State<Arc<Intake>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    let query = query.unwrap_or_default();
    let share = intake.share(u32::try_from(query.len()).unwrap_or(u32::MAX)).await?;
    let decode = move |arrived| decode::records("application/x-www-form-urlencoded", query.as_bytes(), arrived);
    intake.take(&peer, &headers, share, decode).await
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| !key.is_empty() && key.len() <= MAX_KEY);
    let refusal = || Refusal::bad_request(format!("Idempotency-Key: not 1 to {MAX_KEY} bytes of ASCII"));
    Ok(Some(key.ok_or_else(refusal)?.to_owned()))
}

/// The worker of a process that a key of logpost's begins with, or else the machine and the program.
fn sender(peer: &Peer, headers: &HeaderMap, key: Option<&str>) -> String {
    if let Some((instance, _)) = key.and_then(|key| key.rsplit_once('-')) {
        return instance.to_owned();
    }
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    format!("{} {agent:.100}", peer.address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Limits;

    #[tokio::test(start_paused = true)]
    async fn bodies_wait_for_room_and_then_are_refused() {
        let (store, closing) = Store::open(None, Limits { records: 10, bytes: 1 << 30, keys: 10 }).unwrap();
        let intake = Intake::new(Arc::new(store), Arc::new(Senders::new(Instant::now())), 1000);
        let most = intake.share(BUDGET_BYTES).await.unwrap();
        let refusal = intake.share(1).await.unwrap_err();
        assert_eq!(
            (refusal.status, refusal.reason.as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, "the collector is behind")
        );
        let waiting = intake.share(1);
        drop(most);
        drop(waiting.await.unwrap());
        drop(intake);
        closing.wait().unwrap();
    }
}
