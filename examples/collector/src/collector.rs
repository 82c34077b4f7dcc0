//! All of it, running.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::connections::{Connections, Peer};
use crate::gate::{self, Gate};
use crate::intake::Intake;
use crate::senders::Senders;
use crate::settings::Settings;
use crate::store::{Closing, Limits, Store};
use crate::{api, intake, page};

/// How many requests are remembered, so that a repeat is not kept again. A process of logpost's repeats its last few.
const KEYS: u32 = 65_536;

/// How long requests that are under way may take at the end.
const GRACE: Duration = Duration::from_secs(5);

/// A collector that runs.
///
/// ```
/// use logpost_collector::{Collector, Settings};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// # tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
/// let collector = Collector::start(Settings { listen: "127.0.0.1:0".parse()?, ..Settings::default() }).await?;
/// println!("{}/", collector.url());
/// collector.stop().await
/// # })
/// # }
/// ```
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    end: watch::Sender<bool>,
    server: JoinHandle<std::io::Result<()>>,
    closing: Closing,
}

impl Collector {
    /// Opens the database and listens.
    ///
    /// # Errors
    ///
    /// If the address can't be listened at or the database can't be opened; says which.
    pub async fn start(settings: Settings) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let listener = TcpListener::bind(settings.listen).await;
        let listener = listener.map_err(|error| format!("listen at {}: {error}", settings.listen))?;
        let address = listener.local_addr()?;
        let limits = Limits { records: settings.keep, bytes: settings.keep_bytes, keys: KEYS };
        let (store, closing) = Store::open(settings.database.as_deref(), limits)?;
        let (end, mut ended) = watch::channel(false);
        let router = router(settings, store, ended.clone());
        let service = router.into_make_service_with_connect_info::<Peer>();
        let server = axum::serve(Connections::new(listener), service).with_graceful_shutdown(async move {
            // An error: the collector is gone, which ends it too.
            drop(ended.wait_for(|ended| *ended).await);
        });
        Ok(Self { address, end, server: tokio::spawn(server.into_future()), closing })
    }

    /// Where it listens, with `http://` and without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets requests that are under way finish, for 5 s at the most, and closes the database.
    ///
    /// # Errors
    ///
    /// If the database can't be closed.
    pub async fn stop(self) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.end.send_replace(true);
        let mut server = self.server;
        if tokio::time::timeout(GRACE, &mut server).await.is_err() {
            server.abort();
        }
        tokio::task::spawn_blocking(|| self.closing.wait()).await??;
        Ok(())
    }
}

fn router(settings: Settings, store: Store, ended: watch::Receiver<bool>) -> Router {
    let store = Arc::new(store);
    let senders = Arc::new(Senders::new(Instant::now()));
    let generation = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let generation = u64::try_from(generation).unwrap_or_default();
    let gate = Gate::new(settings.token, settings.host_names, settings.listen.ip());
    let intake = Intake::new(Arc::clone(&store), Arc::clone(&senders), settings.max_body_bytes);
    let endpoint = get(intake::get)
        .post(intake::post)
        // Otherwise taken for a GET, which keeps a record.
        .head(async || StatusCode::METHOD_NOT_ALLOWED)
        .layer(DefaultBodyLimit::max(settings.max_body_bytes as usize))
        .with_state(Arc::new(intake));
    let api = Router::new()
        .route("/api/search", get(api::search))
        .route("/api/rows", get(api::rows))
        .route("/api/records/{id}", get(api::record))
        .route("/api/events", get(api::events))
        .with_state(Arc::new(api::Api::new(store, senders, generation, ended)));
    Router::new()
        .route("/", get(page::page))
        .route("/icon.svg", get(page::icon))
        .route("/log", endpoint)
        .merge(api)
        .layer(from_fn_with_state(Arc::new(gate), gate::watch))
}
