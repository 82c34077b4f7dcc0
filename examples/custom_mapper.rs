//! Dictionaries of one's own: in the forms that Pushover and Telegram publish, and one that adds to the default.
//!
//! ```text
//! cargo run --example custom_mapper --features testing
//! ```

use std::error::Error;
use std::time::{Duration, SystemTime};

use log::{Level, LevelFilter};
use logpost::testing::{FormData, Server};
use logpost::{Fields, HttpHandler, LogRecord, Pipeline, Retry, map_log_record};

/// POST <https://api.pushover.net/1/messages.json>, as in <https://pushover.net/api>; `token` and `user` are static.
fn pushover(record: &LogRecord, fields: &mut Fields) {
    let title = format!("{} in {}", record.level(), record.target());
    let since_1970 = record.created().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let is_emergency = record.key_values().any(|(key, value)| key == "wake_up" && value.as_str() == Some("true"));
    let priority = match record.level() {
        _ if is_emergency => 2,
        Level::Error => 1,
        Level::Warn => 0,
        Level::Info => -1,
        Level::Debug | Level::Trace => -2,
    };
    fields
        .push("title", at_most(250, &title))
        .push("message", at_most(1024, &text_of(record)))
        .push("timestamp", since_1970.as_secs())
        .push("priority", priority);
    if is_emergency {
        // Shown again until somebody confirms it: in seconds, how often (30 and above) and how long (up to 10800).
        fields.push("retry", 60).push("expire", 3600);
    }
}

/// POST `https://api.telegram.org/bot<token>/sendMessage`, as in <https://core.telegram.org/bots/api#sendmessage>;
/// `chat_id` and `parse_mode` are static.
fn telegram(record: &LogRecord, fields: &mut Fields) {
    // The limit is for what is shown, so the HTML is made afterwards: <https://core.telegram.org/bots/api#html-style>.
    let text = format!("{} {}\n{}", record.level(), record.target(), text_of(record));
    let (level, rest) = at_most(4096, &text).split_at(record.level().as_str().len());
    let rest = rest.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    fields.push("text", &format!("<b>{level}</b>{rest}")).push("disable_notification", record.level() > Level::Error);
}

/// Adds to the default.
fn with_length(record: &LogRecord, fields: &mut Fields) {
    map_log_record(record, fields);
    fields.push("length", record.message().len());
}

/// The message, and a line for each key-value.
fn text_of(record: &LogRecord) -> String {
    record.key_values().fold(record.message().to_owned(), |text, (key, value)| format!("{text}\n{key}={value}"))
}

/// A service refuses what is too long, and a log message may be of any length.
fn at_most(characters: usize, text: &str) -> &str {
    text.char_indices().nth(characters).map_or(text, |(end, _)| &text[..end])
}

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::start()?; // in place of all three
    let to_pushover = HttpHandler::builder(format!("{}/1/messages.json", server.url()))
        .map_log_record(pushover)
        .field("token", "APP_TOKEN") // behind what the mapper pushes
        .field("user", "USER_KEY")
        .build()?;
    let to_telegram = HttpHandler::builder(format!("{}/bot123456:ABC-DEF1234/sendMessage", server.url()))
        .map_log_record(telegram)
        .field("chat_id", "@shop_operations")
        .field("parse_mode", "HTML")
        .build()?;
    let to_collector = HttpHandler::builder(format!("{}/log", server.url())).map_log_record(with_length).build()?;

    // News of an hour ago wakes nobody; and Pushover blocks clients that go on when their quota is used up (429).
    let notifications = Retry::default().first_delay(Duration::from_secs(10)).max_age(Duration::from_secs(3600));
    let guard = logpost::builder()
        .handler(Pipeline::new(to_pushover).level(LevelFilter::Warn).retry(notifications))
        .handler(Pipeline::new(to_telegram).level(LevelFilter::Warn).retry(notifications))
        .handler(to_collector)
        .init()?;

    log::info!(target: "shop", "listening");
    log::warn!(target: "shop::bank", attempt = 2; "no answer");
    log::error!(target: "shop::bank", wake_up = true, user = "zoë"; "<b> & co: payment failed");
    log::error!(target: "shop::db", "{}", "<".repeat(5000));
    guard.flush(Duration::from_secs(10))?;

    let pushover = forms_of(&server, "/1/messages.json");
    assert_eq!(pushover.len(), 3);
    assert_eq!((pushover[0].get("priority"), pushover[0].get("retry")), (Some("0"), None));
    assert_eq!(pushover[0].get("message"), Some("no answer\nattempt=2"));
    assert_eq!((pushover[1].get("priority"), pushover[1].get("retry")), (Some("2"), Some("60")));
    assert_eq!(pushover[2].get("message").map(str::len), Some(1024));

    let telegram = forms_of(&server, "/bot123456:ABC-DEF1234/sendMessage");
    assert_eq!(telegram.len(), 3);
    assert_eq!(telegram[0].get("disable_notification"), Some("true"));
    let text = "<b>ERROR</b> shop::bank\n&lt;b&gt; &amp; co: payment failed\nwake_up=true\nuser=zoë";
    let sent =
        [("text", text), ("disable_notification", "false"), ("chat_id", "@shop_operations"), ("parse_mode", "HTML")];
    assert_eq!(telegram[1], sent);
    let shown = "ERROR shop::db\n".len() + telegram[2].get("text").unwrap_or_default().matches("&lt;").count();
    assert_eq!(shown, 4096);

    let collector = forms_of(&server, "/log");
    let lengths: Vec<_> = collector.iter().filter_map(|form| form.get("length")).collect();
    assert_eq!(lengths, ["9", "9", "24", "5000"]);
    Ok(())
}

/// What arrived at this path; printed, without the ends of long values.
fn forms_of(server: &Server, path: &str) -> Vec<FormData> {
    let requests = server.requests().into_iter().filter(|request| request.path() == path);
    let forms: Vec<_> = requests.flat_map(|request| request.forms().to_vec()).collect();
    for form in &forms {
        println!("POST {path}");
        for (key, value) in form.iter() {
            println!("  {key:20}  {:.60}", value.replace('\n', "\\n"));
        }
    }
    forms
}
