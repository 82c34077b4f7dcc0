//! The page, in a real browser.

use std::path::Path;
use std::time::Duration;

use logpost::{Batch, FormLines, Guard, HttpHandler, Logger};
use logpost_collector::Settings;
use logpost_test_support::LONG;
use serde_json::{Value, json};

use crate::corpus::{self, PAYLOADS};
use crate::driver::Browser;
use crate::scene;
use crate::support::Running;

const ESCAPE: &str = "\u{e00c}";
const ENTER: &str = "\u{e007}";

/// A page that is open and live, wide and light.
fn open(collector: &Running) -> Option<Browser> {
    let browser = Browser::start()?;
    browser.look(1280, 800, false);
    browser.open(&collector.url);
    browser.wait_for("the page is live", "document.querySelector('#connection').innerText === 'live'");
    Some(browser)
}

fn logger(collector: &Running) -> (Logger, Guard) {
    let handler = HttpHandler::builder(collector.endpoint())
        .encoding(FormLines)
        .batch(Batch::default().linger(Duration::from_millis(20)));
    logpost::builder().level(log::LevelFilter::Trace).handler(handler.build().unwrap()).build().unwrap()
}

/// How many records the page says that it shows.
fn shown(count: &str) -> String {
    format!("document.querySelector('#matches').innerText.startsWith('{count} shown')")
}

/// That the first line has this in it.
fn first_row(text: &str) -> String {
    format!("document.querySelector('.row')?.innerText.includes({})", json!(text))
}

/// Replaces what stands in an input.
fn fill(browser: &Browser, input: &str, text: &str) {
    browser.press(ESCAPE);
    browser.eval(&format!("(document.activeElement.blur(), document.querySelector('#{input}').select())"));
    browser.press(if text.is_empty() { "\u{e017}" } else { text });
}

fn no_complaints(browser: &Browser) {
    assert_eq!(browser.console(), [""; 0], "the console is not empty");
}

#[test]
fn records_arrive_are_filtered_opened_and_paused() {
    let collector = Running::start();
    let Some(browser) = open(&collector) else { return };
    browser.wait_for("the page says that there is nothing", "!document.querySelector('#empty').hidden");
    assert!(browser.text("#empty").contains(&format!("logpost::init(\"{}/log\")", collector.url)));

    let (logger, guard) = logger(&collector);
    for order in 0..30 {
        log::info!(logger: logger, target: "shop::orders", order, path = "/orders"; "order {order} accepted");
        log::debug!(logger: logger, target: "shop::db", rows = 3; "SELECT 1");
    }
    log::error!(logger: logger, target: "shop::bank", order = 17, text = "a b"; "payment failed\nat once");
    guard.flush(LONG).unwrap();
    browser.wait_for("61 records are there", &shown("61"));
    browser.wait_for("the newest is first", &first_row("payment failed↵at once"));
    assert_eq!(browser.text("#kept"), "61");
    assert_eq!(browser.text("#senders"), "1");

    for (input, text, count, first) in [
        ("text", "ORDER 2", "11", "order 29 accepted"),
        ("text", "", "61", "payment failed"),
        ("target", "bank", "1", "payment failed"),
        ("target", "", "61", "payment failed"),
        ("fields", "order=17", "2", "payment failed"),
        ("fields", "order=17 path~ORD", "1", "order 17 accepted"),
        ("fields", "text=\"a b\"", "1", "payment failed"),
        ("fields", "nothing", "0", ""),
        ("fields", "", "61", "payment failed"),
    ] {
        fill(&browser, input, text);
        browser.wait_for(&format!("{input} {text} has been looked for"), &shown(count));
        if !first.is_empty() {
            browser.wait_for(&format!("{first} is first"), &first_row(first));
        }
    }
    fill(&browser, "fields", "=x");
    browser.wait_for("the mistake is told", "document.querySelector('#problem').innerText === 'no key before =x'");
    let complaints = browser.console();
    assert!(complaints.iter().all(|line| line.contains("status of 400")), "{complaints:?}");
    fill(&browser, "fields", "");
    browser.wait_for("all are there again", &shown("61"));
    browser.click(".level[data-level='3']");
    browser.wait_for("information is hidden", &shown("31"));
    browser.click("#clear");
    browser.wait_for("nothing is hidden", &shown("61"));

    browser.wait_for("the newest is first", &first_row("payment failed"));
    browser.click(".row");
    browser.wait_for("it is open", "!document.querySelector('#detail').hidden");
    let opened = browser.text("#contents");
    for part in
        ["payment failed\nat once", "text\na b", "order\n17", "name\nshop::bank", "levelname\nERROR", "process\n"]
    {
        assert!(opened.contains(part), "{part} is not in {opened}");
    }
    // Its key-values, and all of the dictionary but the message, which stands above.
    assert_eq!(browser.eval("document.querySelectorAll('#contents dt').length"), 2 + 14, "{opened}");
    browser.click("#contents dl button");
    browser.wait_for("its field is the filter", &shown("2"));
    browser.press("c");
    browser.wait_for("nothing is hidden", &shown("61"));

    browser.press("p");
    browser.wait_for("it pauses", "document.querySelector('#pause').getAttribute('aria-pressed') === 'true'");
    log::warn!(logger: logger, "while it pauses");
    guard.flush(LONG).unwrap();
    browser.wait_for("it is told of", "document.querySelector('#pause').innerText === 'Resume, 1 new'");
    assert_eq!(browser.eval(&shown("61")), true);
    browser.press("p");
    browser.wait_for("it is there", &shown("62"));
    browser.wait_for("it is first", &first_row("while it pauses"));
    browser.press("o");
    browser.wait_for(
        "the oldest is first",
        "document.querySelector('#record-62')?.getAttribute('aria-posinset') === '62'",
    );
    let behind = "(list => list.scrollHeight - list.scrollTop - list.clientHeight)(document.querySelector('#list'))";
    assert!(browser.eval(behind).as_f64().unwrap() < 2.0, "the newest is not seen");
    no_complaints(&browser);
}

#[test]
fn dragging_over_the_chart_shows_that_time() {
    let collector = Running::start();
    let Some(browser) = open(&collector) else { return };
    // A record a second, and at second 30 a hundred errors.
    let record =
        |second: u32, level| json!({ "msg": "x", "created": 1_795_424_400 + second, "levelno": level }).to_string();
    let lines = (0..60).map(|second| record(second, 20)).chain((0..100).map(|_| record(30, 40)));
    let body = lines.collect::<Vec<_>>().join("\n");
    assert_eq!(collector.post_as("application/x-ndjson", &body).0, 204);
    browser.wait_for("all are there", &shown("160"));
    assert_eq!(browser.eval("document.querySelectorAll('#bars path').length"), 5);
    let bars = browser.eval("(({ left, top, width, height }) => [left, top, width, height])(document.querySelector('#bars').getBoundingClientRect())");
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "pixels")]
    let [left, top, width, height] = [0, 1, 2, 3].map(|side| bars[side].as_f64().unwrap() as u32);
    let point = |share: u32| (left + width * share / 60, top + height / 3);
    browser.drag(point(29), point(32));
    browser.wait_for("a part is shown", "!document.querySelector('#range').hidden");
    browser.wait_for("it has the errors", "document.querySelector('.level[data-level=\"1\"] b').innerText === '100'");
    let others = browser.text(".level[data-level='3'] b").parse::<u32>().unwrap();
    assert!((2..=6).contains(&others), "{others}");
    assert!(browser.text("#range").starts_with("09:00:2"), "{}", browser.text("#range"));
    browser.press(ESCAPE);
    browser.wait_for("all times are shown", &shown("160"));
    // The same by keys.
    browser.eval("document.querySelector('#bars').focus()");
    browser.press("\u{e014}\u{e014}");
    browser.press(ENTER);
    browser.wait_for("the second bar is shown", "!document.querySelector('#range').hidden");
    browser.click("#range");
    browser.wait_for("all times are shown", &shown("160"));
    no_complaints(&browser);
}

#[test]
fn nothing_of_a_record_becomes_markup_or_script() {
    let collector = Running::start();
    let Some(browser) = open(&collector) else { return };
    let cases = corpus::cases();
    corpus::log_all(&collector, &cases, FormLines);
    browser.wait_for("all are there", &shown(&cases.len().to_string()));
    // Each is seen and opened; the payloads are what came last.
    for place in 0..cases.len() {
        browser.press("j");
        let id = cases.len() - place;
        let opened = format!("document.querySelector('#record-{id}:not(.waiting)[aria-selected=\"true\"]')");
        browser.wait_for(&format!("record {id} is there"), &opened);
        if place == 0 {
            browser.press(ENTER);
        }
        let message = json!(cases[id - 1].message.chars().take(2000).collect::<String>());
        let seen = format!("document.querySelector('#contents > pre')?.textContent.startsWith({message})");
        browser.wait_for(&format!("record {id} is open"), &seen);
    }
    for payload in PAYLOADS {
        let holders = PAYLOADS.iter().filter(|other| other.contains(payload)).count();
        browser.eval(&format!("document.querySelector('#text').value = {}", json!(payload)));
        browser.eval("document.querySelector('#text').dispatchEvent(new Event('input'))");
        browser.wait_for(&format!("{payload} is found"), &shown(&holders.to_string()));
    }
    assert_eq!(browser.eval("typeof window.pwned"), "undefined");
    assert_eq!(browser.eval("[document.scripts.length, document.styleSheets.length]"), json!([1, 1]));
    let foreign =
        "img,iframe,a,math,object,embed,form form,[onerror],[onload],[onmouseover],#rows svg,#contents svg,#rows style";
    assert_eq!(browser.eval(&format!("document.querySelectorAll('{foreign}').length")), 0);
    let names =
        browser.eval("[...new Set([...document.querySelectorAll('#rows *')].map(part => part.localName))].sort()");
    assert_eq!(names, json!(["bdi", "div", "i", "span"]));
    // And what would be a script could not be: the policy stops it.
    assert!(
        browser.eval(
            "(() => { try { document.body.innerHTML = '<b>x</b>'; return 'made' } catch { return 'stopped' } })()"
        ) == "stopped"
    );
    let complaints = browser.console();
    assert!(complaints.iter().all(|line| line.contains("TrustedHTML")), "{complaints:?}");
}

#[test]
fn a_hundred_thousand_records_are_some_rows() {
    const COUNT: usize = 100_000;
    let collector = Running::start();
    let Some(browser) = open(&collector) else { return };
    for hundred in 0..COUNT / 5000 {
        let line = |number| format!("{{\"msg\":\"record {number}\",\"levelno\":{}}}", 10 + number % 4 * 10);
        let body = (hundred * 5000..(hundred + 1) * 5000).map(line).collect::<Vec<_>>().join("\n");
        assert_eq!(collector.post_as("application/x-ndjson", &body).0, 204);
    }
    browser.wait_for("all are there", &shown("100,000"));
    let rows = "document.querySelectorAll('#rows > *').length";
    let few = |rows: Value| assert!((20..100).contains(&rows.as_u64().unwrap()), "{rows} rows are in the document");
    for (top, number) in [("0", COUNT - 1), ("list.scrollHeight / 2", COUNT / 2 - 1), ("list.scrollHeight", 0)] {
        browser.eval(&format!("(list => {{ list.scrollTop = {top} }})(document.querySelector('#list'))"));
        let there =
            format!("[...document.querySelectorAll('.row .what')].some(row => row.innerText === 'record {number}')");
        browser.wait_for(&format!("record {number} is seen"), &there);
        few(browser.eval(rows));
    }
    fill(&browser, "text", "record 99999");
    browser.wait_for("one of them is found", &shown("1"));
    fill(&browser, "text", "");
    browser.wait_for("all are there", &shown("100,000"));
    few(browser.eval(rows));

    // The oldest go as new ones come, and what is looked at stays in its place.
    browser.eval("(list => { list.scrollTop = 26 * 1000 })(document.querySelector('#list'))");
    browser.wait_for("one is seen", &first_row("record 99011"));
    assert_eq!(collector.post_as("application/x-ndjson", &"{\"msg\":\"new\"}\n".repeat(100)).0, 204);
    browser.wait_for("new ones are there", "document.querySelector('#list').scrollTop === 26 * 1100");
    browser.wait_for("the same is seen", &first_row("record 99011"));
    assert_eq!(browser.eval(&shown("100,000")), true);
    no_complaints(&browser);
}

#[test]
fn nothing_is_wider_than_a_narrow_window() {
    let collector = Running::start();
    scene::set(&collector);
    let body =
        json!({ "msg": "x".repeat(500), "name": "y".repeat(500), "k".repeat(500): "z".repeat(500), "levelno": 40 });
    assert_eq!(collector.post_as("application/json", &body.to_string()).0, 204);
    let Some(browser) = open(&collector) else { return };
    browser.wait_for("rows are there", "document.querySelector('.row:not(.waiting)')");
    browser.click(".row");
    browser.wait_for("one is open", "!document.querySelector('#detail').hidden");
    for (width, is_open) in [(320, true), (320, false), (768, false), (2560, false)] {
        browser.look(width, 720, false);
        if !is_open {
            browser.press(ESCAPE);
        }
        browser.wait_for(&format!("the window is {width} wide"), &format!("innerWidth === {width}"));
        let wide = browser.eval("document.documentElement.scrollWidth").as_u64().unwrap();
        assert!(wide <= u64::from(width), "{wide} of {width}");
        // What is cut off with dots is meant to be; nothing else stands out of the window.
        let out = browser.eval(
            "[...document.querySelectorAll('button, input, dd, dt, h1, h2, #list, #bars, #contents')]
                .filter(part => part.getClientRects().length && part.getBoundingClientRect().right > innerWidth + 1)
                .map(part => part.outerHTML.slice(0, 99))",
        );
        assert_eq!(out, json!([]), "at {width}");
        let tall = browser.eval("document.querySelector('#list').clientHeight").as_u64().unwrap();
        assert!(tall > 150, "the list is {tall} high at {width}");
    }
    no_complaints(&browser);
}

/// The parts whose text has less contrast than 4.5 with what is behind it.
const POOR_CONTRAST: &str = r"
(() => {
  const numbers = (color) => {
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (color) => {
    const part = (byte) => (byte / 255 <= 0.04045 ? byte / 255 / 12.92 : ((byte / 255 + 0.055) / 1.055) ** 2.4);
    const [red, green, blue] = numbers(color).map(part);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = (part) => {
    for (let at = part; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (numbers(color)[3] === 255) return color;
    }
  };
  const hasText = (part) => [...part.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  const seen = [...document.querySelectorAll('body *')].filter((part) => part.getClientRects().length && hasText(part));
  const poor = seen.filter((part) => {
    const [one, other] = [light(getComputedStyle(part).color), light(behind(part))];
    return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05) < 4.5;
  });
  return [seen.length, poor.map((part) => part.outerHTML.slice(0, 200))];
})()";

#[test]
fn dark_and_light_can_be_read_and_are_remembered() {
    let collector = Running::start();
    scene::set(&collector);
    let Some(browser) = open(&collector) else { return };
    browser.wait_for("rows are there", "document.querySelector('.row[data-level=\"2\"]:not(.waiting)')");
    browser.click(".row");
    browser.wait_for("one is open", "!document.querySelector('#detail').hidden");
    browser.click(".level[data-level='5']");
    let back = || browser.eval("getComputedStyle(document.body).backgroundColor");
    let (light, legible) = (back(), |theme: &str| {
        let found = browser.eval(POOR_CONTRAST);
        assert!(found[0].as_u64().unwrap() > 100, "{found}");
        assert_eq!(found[1], json!([]), "{theme}");
    });
    legible("light");
    browser.look(1280, 800, true);
    let dark = back();
    assert_ne!(light, dark, "the system's choice counts");
    legible("dark");
    browser.press("d");
    assert_eq!(back(), light, "the user's choice goes before");
    browser.open("about:blank");
    browser.open(&format!("{}/#hide=45&text=order", collector.url));
    browser.wait_for("rows are there", "document.querySelector('.row:not(.waiting)')");
    assert_eq!(back(), light, "it was forgotten");
    assert_eq!(browser.eval("document.querySelector('#text').value"), "order");
    browser
        .wait_for("two levels are hidden", "document.querySelectorAll('.level[aria-pressed=\"false\"]').length === 2");
    no_complaints(&browser);
}

#[test]
fn every_key_of_the_list_of_shortcuts_does_something() {
    let collector = Running::start();
    let all = scene::set(&collector);
    let Some(browser) = open(&collector) else { return };
    browser.wait_for("rows are there", "document.querySelector('.row:not(.waiting)')");
    let top = "document.querySelector('#list').scrollTop";
    let focus = |id: &str| format!("document.activeElement.id === '{id}'");
    let hidden = |level: u32| {
        format!("document.querySelector('.level[data-level=\"{level}\"]').getAttribute('aria-pressed') === 'false'")
    };
    let chosen = |place: u32| {
        format!("document.querySelector('[aria-selected=\"true\"]')?.getAttribute('aria-posinset') === '{place}'")
    };
    let is_open = "!document.querySelector('#detail').hidden".to_owned();
    let steps = [
        ("?", "document.querySelector('#shortcuts').open".to_owned()),
        (ESCAPE, "!document.querySelector('#shortcuts').open".to_owned()),
        ("/", focus("text")),
        (ESCAPE, focus("list")),
        ("t", focus("target")),
        (ESCAPE, focus("list")),
        ("f", focus("fields")),
        (ESCAPE, focus("list")),
        ("1", hidden(1)),
        ("2", hidden(2)),
        ("3", hidden(3)),
        ("4", hidden(4)),
        ("5", hidden(5)),
        ("c", shown(&all)),
        ("p", "document.querySelector('#pause').innerText === 'Resume'".to_owned()),
        ("o", "document.querySelector('#order').innerText === 'Newest last'".to_owned()),
        ("o", "document.querySelector('#order').innerText === 'Newest first'".to_owned()),
        ("d", "document.documentElement.dataset.theme === 'dark'".to_owned()),
        ("G", format!("{top} > 100000")),
        ("g", format!("{top} === 0")),
        ("j", chosen(1)),
        ("j", chosen(2)),
        ("k", chosen(1)),
        ("\u{e015}", chosen(2)),
        ("\u{e013}", chosen(1)),
        (ENTER, is_open.clone()),
        ("j", chosen(2)),
        (ESCAPE, format!("!({is_open})")),
    ];
    let listed = browser.eval("[...document.querySelectorAll('#shortcuts kbd')].map(key => key.textContent)");
    let names = |key: &str| match key {
        ESCAPE => "Esc".to_owned(),
        ENTER => "Enter".to_owned(),
        "\u{e015}" => "↓".to_owned(),
        "\u{e013}" => "↑".to_owned(),
        other => other.to_owned(),
    };
    for key in listed.as_array().unwrap() {
        assert!(steps.iter().any(|(pressed, _)| names(pressed) == *key), "{key} is listed and not tried");
    }
    for (key, outcome) in &steps {
        browser.press(key);
        browser.wait_for(&format!("{} has done its work", names(key)), outcome);
    }
    no_complaints(&browser);
}

#[test]
fn page_finds_the_collector_again() {
    let collector = Running::start();
    assert_eq!(collector.post_as("application/json", r#"{"msg":"before"}"#).0, 204);
    let Some(browser) = open(&collector) else { return };
    browser.wait_for("it is there", &first_row("before"));
    let listen = collector.url.strip_prefix("http://").unwrap().parse().unwrap();
    collector.stop();
    browser.wait_for("the page says so", "document.querySelector('#connection').innerText === 'reconnecting'");
    // With a database of its own: what the page had is not there any more.
    let collector = Running::at(Settings { listen, ..Settings::default() });
    assert_eq!(collector.post_as("application/json", r#"{"msg":"after"}"#).0, 204);
    browser.wait_for("the page is live", "document.querySelector('#connection').innerText === 'live'");
    browser.wait_for("the new one is there", &first_row("after"));
    assert_eq!(browser.eval(&shown("1")), true);
}

/// With `UPDATE_SCREENSHOTS` set, those of the README are replaced.
#[test]
fn screenshots_of_the_readme() {
    let collector = Running::start();
    let all = scene::set(&collector);
    let Some(browser) = open(&collector) else { return };
    let update = std::env::var_os("UPDATE_SCREENSHOTS").is_some();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = if update { here } else { Path::new(env!("CARGO_TARGET_TMPDIR")) };
    browser.wait_for("all are there", &shown(&all));
    browser.click(".row[data-level='1']");
    browser.wait_for("one is open", "!document.querySelector('#detail').hidden");
    browser.wait_for("they are seen", "!document.querySelector('.row.waiting')");
    browser.wait_for("nothing arrives", "document.querySelector('#rate').innerText === '0'");
    browser.eval("document.activeElement.blur()");
    for (name, dark) in [("screenshot-light.png", false), ("screenshot-dark.png", true)] {
        browser.look(1180, 660, dark);
        browser.wait_for("all is drawn", "innerWidth === 1180 && !document.querySelector('.row.waiting')");
        let shot = browser.screenshot();
        assert!((20_000..200_000).contains(&shot.len()), "{name} has {} bytes", shot.len());
        std::fs::write(folder.join(name), shot).unwrap();
    }
}
