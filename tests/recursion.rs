//! What our own HTTP client logs is not logged, or each request would make the next one; the application's is.

use log::{LevelFilter, trace};
use logpost::HttpHandler;
use logpost_test_support::{LONG, Server};

#[test]
fn our_own_requests_are_not_logged_but_the_applications_are() {
    const RECORDS: usize = 50;
    let server = Server::start();
    // By its name, so that a lookup is part of it.
    let url = format!("http://localhost:{}/log", server.address().port());
    let guard = logpost::builder().handler(HttpHandler::new(url).unwrap()).level(LevelFilter::Trace).init().unwrap();
    assert_eq!(log::max_level(), LevelFilter::Trace);

    for number in 0..RECORDS {
        trace!("record {number}");
    }
    guard.flush(LONG).unwrap();
    let expected: Vec<_> = (0..RECORDS).map(|number| format!("record {number}")).collect();
    assert_eq!(server.messages(), expected);
    let stats = guard.stats();
    assert_eq!((stats.accepted, stats.pending), (RECORDS as u64, 0));

    // The same client on a thread of the application's. It also shows that the client does log.
    let other = Server::start();
    let agent = ureq::Agent::new_with_defaults();
    agent.get(other.url()).call().unwrap();
    guard.flush(LONG).unwrap();
    let requests = server.requests();
    let theirs = &requests[RECORDS..];
    assert!(!theirs.is_empty(), "ureq logged nothing");
    for request in theirs {
        let target = request.field("name").unwrap();
        assert!(target.starts_with("ureq"), "{target}: {}", request.msg());
    }
    assert_eq!(guard.stats().accepted, requests.len() as u64);
}
