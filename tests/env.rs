//! A logger by its environment, in processes that have one: each test runs this program again, with variables, and the
//! test `child` as what the program does.

use std::env;
use std::process::{Command, Output};

use log::{debug, info, warn};
use logpost::Builder;
use logpost_test_support::{LONG, Server};

/// What the child is to do.
const CHILD: &str = "LOGPOST_TEST_CHILD";

const VARIABLES: [&str; 9] = [
    "RUST_LOG",
    "LOGPOST_URL",
    "LOGPOST_LEVEL",
    "LOGPOST_USER",
    "LOGPOST_PASSWORD",
    "LOGPOST_TOKEN",
    "LOGPOST_TIMEOUT",
    "LOGPOST_CAPACITY",
    "LOGPOST_OVERFLOW",
];

/// The other process's only test; nothing in this one.
#[test]
fn child() {
    let Ok(told) = env::var(CHILD) else { return };
    let guard = match told.as_str() {
        "init_from_env" => logpost::init_from_env(),
        "builder" => Builder::from_env().and_then(|builder| builder.map(Builder::init).transpose()),
        #[cfg(feature = "env-filter")]
        "filter_env" => {
            let handler = logpost::HttpHandler::new(env::var("LOGPOST_URL").unwrap()).unwrap();
            let builder = logpost::builder().level(log::LevelFilter::Warn).filter_env("RUST_LOG");
            builder.handler(handler).init().map(Some)
        }
        _ => unreachable!("no such thing to do: {told}"),
    };
    let guard = match guard {
        Ok(Some(guard)) => guard,
        Ok(None) => return println!("no logger"),
        Err(error) => return println!("error in {:?}: {error}", error.setting()),
    };
    warn!("a warning");
    info!("an information");
    debug!(target: "my_app", "a detail");
    guard.flush(LONG).unwrap();
    println!("flushed");
}

/// What a child says that has these variables, and no others of ours.
fn run_child(told: &str, variables: &[(&str, &str)]) -> String {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["child", "--exact", "--nocapture", "--test-threads=1"]).env(CHILD, told);
    for name in VARIABLES {
        child.env_remove(name);
    }
    let Output { status, stdout, stderr } = child.envs(variables.iter().copied()).output().unwrap();
    let said = String::from_utf8_lossy(&stdout).into_owned();
    assert!(status.success(), "{said}{}", String::from_utf8_lossy(&stderr));
    said
}

#[test]
fn without_a_url_there_is_no_logger() {
    for told in ["init_from_env", "builder"] {
        assert!(run_child(told, &[]).contains("no logger"));
        assert!(run_child(told, &[("LOGPOST_URL", ""), ("LOGPOST_CAPACITY", "many")]).contains("no logger"));
    }
}

#[test]
fn a_url_is_enough() {
    for told in ["init_from_env", "builder"] {
        let server = Server::start();
        assert!(run_child(told, &[("LOGPOST_URL", &server.url())]).contains("flushed"));
        assert_eq!(server.messages(), ["a warning", "an information"]);
        assert!(server.requests().iter().all(|request| request.header("authorization").is_empty()));
    }
}

#[test]
fn user_and_password_are_sent() {
    let server = Server::start();
    let url = server.url();
    let variables = [
        ("LOGPOST_URL", url.as_str()),
        ("LOGPOST_LEVEL", "WARN"),
        ("LOGPOST_USER", "Aladdin"),
        ("LOGPOST_PASSWORD", "open sesame"),
        ("LOGPOST_TIMEOUT", "20s"),
        ("LOGPOST_CAPACITY", "100"),
        ("LOGPOST_OVERFLOW", "drop-oldest"),
    ];
    assert!(run_child("init_from_env", &variables).contains("flushed"));
    assert_eq!(server.messages(), ["a warning"]);
    // RFC 7617, section 2.
    assert_eq!(server.requests()[0].header("authorization"), ["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]);
}

#[test]
fn a_token_is_sent() {
    let server = Server::start();
    let url = server.url();
    assert!(run_child("init_from_env", &[("LOGPOST_URL", &url), ("LOGPOST_TOKEN", "s3cret")]).contains("flushed"));
    assert_eq!(server.requests()[0].header("authorization"), ["Bearer s3cret"]);
}

#[test]
fn a_wrong_value_is_an_error_that_names_the_variable_and_shows_no_secret() {
    let url = ("LOGPOST_URL", "http://127.0.0.1:9/log");
    for (variables, named) in [
        (vec![("LOGPOST_URL", "127.0.0.1:9020")], "LOGPOST_URL"),
        (vec![url, ("LOGPOST_LEVEL", "loud")], "LOGPOST_LEVEL"),
        (vec![url, ("LOGPOST_OVERFLOW", "block")], "LOGPOST_OVERFLOW"),
        (vec![url, ("LOGPOST_PASSWORD", "hunter2")], "LOGPOST_PASSWORD"),
        (vec![url, ("LOGPOST_TOKEN", "hunter2\r\n")], "LOGPOST_TOKEN"),
    ] {
        let said = run_child("init_from_env", &variables);
        assert!(said.contains(&format!("error in Some({named:?}): {named}: ")), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[cfg(feature = "env-filter")]
#[test]
fn rust_log_filters() {
    for told in ["init_from_env", "filter_env"] {
        let server = Server::start();
        let url = server.url();
        let said = run_child(told, &[("LOGPOST_URL", &url), ("RUST_LOG", "warn,my_app=debug")]);
        assert!(said.contains("flushed"), "{said}");
        assert_eq!(server.messages(), ["a warning", "a detail"]);

        let said = run_child(told, &[("LOGPOST_URL", &url), ("RUST_LOG", "my_app=loud")]);
        let setting = if told == "filter_env" { "filter_env" } else { "RUST_LOG" };
        assert!(said.contains(&format!("error in Some({setting:?}): ")), "{said}");
        assert!(said.contains(r#"RUST_LOG: "my_app=loud""#), "{said}");
    }
}

#[cfg(feature = "env-filter")]
#[test]
fn filter_env_leaves_the_level_where_the_variable_is_unset_or_empty() {
    for variable in [None, Some(("RUST_LOG", ""))] {
        let server = Server::start();
        let url = server.url();
        let variables: Vec<_> = [("LOGPOST_URL", url.as_str())].into_iter().chain(variable).collect();
        assert!(run_child("filter_env", &variables).contains("flushed"));
        assert_eq!(server.messages(), ["a warning"]);
    }
}
