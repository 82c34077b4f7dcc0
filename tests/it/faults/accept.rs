//! Answers that only look like success, and who reads them.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use log::info;
use logpost::{Action, Batch, EmitError, ErrorClass, FormLines, Handler, HttpHandler, HttpHandlerBuilder, LogRecord};
use logpost_test_support::{Answer, LONG, Plan, Request, Server};

use super::{Sender, answer};

fn sender_of(handler: HttpHandlerBuilder) -> Sender {
    Sender::with(handler, |pipeline| pipeline)
}

/// What Slack and others do: the status says nothing.
fn ok_says_it(status: u16, body: &[u8]) -> Option<Result<(), EmitError>> {
    let text = String::from_utf8_lossy(body).into_owned();
    (status == 200 && !text.starts_with(r#"{"ok":true"#)).then(|| Err(EmitError::endpoint(text)))
}

fn says(body: &'static str) -> Plan {
    Plan::Answer(Answer::with(200, &[], body))
}

/// A server that answers this at first, and then that it is well.
fn at_first(plans: impl IntoIterator<Item = Plan>) -> Server {
    let plans = Mutex::new(plans.into_iter().collect::<Vec<_>>().into_iter());
    Server::scripted(move |_| plans.lock().unwrap().next().unwrap_or_else(|| says(r#"{"ok":true}"#)))
}

#[test]
fn a_200_that_says_no_delivers_nothing() {
    let server = at_first([says(r#"{"ok":false,"error":"invalid_auth"}"#), says(r#"{"ok":false}"#)]);
    let sender = sender_of(HttpHandler::builder(server.url()).accept(ok_says_it));
    sender.log("one");
    sender.log("two");
    sender.flush();
    assert_eq!(server.messages(), ["one", "one", "one", "two"]);
    assert_eq!((sender.stats().delivered, server.connections()), (2, 1));
    let told = sender.failures();
    assert!(told.len() == 2 && told.iter().all(|told| told.class == ErrorClass::Endpoint), "{told:?}");
    assert!(told[0].text.contains("invalid_auth") && told[0].text.contains(&server.address().to_string()), "{told:?}");
}

#[test]
fn who_reads_an_answer_asks_for_one_that_is_not_compressed() {
    let server = at_first([]);
    let asked = |handler: HttpHandlerBuilder| {
        let sender = sender_of(handler);
        sender.log("x");
        sender.flush();
        server.requests().pop().unwrap().header("Accept-Encoding").join(",")
    };
    assert_eq!(asked(HttpHandler::builder(server.url()).accept(ok_says_it)), "identity");
    assert_eq!(asked(HttpHandler::builder(server.url()).accept(ok_says_it).header("accept-encoding", "br")), "br");
    assert_eq!(asked(HttpHandler::builder(server.url())), "");
}

#[test]
fn a_conflict_may_mean_that_it_is_there() {
    let server = Server::scripted(|_| answer(409));
    let there = |status, _: &[u8]| (status == 409).then_some(Ok(()));
    let sender = sender_of(HttpHandler::builder(server.url()).accept(there));
    sender.log("one");
    sender.flush();
    assert_eq!((sender.stats().delivered, server.messages().len(), sender.failures().len()), (1, 1, 0));
}

#[test]
fn who_says_nothing_leaves_it_to_the_status() {
    let server = at_first([503, 422].map(answer));
    let sender = sender_of(HttpHandler::builder(server.url()).accept(|_, _| None));
    sender.log("one");
    sender.log("two");
    sender.flush();
    let told: Vec<_> = sender.failures().into_iter().map(|told| told.class).collect();
    assert_eq!(told, [ErrorClass::Transient, ErrorClass::Payload]);
    assert_eq!((sender.stats().delivered, sender.stats().rejected), (1, 1));
}

/// Nobody knows what it would have said. Without somebody who reads it, it is a 200.
#[test]
fn an_answer_that_breaks_off_or_is_too_long_delivers_nothing_where_it_is_read() {
    let short = Plan::Answer(Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"ok\":true").then_close());
    let long = format!("{{\"ok\":true,\"filler\":\"{}\"}}", "x".repeat(2 * 1024 * 1024));
    let long = Plan::Answer(Answer::with(200, &[], &long));
    for plan in [short, long] {
        let server = at_first([plan.clone()]);
        let sender = sender_of(HttpHandler::builder(server.url()).accept(ok_says_it));
        sender.log("one");
        sender.flush();
        assert_eq!(server.messages(), ["one", "one"]);
        let told = sender.failures();
        assert!(told.len() == 1 && told[0].class == ErrorClass::Transient, "{told:?}");
        assert!(told[0].text.contains("breaks off or is too long"), "{told:?}");

        let server = at_first([plan]);
        let sender = sender_of(HttpHandler::builder(server.url()));
        sender.log("one");
        sender.flush();
        assert_eq!((server.messages().len(), sender.failures().len()), (1, 0));
    }
}

#[test]
fn a_long_answer_is_read_to_its_end_and_the_connection_kept() {
    let long = format!("{{\"filler\":\"{}\"}}", "x".repeat(1024 * 1024 - 20));
    let server = at_first([Plan::Answer(Answer::with(200, &[], &long))]);
    let sender = sender_of(HttpHandler::builder(server.url()).accept(ok_says_it));
    sender.log("one");
    sender.flush();
    assert_eq!((server.messages().len(), server.connections()), (2, 1));
    assert_eq!(sender.failure().class, ErrorClass::Endpoint);
}

/// Else a large batch would be sent again and again.
#[test]
fn the_more_was_sent_the_longer_the_answer_may_be() {
    let long = format!("{{\"ok\":true,\"filler\":\"{}\"}}", "x".repeat(2 * 1024 * 1024));
    let server = Server::scripted(move |_| Plan::Answer(Answer::with(200, &[], &long)));
    let sender = sender_of(HttpHandler::builder(server.url()).accept(ok_says_it));
    sender.log(&"x".repeat(512 * 1024));
    sender.flush();
    assert_eq!((server.messages().len(), sender.stats().delivered, sender.failures().len()), (1, 1, 0));
}

#[test]
fn an_error_of_the_status_stands_where_its_answer_breaks_off() {
    let short = Plan::Answer(Answer::raw("HTTP/1.1 422 No\r\nContent-Length: 100\r\n\r\nno").then_close());
    let server = at_first([short]);
    let sender = sender_of(HttpHandler::builder(server.url()).accept(ok_says_it));
    sender.log("one");
    sender.flush();
    assert_eq!(sender.failure().action, Action::Reject);
    assert_eq!(server.messages(), ["one"]);
}

#[test]
fn a_delay_that_the_answer_asks_for_is_granted_and_secrets_are_not_repeated() {
    let no = Answer::with(200, &[("Retry-After", "100")], "no such token: abracadabra");
    let server = at_first([Plan::Answer(no)]);
    let handler = HttpHandler::builder(server.url()).bearer_token("abracadabra").accept(ok_says_it);
    let sender = sender_of(handler);
    sender.log("one");
    let told = sender.failure();
    let Action::Retry(delay) = told.action else { panic!("{told:?}") };
    assert!(delay > Duration::from_secs(90) && delay <= Duration::from_secs(100), "{delay:?}");
    assert!(told.text.contains("no such token: ***") && !told.text.contains("abracadabra"), "{told:?}");
    sender.flush();
}

#[test]
fn a_function_that_panics_is_caught() {
    let server = Server::start();
    let sender = sender_of(HttpHandler::builder(server.url()).accept(|_, _| panic!("of the user's")));
    sender.log("one");
    sender.flush();
    let stats = sender.stats();
    assert_eq!((stats.rejected, stats.panics), (1, 1), "{stats}");
    assert!(sender.failure().text.contains("of the user's"));
}

/// A word for each record of the answer, in order.
fn word_by_word(body: &[u8]) -> EmitError {
    let outcome = |word: &str| match word {
        "taken" => Ok(()),
        "busy" => Err(EmitError::transient("busy").not_arrived()),
        word => Err(EmitError::payload(word.to_owned())),
    };
    EmitError::each(String::from_utf8_lossy(body).split(' ').map(outcome).collect())
}

fn messages_of(request: &Request) -> Vec<String> {
    let lines = request.body.split_inclusive(|byte| *byte == b'\n');
    lines.map(|line| form_urlencoded::parse(line.trim_ascii_end()).next().unwrap().1.into_owned()).collect()
}

/// Each attempt has its own key and its own body: it is another request, of other records.
#[test]
fn the_rest_of_a_batch_goes_in_a_request_of_its_own() {
    let busy = Mutex::new(HashSet::new());
    let server = Server::responding(move |request| {
        let word = |message: String| match message.as_str() {
            "bad" => "no-such-field",
            "busy" if busy.lock().unwrap().insert(message.clone()) => "busy",
            _ => "taken",
        };
        let words: Vec<_> = messages_of(request).into_iter().map(word).collect();
        Answer::with(200, &[], &words.join(" "))
    });
    let batch = Batch::default().linger(LONG);
    let handler = HttpHandler::builder(server.url())
        .encoding(FormLines)
        .batch(batch)
        .only(["msg"])
        .accept(|_, body| Some(Err(word_by_word(body))));
    let sender = sender_of(handler);
    for message in ["a", "busy", "bad", "b"] {
        sender.log(message);
    }
    sender.flush();
    let requests = server.requests();
    let sent: Vec<_> = requests.iter().map(messages_of).collect();
    assert_eq!(sent, [vec!["a", "busy", "bad", "b"], vec!["busy"]]);
    let keys: HashSet<_> = requests.iter().flat_map(|request| request.header("idempotency-key")).collect();
    assert_eq!(keys.len(), 2);
    let stats = sender.stats();
    assert_eq!((stats.delivered, stats.rejected, stats.pending), (3, 1, 0), "{stats}");
    let told = sender.failures();
    assert_eq!((told[0].action, &told[0].messages[..]), (Action::Reject, &["bad".to_owned()][..]));
    assert!(told[0].text.contains("no-such-field") && told[0].text.contains(&server.url()[..15]), "{told:?}");
    assert_eq!((told[1].messages.len(), told.len()), (1, 2), "{told:?}");
}

/// The one who is told to wait is the server's to choose, whichever records it is about.
#[test]
fn a_delay_is_granted_to_those_that_are_offered_again() {
    let some = Answer::with(200, &[("Retry-After", "100")], "taken busy");
    let server = at_first([Plan::Answer(some)]);
    let handler = HttpHandler::builder(server.url()).encoding(FormLines).batch(Batch::default().linger(LONG));
    let handler = handler.accept(|_, body| (!body.starts_with(b"{")).then(|| Err(word_by_word(body))));
    let sender = sender_of(handler);
    sender.log("one");
    sender.log("two");
    // Ends the batch, and waits for nothing.
    sender.guard.flush(Duration::ZERO).unwrap_err();
    let told = sender.failure();
    let Action::Retry(delay) = told.action else { panic!("{told:?}") };
    assert!(delay > Duration::from_secs(90), "{delay:?}");
    assert_eq!(told.messages, ["two"]);
    sender.flush();
    assert_eq!(sender.stats().delivered, 2);
}

/// It may take as long as the request, and no longer.
#[test]
fn an_answer_that_trickles_is_waited_for_no_longer_than_the_request() {
    let slow = Plan::TrickleBody(Answer::with(200, &[], r#"{"ok":true}"#), LONG);
    let server = at_first([slow]);
    let handler = HttpHandler::builder(server.url()).timeout(Duration::from_secs(1)).accept(ok_says_it);
    let sender = sender_of(handler);
    sender.log("one");
    sender.flush();
    let told = sender.failures();
    assert!(told.len() == 1 && told[0].class == ErrorClass::Transient, "{told:?}");
    assert_eq!((server.messages().len(), sender.stats().delivered), (2, 1));
}

/// Gives another handler more records than its requests hold.
struct Generous(HttpHandler);

impl Handler for Generous {
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        self.0.emit(records)
    }

    fn batch(&self) -> Batch {
        Batch::default().max_records(5).linger(LONG)
    }
}

#[test]
fn outcomes_of_one_request_of_several_are_about_the_right_records() {
    let server = Server::responding(|request| {
        let word = |message: &String| if message == "2" { "no" } else { "taken" };
        Answer::with(200, &[], &messages_of(request).iter().map(word).collect::<Vec<_>>().join(" "))
    });
    let handler = HttpHandler::builder(server.url()).encoding(FormLines).only(["msg"]);
    let handler = handler.batch(Batch::default().max_records(2)).accept(|_, body| Some(Err(word_by_word(body))));
    let (logger, guard) =
        logpost::builder().handler(Generous(handler.build().unwrap())).on_error(|_| ()).build().unwrap();
    for number in 0..5 {
        info!(logger: logger, "{number}");
    }
    guard.flush(LONG).unwrap();
    let stats = guard.stats();
    assert_eq!((stats.delivered, stats.rejected, stats.pending), (4, 1, 0), "{stats}");
    assert_eq!(server.requests().iter().flat_map(messages_of).collect::<Vec<_>>(), ["0", "1", "2", "3", "4"]);
}
