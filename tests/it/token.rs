//! Bearer tokens: sent as they are, asked for when they may have changed, and told to nobody.

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use logpost::{Delivery, ErrorClass, HttpHandler, HttpHandlerBuilder, Pipeline};
use logpost_test_support::{Answer, LONG, Plan, Request, Server};

use crate::told::{Told, check, log, logger};

type Token = Result<String, Box<dyn Error + Send + Sync>>;

/// A handler that asks `answers` for its tokens, with the number of the question from 1.
fn asking(
    server: &Server,
    answer: impl Fn(usize) -> Token + Send + Sync + 'static,
) -> (HttpHandlerBuilder, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let handler =
        HttpHandler::builder(server.url()).bearer_token_with(move || answer(count.fetch_add(1, Ordering::SeqCst) + 1));
    (handler, asked)
}

/// A server that takes `token` alone. It says why, as servers should not.
fn taking(token: &'static str) -> Server {
    Server::scripted(move |request| {
        let given = authorization(request);
        let is_good = given == format!("Bearer {token}");
        Plan::Answer(if is_good {
            Answer::status(200)
        } else {
            Answer::with(401, &[], &format!("no such token: {given}"))
        })
    })
}

fn authorization(request: &Request) -> String {
    let [value] = request.header("authorization")[..] else { panic!("{:?}", request.headers) };
    value.to_owned()
}

fn key(request: &Request) -> &str {
    request.header("idempotency-key")[0]
}

#[test]
fn a_token_is_sent_with_every_request() {
    let server = taking("t0ken");
    let handler = HttpHandler::builder(server.url()).bearer_token("replaced").bearer_token("t0ken");
    let (logger, guard, told) = logger(handler, Delivery::AtLeastOnce);
    log(&logger, 10);
    guard.flush(LONG).unwrap();
    check(&server, &guard, 10);
    assert_eq!(told.try_iter().count(), 0);
}

#[test]
fn a_token_is_asked_for_once_a_connection() {
    const A_CONNECTION: usize = 5;
    let server = Server::scripted(|request| {
        let answer = Answer::status(200);
        Plan::Answer(if request.position + 1 == A_CONNECTION { answer.then_close() } else { answer })
    });
    let (handler, asked) = asking(&server, |number| Ok(format!("t0ken-{number}")));
    assert_eq!(asked.load(Ordering::SeqCst), 0, "before the first record");
    let (logger, guard, _told) = logger(handler, Delivery::AtLeastOnce);
    log(&logger, 30);
    guard.flush(LONG).unwrap();
    check(&server, &guard, 30);
    assert_eq!(asked.load(Ordering::SeqCst), server.connections());
    for request in server.requests() {
        assert_eq!(authorization(&request), format!("Bearer t0ken-{}", request.connection + 1));
    }
}

#[test]
fn after_a_401_the_new_token_is_sent_at_once() {
    let server = taking("new");
    let (handler, asked) = asking(&server, |number| Ok(if number == 1 { "old" } else { "new" }.to_owned()));
    let (logger, guard, told) = logger(handler, Delivery::AtMostOnce);
    log(&logger, 10);
    guard.flush(LONG).unwrap();
    let requests = server.requests();
    let (refused, taken) = requests.split_first().unwrap();
    assert_eq!((authorization(refused), refused.answered), ("Bearer old".to_owned(), Some(401)));
    assert_eq!((key(refused), &refused.body), (key(&taken[0]), &taken[0].body), "the same records");
    assert_eq!(
        taken.iter().map(Request::msg).collect::<Vec<_>>(),
        (0..10).map(|n| format!("record {n}")).collect::<Vec<_>>()
    );
    let stats = guard.stats();
    assert_eq!((stats.delivered, stats.retries, asked.load(Ordering::SeqCst)), (10, 0, 2), "{stats}");
    assert_eq!((told.try_iter().count(), server.connections()), (0, 1));
}

#[test]
fn a_token_that_changes_while_its_connection_is_kept_costs_one_401() {
    let token = Arc::new(Mutex::new("first".to_owned()));
    let (good, given) = (Arc::clone(&token), Arc::clone(&token));
    let server = Server::scripted(move |request| {
        let is_good = authorization(request) == format!("Bearer {}", good.lock().unwrap());
        Plan::Answer(Answer::status(if is_good { 200 } else { 401 }))
    });
    let (handler, asked) = asking(&server, move |_| Ok(given.lock().unwrap().clone()));
    let (logger, guard, told) = logger(handler, Delivery::AtLeastOnce);
    for name in ["first", "second", "third"] {
        name.clone_into(&mut token.lock().unwrap());
        log(&logger, 5);
        guard.flush(LONG).unwrap();
    }
    let refused = server.requests().iter().filter(|request| request.answered == Some(401)).count();
    // The machine may have been so slow that a connection was given up in between.
    assert_eq!(refused + server.connections(), 3);
    assert_eq!((guard.stats().delivered, asked.load(Ordering::SeqCst), told.try_iter().count()), (15, 3, 0));
}

#[test]
fn a_401_that_no_new_token_mends_counts_and_shows_no_token() {
    for is_new in [true, false] {
        let server = taking("good");
        let attempts = Arc::new(AtomicUsize::new(0));
        let good = Arc::clone(&attempts);
        let (handler, _) = asking(&server, move |number| {
            let number = if is_new { number } else { 0 };
            Ok(if good.load(Ordering::SeqCst) >= 3 { "good".to_owned() } else { format!("s3cret-{number}") })
        });
        let (logger, guard, told) = logger(handler, Delivery::AtMostOnce);
        log(&logger, 1);
        for _ in 0..3 {
            let told = Told::next(&told);
            assert_eq!(told.class, ErrorClass::Endpoint, "{told:?}");
            assert!(told.text.contains("401") && !told.text.contains("s3cret"), "{told:?}");
            attempts.fetch_add(1, Ordering::SeqCst);
        }
        guard.flush(LONG).unwrap();
        let stats = guard.stats();
        assert_eq!(stats.delivered, 1);
        let refused = server.requests().iter().filter(|request| request.answered == Some(401)).count() as u64;
        // The attempt that succeeded may have begun with the token that its connection had.
        let (least, most) = if is_new { (3 * 2, stats.attempts * 2) } else { (3, stats.attempts) };
        assert!((least..=most).contains(&refused), "{refused}: {stats}");
    }
}

#[test]
fn what_goes_wrong_while_asking_loses_nothing() {
    for delivery in [Delivery::AtLeastOnce, Delivery::AtMostOnce] {
        let server = taking("good");
        let (handler, _) = asking(&server, |number| match number {
            1 => Err("the vault is sealed".into()),
            2 => panic!("on purpose"),
            3 => Ok("s3cret\n".to_owned()),
            4 => Ok(String::new()),
            _ => Ok("good".to_owned()),
        });
        let (logger, guard, told) = logger(handler, delivery);
        log(&logger, 10);
        for (class, text) in [
            (ErrorClass::Transient, "the vault is sealed"),
            (ErrorClass::Endpoint, "on purpose"),
            (ErrorClass::Transient, "newline"),
            (ErrorClass::Transient, "empty"),
        ] {
            let told = Told::next(&told);
            assert_eq!(told.class, class, "{told:?}");
            assert!(told.text.contains(text) && told.text.contains("bearer_token_with"), "{told:?}");
            assert!(!told.text.contains("s3cret"), "{told:?}");
        }
        guard.flush(LONG).unwrap();
        check(&server, &guard, 10);
    }
}

/// With one that is longer, a request's head might not fit where ureq has to write it.
#[test]
fn a_token_that_is_too_long_loses_nothing() {
    const LONGEST: usize = 8 * 1024;
    for delivery in [Delivery::AtLeastOnce, Delivery::AtMostOnce] {
        let longest: &'static str = "x".repeat(LONGEST).leak();
        let server = taking(longest);
        let (handler, _) = asking(&server, move |number| match number {
            1 => Ok("s3cret".repeat(100_000)),
            2 => Ok(format!("{longest}x")),
            _ => Ok(longest.to_owned()),
        });
        let (logger, guard, told) = logger(handler, delivery);
        log(&logger, 10);
        for _ in 0..2 {
            let told = Told::next(&told);
            assert_eq!(told.class, ErrorClass::Transient, "{told:?}");
            assert!(told.text.contains("longer than 8 KiB") && told.text.contains("bearer_token_with"), "{told:?}");
            assert!(!told.text.contains("s3cret"), "{told:?}");
        }
        guard.flush(LONG).unwrap();
        check(&server, &guard, 10);
    }
}

#[test]
fn what_goes_wrong_while_asking_after_a_401_loses_nothing() {
    let server = taking("good");
    let (handler, _) = asking(&server, |number| match number {
        1 => Ok("old".to_owned()),
        2 => Err("the vault is sealed".into()),
        _ => Ok("good".to_owned()),
    });
    let (logger, guard, told) = logger(handler, Delivery::AtMostOnce);
    log(&logger, 1);
    assert!(Told::next(&told).text.contains("the vault is sealed"));
    guard.flush(LONG).unwrap();
    assert_eq!(guard.stats().delivered, 1);
}

#[test]
fn each_worker_asks_for_itself() {
    const WORKERS: usize = 3;
    let server = Server::start();
    let (handler, asked) = asking(&server, |number| Ok(format!("t0ken-{number}")));
    let pipeline = Pipeline::new(handler.build().unwrap()).workers(WORKERS);
    let (logger, guard) = logpost::builder().handler(pipeline).build().unwrap();
    log(&logger, 100);
    guard.flush(LONG).unwrap();
    assert_eq!((guard.stats().delivered, asked.load(Ordering::SeqCst)), (100, server.connections()));
}

#[test]
fn two_ways_to_be_authorized_are_an_error() {
    let plain = || HttpHandler::builder("http://127.0.0.1:9/");
    let asked = || plain().bearer_token_with(|| Ok("s3cret".to_owned()));
    let with_user = HttpHandler::builder("http://u:s3cret@127.0.0.1:9/");
    for (builder, setting) in [
        (plain().bearer_token("s3cret").credentials("u", "p"), "bearer_token"),
        (with_user.clone().bearer_token("s3cret"), "bearer_token"),
        (with_user.bearer_token_with(|| Ok("s3cret".to_owned())), "bearer_token_with"),
        (plain().bearer_token("s3cret").header("Authorization", "Bearer s3cret"), "header"),
        (asked().header("authorization", "Bearer s3cret"), "header"),
        (plain().bearer_token(""), "bearer_token"),
        (plain().bearer_token("s3cret\r\nX: y"), "bearer_token"),
        (plain().bearer_token("Bearer s3cret"), "bearer_token"),
        (plain().bearer_token("s3crét"), "bearer_token"),
    ] {
        assert!(!format!("{builder:?}").contains("s3cr"));
        let error = builder.build().unwrap_err();
        assert_eq!(error.setting(), Some(setting), "{error}");
        assert!(!error.to_string().contains("s3cr"), "{error}");
    }
    assert!(!format!("{:?}", plain().bearer_token("s3cret").build().unwrap()).contains("s3cret"));
}
