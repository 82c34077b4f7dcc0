//! PHP, by its built-in server, with the settings that it has by itself.

use std::process::Command;

use logpost::{Fields, HttpHandler};
use logpost_test_support::{Port, Program, have};
use serde_json::{Map, Value, json};

use crate::application::{Application, program};
use crate::delivery::{
    as_form, assert_same, deliver, deliver_corpus, form_size, last_values, log_odd_names, odd_names_made_safe,
};

/// `max_input_vars`
const MOST_FIELDS: usize = 1000;
/// `post_max_size`, "8M"
const LARGEST_BODY: usize = 8 * 1024 * 1024;

/// What PHP keeps as it is in a name.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.contains([' ', '.', '[', ']', '\0'])
}

#[test]
fn php_reads_every_form_but_for_names_and_the_thousandth_field() {
    let Some(php) = start() else { return };
    let sent = deliver_corpus(HttpHandler::builder(php.url("/")));
    for fields in sent.all_taken() {
        let request = php.understood();
        let mut found = reported(&request);
        // The rest is cut off. Where it reads a body in parts, it takes one or two more.
        let most = if fields.len() > MOST_FIELDS { found.len() } else { fields.len() };
        assert!(most <= MOST_FIELDS + 2, "{most}");
        let read: Fields = fields.iter().take(most).collect();
        let mut expected = last_values(&as_form(&read));
        expected.retain(|key, _| is_plain(key));
        found.retain(|key, _| fields.get(key).is_some());
        assert_same(&found, &expected);
        // 200 all the same: whoever does not look at the warning does not know of it.
        let warned = request["warning"].as_str().is_some_and(|warning| warning.contains("exceeded 1000"));
        assert_eq!(warned, fields.len() > MOST_FIELDS, "{}", request["warning"]);
    }
    php.assert_no_more();
}

#[test]
fn php_renames_names_that_are_no_variables() {
    let Some(php) = start() else { return };
    let sent = deliver(HttpHandler::builder(php.url("/")), |logger| {
        log::info!(logger: logger, "a.b" = 1, "c d" = 2, "e[f]" = 3, "g[" = 4, " h" = 5, "i.j" = 6, i_j = 7; "x");
    });
    sent.all_taken();
    let found = reported(&php.understood());
    assert_eq!(found["a_b"], json!("1"));
    assert_eq!(found["c_d"], json!("2"));
    assert_eq!(found["e"], json!({"f": "3"}));
    assert_eq!(found["g_"], json!("4"));
    assert_eq!(found["h"], json!("5"));
    // Two have become one.
    assert_eq!(found["i_j"], json!("7"));
}

/// `safe_names`: PHP has nothing left to change.
#[test]
fn php_leaves_safe_names_as_they_are() {
    let Some(php) = start() else { return };
    let sent = deliver(HttpHandler::builder(php.url("/")).safe_names(true), log_odd_names);
    sent.all_taken();
    let found = reported(&php.understood());
    assert_same(&found, &odd_names_made_safe(&sent.dictionaries[0]));
}

/// It answers 200 to a body that it has thrown away: the record counts as delivered.
#[test]
fn php_throws_away_what_is_above_its_limit() {
    let Some(php) = start() else { return };
    let sent = deliver(HttpHandler::builder(php.url("/")), |logger| {
        log::info!(logger: logger, "{}", "x".repeat(LARGEST_BODY));
        log::info!(logger: logger, "short");
    });
    let taken = sent.all_taken();
    assert!(form_size(taken[0]) > LARGEST_BODY);
    let request = php.understood();
    assert_eq!(reported(&request), Map::new());
    assert!(request["warning"].as_str().unwrap().contains("exceeds the limit of 8388608 bytes"), "{request}");
    assert_eq!(reported(&php.understood())["msg"], "short");
}

/// By what docs/servers.md advises.
#[test]
fn php_can_be_told_to_refuse_what_it_has_not_read() {
    let Some(php) = start() else { return };
    let handler = HttpHandler::builder(php.url("/strict"));
    let sent = deliver_corpus(handler);
    let taken = sent.taken("413", |fields| fields.len() > MOST_FIELDS);
    assert_eq!(taken.len(), sent.dictionaries.len() - 1);
    let sent = deliver(HttpHandler::builder(php.url("/strict")), |logger| {
        log::info!(logger: logger, "{}", "x".repeat(LARGEST_BODY));
    });
    sent.taken("413", |_| true);
}

fn start() -> Option<Application> {
    if !have("php", "--version") {
        return None;
    }
    let port = Port::reserve_for_program();
    let address = port.address();
    let mut command = Command::new("php");
    // As in `php.ini-production`: or else a warning is the beginning of the answer, and 200 its status.
    command.arg("-n").args(["-d", "display_errors=0"]).arg("-S").arg(address.to_string()).arg(program("form.php"));
    let mut php = Program::start(&mut command);
    php.wait_for(address);
    Some(Application::at(php, address.to_string()))
}

fn reported(request: &Value) -> Map<String, Value> {
    request["form"].as_object().unwrap().clone()
}
