//! The settings that most programs want: what a request has, how records are queued, who is told of failures.
//!
//! ```text
//! cargo run --example builder --features testing
//! ```

use std::error::Error;
use std::time::Duration;

use log::{LevelFilter, debug, info, trace};
use logpost::testing::Server;
use logpost::{Batch, FormLines, HttpHandler, Overflow, Pipeline, Retry};

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::start()?; // in place of https://logs.example.com

    // The requests.
    let ingest = HttpHandler::builder(format!("{}/ingest", server.url()))
        .credentials("user", "secret")
        .header("X-Environment", "production")
        .user_agent("checkout/1.4")
        .field("service", "checkout") // in every record
        .timeout(Duration::from_secs(10))
        .encoding(FormLines) // many records a request
        .batch(Batch::default().max_records(1000).linger(Duration::from_millis(200)))
        .build()?;

    // The queue in front of them.
    let ingest = Pipeline::new(ingest)
        .name("ingest")
        .capacity(10_000)
        .capacity_bytes(8 * 1024 * 1024)
        .overflow(Overflow::DropOldest)
        .retry(Retry::default().max_delay(Duration::from_secs(60)).max_age(Duration::from_secs(24 * 3600)));

    // The logger in front of that.
    let guard = logpost::builder()
        .level(LevelFilter::Debug)
        .flush_timeout(Duration::from_secs(2)) // how long the end of the process waits for a server that is down
        .on_error(|failure| eprintln!("checkout: {failure}"))
        .handler(ingest)
        .init()?;

    trace!("below the level");
    debug!("customer read");
    info!(order = 17, total = 19.9; "order accepted");
    guard.flush(Duration::from_secs(10))?;

    for request in server.requests() {
        println!("{} {}", request.method(), request.path());
        for name in ["Authorization", "X-Environment", "User-Agent", "Content-Type"] {
            println!("{name}: {}", request.header(name).unwrap_or("-"));
        }
        for form in request.forms() {
            println!("  {form:?}");
        }
        assert_eq!(request.header("Authorization"), Some("Basic dXNlcjpzZWNyZXQ=")); // user:secret
        assert_eq!(request.header("X-Environment"), Some("production"));
        assert_eq!(request.header("User-Agent"), Some("checkout/1.4"));
    }
    for stats in guard.stats_by_pipeline() {
        println!("{stats}");
    }

    let forms = server.forms();
    let messages: Vec<_> = forms.iter().filter_map(|form| form.get("msg")).collect();
    assert_eq!(messages, ["customer read", "order accepted"]);
    assert!(forms.iter().all(|form| form.get("service") == Some("checkout")));
    assert_eq!((forms[1].get("order"), forms[1].get("total")), (Some("17"), Some("19.9")));
    Ok(())
}
