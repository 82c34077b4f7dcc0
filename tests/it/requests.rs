//! What requests say of themselves, and what the way out to ureq can and can't change.

use logpost::ureq::config::IpFamily;
use logpost::{Delivery, ErrorClass, HttpHandler, HttpHandlerBuilder};
use logpost_test_support::{Answer, LONG, Plan, Request, Server};

use crate::told::{Told, log, logger};

fn request_of(settings: impl FnOnce(HttpHandlerBuilder) -> HttpHandlerBuilder) -> Request {
    let server = Server::start();
    let (logger, guard, _told) = logger(settings(HttpHandler::builder(server.url())), Delivery::AtLeastOnce);
    log(&logger, 1);
    guard.flush(LONG).unwrap();
    server.wait_for(1).remove(0)
}

#[test]
fn a_user_agent_is_sent_as_given() {
    let user_agent = |request: Request| request.header("user-agent").join(",");
    assert_eq!(user_agent(request_of(|handler| handler)), logpost::DEFAULT_USER_AGENT);
    assert_eq!(user_agent(request_of(|handler| handler.user_agent("checkout/1.4 (eu)"))), "checkout/1.4 (eu)");
    assert_eq!(user_agent(request_of(|handler| handler.header("User-Agent", "by header"))), "by header");
    assert!(request_of(|handler| handler.user_agent("")).header("user-agent").is_empty());
}

#[test]
fn a_user_agent_that_can_not_be_sent_is_an_error() {
    let builder = || HttpHandler::builder("http://127.0.0.1:9/");
    for (builder, setting) in [
        (builder().user_agent("a\r\nX-Evil: 1"), "user_agent"),
        (builder().user_agent("a\0"), "user_agent"),
        (builder().user_agent("a").header("user-agent", "b"), "header"),
    ] {
        assert_eq!(builder.build().unwrap_err().setting(), Some(setting));
    }
}

#[test]
fn the_way_out_reaches_the_requests() {
    let request = request_of(|handler| {
        handler.user_agent("overridden").agent_config(|config| config.accept("text/plain").user_agent("by ureq"))
    });
    assert_eq!(request.header("accept"), ["text/plain"]);
    assert_eq!(request.header("user-agent"), ["by ureq"]);
}

#[test]
fn the_way_out_reaches_the_connections() {
    let server = Server::start();
    let handler = HttpHandler::builder(server.url()).agent_config(|config| config.ip_family(IpFamily::Ipv6Only));
    let (logger, _guard, told) = logger(handler, Delivery::AtLeastOnce);
    log(&logger, 1);
    assert!(Told::next(&told).text.contains("host not found"));
}

#[test]
fn the_way_out_can_not_have_redirects_followed() {
    let server = Server::scripted(|_| Plan::Answer(Answer::with(302, &[("Location", "/elsewhere")], "")));
    let handler = HttpHandler::builder(server.url())
        .agent_config(|config| config.max_redirects(10).max_redirects_will_error(true).http_status_as_error(true));
    let (logger, guard, told) = logger(handler, Delivery::AtLeastOnce);
    log(&logger, 1);
    let told = Told::next(&told);
    assert_eq!(told.class, ErrorClass::Endpoint);
    assert!(told.text.contains("302"), "{told:?}");
    assert_eq!(guard.stats().delivered, 0);
    assert!(server.requests().iter().all(|request| request.target == "/log"));
}
