//! A thread panics, and the server has the record of it before the thread is gone.
//!
//! ```text
//! cargo run --example panics --features testing
//! RUST_BACKTRACE=1 cargo run --example panics --features testing    # with a backtrace in the record
//! ```

use std::error::Error;
use std::thread;

use log::info;
use logpost::HttpHandler;
use logpost::testing::Server;

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::start()?;
    let _guard = logpost::builder().handler(HttpHandler::new(server.url())?).log_panics(true).init()?;

    let worker = thread::Builder::new().name("worker".to_owned()).spawn(|| {
        info!("17 orders to count");
        let orders = [17, 18, 19];
        orders.iter().position(|&order| order == 20).expect("order 20 is there");
    })?;
    // stderr has the panic as always. No flush is needed: who panics has waited for the delivery.
    assert!(worker.join().is_err());

    let forms = server.forms();
    for form in &forms {
        for key in ["levelname", "name", "msg", "filename", "lineno", "threadName", "backtrace"] {
            if let Some(value) = form.get(key) {
                println!("{key:10}  {value}");
            }
        }
        println!();
    }
    assert_eq!(forms.len(), 2);
    assert_eq!(forms[1].get("name"), Some("panic"));
    assert_eq!(forms[1].get("levelname"), Some("ERROR"));
    assert_eq!(forms[1].get("msg"), Some("thread 'worker' panicked: order 20 is there"));
    assert_eq!(forms[1].get("filename"), Some("panics.rs"));
    Ok(())
}
