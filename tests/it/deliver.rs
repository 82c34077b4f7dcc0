//! Records reach a server, once each and in order.

use log::info;
use logpost::HttpHandler;
use logpost_test_support::{LONG, Server};

#[test]
fn each_record_is_one_request_on_one_connection() {
    let server = Server::start();
    let (logger, guard) = logpost::builder()
        .handler(HttpHandler::new(server.url()).unwrap())
        .build()
        .unwrap();
    for number in 0..100 {
        info!(logger: logger, "record {number}");
    }
    guard.flush(LONG).unwrap();
    let expected: Vec<_> = (0..100).map(|number| format!("record {number}")).collect();
    assert_eq!(server.messages(), expected);
    assert_eq!(server.connections(), 1);
    let stats = guard.stats();
    assert_eq!((stats.accepted, stats.delivered, stats.pending), (100, 100, 0));
}
