//! `HTTPHandlerTest`.

use log::{Level, Log as _, Record};
use logpost::{HttpHandler, HttpHandlerBuilder, Method};
#[cfg(any(feature = "rustls", feature = "native-tls"))]
use logpost_test_support::Authority;
use logpost_test_support::{LONG, Server};

const MESSAGE: &str = "sp\u{e4}m";

/// http and https, GET and POST, with credentials. Besides what Python's asserts: the credentials themselves.
#[test]
fn test_output() {
    let server = Server::start();
    for method in [Method::Get, Method::Post] {
        output(&server, method, HttpHandler::builder);
    }
    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    for &provider in crate::tls::PROVIDERS {
        let authority = Authority::new();
        let server = Server::builder().tls(authority.server()).start();
        for method in [Method::Get, Method::Post] {
            output(&server, method, |url| crate::tls::trusting(provider, &authority, url));
        }
    }
}

fn output(server: &Server, method: Method, builder: impl FnOnce(String) -> HttpHandlerBuilder) {
    let url = server.url().replace("/log", "/frob");
    let handler = builder(url).credentials("foo", "bar").method(method).build().unwrap();
    let (logger, guard) = logpost::builder().handler(handler).build().unwrap();
    let record = &mut Record::builder();
    record.level(Level::Error).target("http").module_path(Some(module_path!()));
    logger.log(&record.args(format_args!("{MESSAGE}")).build());
    guard.flush(LONG).unwrap();

    let request = server.requests().pop().unwrap();
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    assert_eq!(path, "/frob");
    match method {
        Method::Get => assert_eq!((&*request.method, query.is_empty(), request.body.len()), ("GET", false, 0)),
        _ => assert_eq!((&*request.method, query, request.body.is_empty()), ("POST", "", false)),
    }
    assert_eq!(request.header("Authorization"), ["Basic Zm9vOmJhcg=="]);
    let form = request.form();
    let values =
        |key: &str| form.iter().filter(|(found, _)| found == key).map(|(_, value)| &**value).collect::<Vec<_>>();
    assert_eq!((values("name"), values("msg")), (vec!["http"], vec![MESSAGE]));
    // `log` knows no function's name: where Python has funcName=test_output, ours has the module.
    assert_eq!((values("module"), values("funcName")), (vec![module_path!()], vec![]));
}
