//! https where a company has certificates of its own: one that the server is known by, and one for each client.
//!
//! ```text
//! cargo run --example tls
//! ```

use std::error::Error;
use std::sync::mpsc;
use std::time::Duration;

use log::info;
use logpost::{ErrorClass, HttpHandler};
use logpost_test_support::{Authority, Server};

const LONG: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn Error>> {
    let (company, clients) = (Authority::new(), Authority::new());
    let server = Server::builder().tls(company.server_for_clients_of(&clients)).start();
    println!("{} wants to know who its clients are", server.url());

    who_trusts_only_the_web_keeps_its_records(&server.url())?;

    // A real program reads files: `.root_certificate(std::fs::read("company.pem")?)`.
    let (certificate, key) = clients.client();
    let handler = HttpHandler::builder(server.url())
        .root_certificate(company.pem()) // this one, and no others
        .client_certificate(certificate, key)
        .build()?;
    let guard = logpost::builder().handler(handler).init()?;

    info!("nobody can listen");
    guard.flush(LONG)?;
    for request in server.requests() {
        println!("{} {}: {}", request.method, request.target, request.msg());
    }
    println!("{}", guard.stats());
    assert_eq!(server.messages(), ["nobody can listen"]);
    Ok(())
}

/// What one sees who has forgotten a setting: the server's certificate is in no browser's list.
fn who_trusts_only_the_web_keeps_its_records(url: &str) -> Result<(), Box<dyn Error>> {
    let (tell, told) = mpsc::channel();
    let (logger, guard) = logpost::builder()
        .handler(HttpHandler::new(url)?)
        .on_error(move |failure| {
            println!("on_error: {failure}");
            let _ = tell.send(failure.error().class());
        })
        .build()?;
    info!(logger: logger, "who are you?");
    assert_eq!(told.recv_timeout(LONG)?, ErrorClass::Endpoint);
    assert_eq!(guard.stats().pending, 1); // nothing is lost: it would be sent as soon as the certificate is good
    guard.stop(Duration::ZERO);
    Ok(())
}
