//! tracing-loki. Its channel holds 512 records and drops what finds it full, so the caller here keeps in step with the
//! task that empties it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::thread;

use tracing_loki::BackgroundTask;
use tracing_loki::url::Url;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::measure;

/// Three of these may be in the channel at once.
const CHUNK: usize = 160;

pub(super) fn send(url: &str, records: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("tokio");
    let url = Url::parse(url).expect("a URL");
    let builder = tracing_loki::builder().label("host", "bench").expect("a label");
    let (layer, controller, task) = builder.build_controller_url(url).expect("a layer");
    tracing_subscriber::registry().with(layer).init();
    let polls = Arc::new(AtomicU64::new(0));
    // Unconstrained, so that each poll takes all that is there.
    let task = tokio::task::unconstrained(Watched { task: Box::pin(task), polls: Arc::clone(&polls) });
    let task = runtime.spawn(task);

    let log = || {
        let polls = || polls.load(Ordering::SeqCst);
        let (mut before_last, mut last) = (None, None);
        for chunk in 0..records.div_ceil(CHUNK) {
            for id in chunk * CHUNK..records.min((chunk + 1) * CHUNK) {
                tracing::info!(target: "bench", "request {} took {} us from {}", id, id * 7919 % 10_000, "10.0.0.1");
            }
            // Until a poll has begun after the end of the chunk before the last: that has then been taken.
            while before_last.is_some_and(|seen| polls() == seen) {
                thread::yield_now();
            }
            (before_last, last) = (last, Some(polls()));
        }
    };
    let flush = || {
        runtime.block_on(async {
            controller.shutdown().await;
            task.await.expect("it does not panic");
        });
    };
    measure(records, log, flush);
}

struct Watched {
    task: Pin<Box<BackgroundTask>>,
    polls: Arc<AtomicU64>,
}

impl Future for Watched {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.polls.fetch_add(1, Ordering::SeqCst);
        self.task.as_mut().poll(context)
    }
}
