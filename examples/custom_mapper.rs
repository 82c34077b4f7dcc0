//! Dictionaries of one's own: one in the form that a notification service wants, one that adds to the default.
//!
//! ```text
//! cargo run --example custom_mapper
//! ```

use std::error::Error;
use std::io;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::routing::post;
use log::{Level, LevelFilter};
use logpost::{Fields, HttpHandler, LogRecord, Pipeline, map_log_record};

/// Replaces the default: what is not pushed is not sent.
fn notification(record: &LogRecord, fields: &mut Fields) {
    let priority = match record.level() {
        Level::Error => 1,
        Level::Warn => 0,
        _ => -1,
    };
    fields
        .push("title", &format!("{} in {}", record.level(), record.target()))
        .push("text", record.message())
        .push("priority", priority);
    for (key, value) in record.key_values().filter(|(key, _)| *key == "user") {
        fields.push(key, value);
    }
}

/// Adds to the default.
fn with_length(record: &LogRecord, fields: &mut Fields) {
    map_log_record(record, fields);
    fields.push("length", record.message().len());
}

fn main() -> Result<(), Box<dyn Error>> {
    let server = start_receiver()?;
    let notifications = HttpHandler::builder(format!("{server}/notify"))
        .field("channel", "operations") // behind what the mapper has pushed
        .map_log_record(notification)
        .build()?;
    let everything = HttpHandler::builder(format!("{server}/log")).map_log_record(with_length).build()?;
    let guard = logpost::builder()
        .handler(Pipeline::new(notifications).level(LevelFilter::Error))
        .handler(everything)
        .init()?;

    log::info!("listening");
    guard.flush(Duration::from_secs(5))?; // for the order of what is printed below, no more
    log::error!(target: "shop::bank", user = "zoë", attempt = 3; "payment failed");
    guard.flush(Duration::from_secs(5))?;

    println!("{}", guard.stats()); // the error went to two handlers, so it counts twice
    Ok(())
}

/// A web server that prints what it is sent; returns its address.
fn start_receiver() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}", listener.local_addr()?);
    thread::spawn(move || serve(listener));
    Ok(address)
}

fn serve(listener: TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let router = Router::new().route("/notify", post(print)).route("/log", post(print));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async { axum::serve(tokio::net::TcpListener::from_std(listener)?, router).await })
}

async fn print(uri: Uri, body: String) -> StatusCode {
    let form: Vec<_> = form_urlencoded::parse(body.as_bytes()).collect();
    let width = form.iter().map(|(key, _)| key.len()).max().unwrap_or_default();
    println!("POST {}", uri.path());
    for (key, value) in &form {
        println!("  {key:width$}  {value}");
    }
    StatusCode::NO_CONTENT
}
