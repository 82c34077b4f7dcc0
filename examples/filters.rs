//! What is logged, in the syntax of `RUST_LOG`, and changed while the program runs.
//!
//! ```text
//! cargo run --example filters --features testing
//! ```

use std::error::Error;
use std::time::Duration;

use log::{debug, error, info, warn};
use logpost::HttpHandler;
use logpost::testing::{FormData, Server};

const LONG: Duration = Duration::from_secs(10);

const AT_FIRST: &str = "info,shop::db=debug,shop::bank=error";
const LATER: &str = "warn,shop=debug,shop::db=off";

/// Without a target of its own, a record has the module path for one: `filters` here, `shop::db` in a real shop.
fn sell() {
    info!(target: "shop", "order accepted");
    debug!(target: "shop", "customer read");
    debug!(target: "shop::db", "connected");
    warn!(target: "shop::bank", "no answer");
    error!(target: "shop::bank", "payment failed");
}

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::start()?;
    let guard = logpost::builder()
        .filter(AT_FIRST)
        // .filter_env("RUST_LOG") behind it gives the environment the last word.
        .handler(HttpHandler::new(server.url())?)
        .init()?;

    sell();
    guard.flush(LONG)?;
    let at_first = lines(&server.forms());
    print(AT_FIRST, &at_first);
    assert_eq!(
        at_first,
        ["INFO shop: order accepted", "DEBUG shop::db: connected", "ERROR shop::bank: payment failed"]
    );

    // From any thread, at any time: on a signal, say, or from a page for administrators.
    guard.set_filter(LATER)?;
    sell();
    guard.flush(LONG)?;
    let later = lines(&server.forms()[at_first.len()..]);
    print(LATER, &later);
    assert_eq!(
        later,
        [
            "INFO shop: order accepted",
            "DEBUG shop: customer read",
            "WARNING shop::bank: no answer",
            "ERROR shop::bank: payment failed"
        ]
    );

    // A mistake changes nothing.
    let mistake = guard.set_filter("shop=loud").err().ok_or("loud is no level")?;
    println!("shop=loud\n  {mistake}");
    Ok(())
}

fn lines(forms: &[FormData]) -> Vec<String> {
    let value = |form: &FormData, key| form.get(key).unwrap_or("-").to_owned();
    let line = |form| format!("{} {}: {}", value(form, "levelname"), value(form, "name"), value(form, "msg"));
    forms.iter().map(line).collect()
}

fn print(filter: &str, lines: &[String]) {
    println!("{filter}");
    for line in lines {
        println!("  {line}");
    }
}
