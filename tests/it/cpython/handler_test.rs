//! `HandlerTest`, as far as it is about the three classes.

use logpost::{HttpHandler, Method};

/// GET and POST make a handler. PUT, Python's `ValueError`, is no [`Method`] and does not compile; what is still a value,
/// and wrong, is an error that names the setting.
#[test]
fn test_builtin_handlers() {
    for method in [Method::Get, Method::Post] {
        HttpHandler::builder("http://localhost/log").method(method).build().unwrap();
    }
    for (url, named) in [("localhost", "localhost"), ("ftp://localhost/log", "ftp"), ("", "")] {
        let error = HttpHandler::builder(url).build().unwrap_err();
        assert_eq!(error.setting(), Some("url"), "{error}");
        assert!(error.to_string().contains(named), "{error}");
    }
}
