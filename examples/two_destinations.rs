//! Errors to a webhook, everything to a collector. The webhook is down at first, which the collector does not notice.
//!
//! ```text
//! cargo run --example two_destinations --features testing
//! ```

use std::error::Error;
use std::time::Duration;

use log::{LevelFilter, error, info, warn};
use logpost::testing::Server;
use logpost::{Fields, HttpHandler, LogRecord, Overflow, Pipeline};

const LONG: Duration = Duration::from_secs(10);

/// What the webhook wants.
fn alert(record: &LogRecord, fields: &mut Fields) {
    fields.push("text", &format!("{}: {}", record.target(), record.message()));
}

fn main() -> Result<(), Box<dyn Error>> {
    let (collector, webhook) = (Server::start()?, Server::start()?);
    webhook.answer(503);

    let everything = HttpHandler::new(collector.url())?;
    let alerts = HttpHandler::builder(webhook.url()).map_log_record(alert).build()?;
    let guard = logpost::builder()
        .handler(Pipeline::new(everything).name("collector"))
        .handler(
            Pipeline::new(alerts)
                .name("webhook")
                .level(LevelFilter::Error)
                .capacity(256) // a queue of its own: nobody wants more alerts than that
                .overflow(Overflow::DropOldest),
        )
        .on_error(|failure| println!("on_error: {failure}"))
        .init()?;

    info!(target: "shop", "order accepted");
    warn!(target: "shop::bank", "no answer");
    error!(target: "shop::bank", "payment failed");

    for form in collector.wait_for(3, LONG)? {
        println!("collector got {} {}", form.get("levelname").unwrap_or("-"), form.get("msg").unwrap_or("-"));
    }
    webhook.wait_for_requests(1, LONG)?;
    let waiting = guard.stats_of("webhook").map(|stats| stats.pending);
    assert_eq!((waiting, webhook.forms().len()), (Some(1), 0));

    webhook.answer(200);
    guard.flush(LONG)?;
    for form in webhook.forms() {
        println!("webhook got {}", form.get("text").unwrap_or("-"));
    }
    for stats in guard.stats_by_pipeline() {
        println!("{stats}");
    }
    assert_eq!((collector.forms().len(), webhook.forms().len()), (3, 1));
    assert_eq!(webhook.forms()[0], [("text", "shop::bank: payment failed")]);
    Ok(())
}
