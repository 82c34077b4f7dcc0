//! The heads of requests: as long as they may be they are sent, and what is longer is an error of `build`, or of one record.

use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use log::info;
use logpost::{Action, Error, ErrorClass, Guard, HttpHandler, HttpHandlerBuilder, Logger, Method, Pipeline, Retry};
use logpost_test_support::{LONG, Server};

const KIB: usize = 1024;
const MAX_URL: usize = 8 * KIB;
const MAX_HEADERS: usize = 12 * KIB;
const MAX_TOKEN: usize = 8 * KIB;
/// Of a path with its query.
const MAX_TARGET: usize = 65_534;

/// A logger that gives up what does not fit, and tells of it.
fn logger(handler: HttpHandlerBuilder) -> (Logger, Guard, Receiver<(Action, ErrorClass)>) {
    let retry = Retry::default().first_delay(Duration::from_millis(1)).max_attempts(3);
    let (tell, told) = mpsc::channel();
    let (logger, guard) = logpost::builder()
        .handler(Pipeline::new(handler.build().unwrap()).retry(retry))
        .on_error(move |failure| {
            // The test may be over.
            let _ = tell.send((failure.action(), failure.error().class()));
        })
        .flush_timeout(Duration::ZERO)
        .build()
        .unwrap();
    (logger, guard, told)
}

/// Which setting is at fault.
fn fault(handler: HttpHandlerBuilder) -> Option<String> {
    handler.build().err().as_ref().and_then(Error::setting).map(ToOwned::to_owned)
}

fn nowhere() -> HttpHandlerBuilder {
    HttpHandler::builder("http://127.0.0.1:9/")
}

/// `base`, made so many bytes long.
fn url_of(base: &str, length: usize) -> String {
    format!("{base}{}", "u".repeat(length - base.len()))
}

/// With one header that is as long as it may be beside those that every request has.
fn with_longest_header(handler: &HttpHandlerBuilder) -> HttpHandlerBuilder {
    let with = |length| handler.clone().header("X-Long", "h".repeat(length));
    let longest = (0..MAX_HEADERS).rev().find(|&length| with(length).build().is_ok()).unwrap();
    assert!(longest > MAX_HEADERS - 200, "{longest}");
    assert_eq!(fault(with(longest + 1)).as_deref(), Some("header"));
    with(longest)
}

/// The message and nothing else, so that a test can tell how long a URL is.
fn message_alone(handler: HttpHandlerBuilder) -> HttpHandlerBuilder {
    handler.map_log_record(|record, fields| {
        fields.push("msg", record.message());
    })
}

#[test]
fn a_get_takes_long_messages() {
    let server = Server::start();
    let (logger, guard, told) = logger(HttpHandler::builder(server.url()).method(Method::Get));
    let messages = [20_000, 28_000, 31_000, 32_000, 33_000, 40_000, 60_000].map(|length| "x".repeat(length));
    for message in &messages {
        info!(logger: logger, "{message}");
    }
    guard.flush(LONG).unwrap();
    assert_eq!(told.try_iter().collect::<Vec<_>>(), []);
    assert!(server.messages() == messages);
    assert_eq!(guard.stats().delivered, messages.len() as u64);
}

#[test]
fn a_get_whose_query_is_too_long_is_rejected_and_the_next_record_arrives() {
    let server = Server::start();
    let (logger, guard, told) = logger(message_alone(HttpHandler::builder(server.url()).method(Method::Get)));
    let longest = "x".repeat(MAX_TARGET - "/log?msg=".len());
    info!(logger: logger, "{longest}x");
    info!(logger: logger, "{longest}");
    info!(logger: logger, "next");
    guard.flush(LONG).unwrap();
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [(Action::Reject, ErrorClass::Payload)]);
    assert!(server.messages() == [longest.as_str(), "next"]);
    let stats = guard.stats();
    assert_eq!((stats.delivered, stats.rejected, stats.attempts), (2, 1, 3), "{stats}");
}

#[test]
fn all_that_may_be_long_may_be_so_at_once() {
    for method in [Method::Post, Method::Get] {
        let server = Server::start();
        let url = url_of(&server.url(), MAX_URL);
        let token = "t".repeat(MAX_TOKEN);
        let handler = HttpHandler::builder(&url).method(method).bearer_token_with(move || Ok(token.clone()));
        let (logger, guard, told) = logger(message_alone(with_longest_header(&handler)));
        let own = url.len() - format!("http://{}", server.address()).len();
        let message = "x".repeat(MAX_TARGET - own - "?msg=".len());
        info!(logger: logger, "{message}");
        guard.flush(LONG).unwrap();
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [], "{method:?}");
        assert!(server.messages() == [message]);
    }
}

#[test]
fn what_may_not_fit_is_an_error_at_once() {
    let with_url = |length| HttpHandler::builder(url_of("http://127.0.0.1:9/", length));
    let with_token = |length| nowhere().bearer_token("t".repeat(length));
    let long = "h".repeat(MAX_HEADERS / 3);
    let with_headers = |count| (0..count).fold(nowhere(), |builder, _| builder.header("X-Long", long.as_str()));
    for (builder, setting) in [
        (with_url(MAX_URL), None),
        (with_url(MAX_URL + 1), Some("url")),
        (with_token(MAX_TOKEN), None),
        (with_token(MAX_TOKEN + 1), Some("bearer_token")),
        (with_token(MAX_TOKEN).header("X-Long", long.as_str()), Some("header")),
        (with_headers(2), None),
        (with_headers(3), Some("header")),
        (with_headers(2).user_agent(long.as_str()), Some("header")),
        (with_headers(2).credentials("user", long.as_str()), Some("header")),
    ] {
        assert_eq!(fault(builder.clone()).as_deref(), setting);
        assert_eq!(fault(builder.method(Method::Get)).as_deref(), setting);
    }
}

#[test]
fn a_buffer_that_a_head_may_not_fit_into_is_an_error() {
    let with =
        |bytes, method| fault(nowhere().method(method).agent_config(move |config| config.output_buffer_size(bytes)));
    let is_error = Some("agent_config".to_owned());
    assert_eq!((with(16 * KIB, Method::Post), with(64 * KIB, Method::Post)), (is_error.clone(), None));
    assert_eq!((with(64 * KIB, Method::Get), with(128 * KIB, Method::Get)), (is_error, None));
}
