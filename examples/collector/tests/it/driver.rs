//! Chromium, driven by chromedriver: the requests of `WebDriver` that the tests need.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use logpost_test_support::{LONG, have};
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::Agent;

/// How the key of an element is called in `WebDriver`.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with a window, which ends with the test.
pub(crate) struct Browser {
    driver: Child,
    agent: Agent,
    /// The URL of the session.
    session: String,
    profile: TempDir,
}

impl Browser {
    /// `None`, said on stderr, where the machine has no browser; that fails where CI is set.
    pub(crate) fn start() -> Option<Self> {
        // Both are asked for, so that both are told of.
        let found = [have("chromium", "--version"), have("chromedriver", "--version")];
        found.iter().all(|found| *found).then(Self::started)
    }

    fn started() -> Self {
        let profile = TempDir::new().unwrap();
        // Times are shown as those of the place where the browser is.
        let mut driver =
            Command::new("chromedriver").arg("--port=0").env("TZ", "UTC").stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port =
            lines.by_ref().find_map(|line| Some(line.ok()?.split_once("started successfully on port ")?.1.to_owned()));
        let port = port.expect("chromedriver says where it listens");
        // It is not to wait for a reader.
        thread::spawn(move || lines.for_each(drop));
        let agent =
            Agent::config_builder().http_status_as_error(false).proxy(None).timeout_global(Some(LONG)).build().into();
        let root = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
        let mut browser = Self { driver, agent, session: root, profile };
        let arguments = json!([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--no-proxy-server",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--force-device-scale-factor=1",
            format!("--user-data-dir={}", browser.profile.path().display()),
        ]);
        let options = json!({ "args": arguments });
        let log = json!({ "browser": "ALL" });
        let wanted = json!({ "goog:chromeOptions": options, "goog:loggingPrefs": log });
        let session = browser.command("/session", &json!({ "capabilities": { "alwaysMatch": wanted } }));
        browser.session = format!("{}/session/{}", browser.session, session["sessionId"].as_str().unwrap());
        browser
    }

    pub(crate) fn open(&self, url: &str) {
        self.command("/url", &json!({ "url": url }));
    }

    /// How large the page is, and whether it is dark.
    pub(crate) fn look(&self, width: u32, height: u32, dark: bool) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
        let scheme = json!({ "name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" } });
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": [scheme] }));
    }

    pub(crate) fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.command("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// The value of an expression of `JavaScript`.
    pub(crate) fn eval(&self, expression: &str) -> Value {
        self.command("/execute/sync", &json!({ "script": format!("return ({expression});"), "args": [] }))
    }

    pub(crate) fn text(&self, selector: &str) -> String {
        let text = self.eval(&format!("document.querySelector({}).innerText", json!(selector)));
        text.as_str().unwrap().trim().to_owned()
    }

    /// Looks again and again until an expression is true.
    pub(crate) fn wait_for(&self, what: &str, expression: &str) {
        let since = Instant::now();
        while self.eval(&format!("Boolean({expression})")) != true {
            assert!(
                since.elapsed() < LONG,
                "waited in vain until {what}; console: {:?}; page:\n{:.600}",
                self.console(),
                self.text("body")
            );
            thread::park_timeout(Duration::from_millis(20));
        }
    }

    pub(crate) fn click(&self, selector: &str) {
        let element = self.command("/element", &json!({ "using": "css selector", "value": selector }));
        self.command(&format!("/element/{}/click", element[ELEMENT].as_str().unwrap()), &json!({}));
    }

    /// Types into what has the focus. `\u{e00c}` is Escape, `\u{e007}` Enter.
    pub(crate) fn press(&self, keys: &str) {
        let down_and_up =
            |key: char| [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })];
        let actions: Vec<_> = keys.chars().flat_map(down_and_up).collect();
        self.command("/actions", &json!({ "actions": [{ "type": "key", "id": "keys", "actions": actions }] }));
    }

    /// Drags the mouse along a line; in pixels of the page.
    pub(crate) fn drag(&self, from: (u32, u32), to: (u32, u32)) {
        let to_point = |(x, y)| json!({ "type": "pointerMove", "duration": 0, "x": x, "y": y });
        let middle = (u32::midpoint(from.0, to.0), u32::midpoint(from.1, to.1));
        let button = |kind: &str| json!({ "type": kind, "button": 0 });
        let actions = [to_point(from), button("pointerDown"), to_point(middle), to_point(to), button("pointerUp")];
        self.command("/actions", &json!({ "actions": [{ "type": "pointer", "id": "mouse", "actions": actions }] }));
    }

    /// A PNG.
    pub(crate) fn screenshot(&self) -> Vec<u8> {
        use base64::Engine as _;
        let shot = self.devtools("Page.captureScreenshot", &json!({ "format": "png", "optimizeForSpeed": false }));
        base64::prelude::BASE64_STANDARD.decode(shot["data"].as_str().unwrap()).unwrap()
    }

    /// What the console has said since the last time.
    pub(crate) fn console(&self) -> Vec<String> {
        let entries = self.command("/se/log", &json!({ "type": "browser" }));
        entries.as_array().unwrap().iter().map(Value::to_string).collect()
    }

    fn command(&self, path: &str, parameters: &Value) -> Value {
        let request = self.agent.post(format!("{}{path}", self.session)).header("Content-Type", "application/json");
        let mut response = request.send(parameters.to_string()).unwrap();
        let limit = 16 * 1024 * 1024;
        let text = response.body_mut().with_config().limit(limit).read_to_string().unwrap();
        assert_eq!(response.status(), 200, "{path} {parameters}: {text}");
        let mut answer: Value = serde_json::from_str(&text).unwrap();
        answer["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Closes the browser too; the process alone would leave it behind.
        drop(self.agent.delete(&self.session).call());
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}
