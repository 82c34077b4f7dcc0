//! The console shows everything, by `env_logger`; the server gets what is at Info and above.
//!
//! ```text
//! cargo run --example console_too --features testing
//! ```

use std::error::Error;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use env_logger::Target;
use log::{LevelFilter, debug, info, warn};
use logpost::testing::Server;
use logpost::{HttpHandler, Pipeline};

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::start()?;
    let console = Console::default();

    let env_logger = env_logger::Builder::new()
        .filter_level(LevelFilter::Debug)
        .target(Target::Pipe(Box::new(console.clone()))) // yours needs no target: it is stderr
        .build();
    let guard = logpost::builder()
        .level(LevelFilter::Debug) // what either of them wants
        .handler(Pipeline::new(HttpHandler::new(server.url())?).level(LevelFilter::Info))
        .tee(env_logger)
        .init()?;

    debug!(target: "shop", "customer read");
    info!(target: "shop", order = 17; "order accepted");
    warn!(target: "shop::bank", "no answer");

    // The console is called in place: it has the lines already.
    let shown = console.shown();
    assert_eq!(shown.lines().count(), 3);
    assert!(shown.contains("customer read") && shown.contains("order=17"));

    guard.flush(Duration::from_secs(10))?;
    for form in server.forms() {
        println!("server got {form:?}");
    }
    let messages: Vec<_> = server.forms().iter().filter_map(|form| form.get("msg").map(str::to_owned)).collect();
    assert_eq!(messages, ["order accepted", "no answer"]);
    Ok(())
}

/// Stdout, and a memory of what went there: this program wants to see that it does what it says.
#[derive(Clone, Default)]
struct Console(Arc<Mutex<Vec<u8>>>);

impl Console {
    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Console {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        io::stdout().write_all(text)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}
