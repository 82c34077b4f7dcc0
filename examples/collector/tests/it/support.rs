//! A collector of one's own, and requests to it.

use std::sync::LazyLock;

use logpost_collector::{Collector, Settings};
use serde_json::Value;
use tokio::runtime::Runtime;
use ureq::Agent;
use ureq::http::Response;

/// Statuses are answers, and no proxy of the machine's is asked.
static AGENT: LazyLock<Agent> =
    LazyLock::new(|| Agent::config_builder().http_status_as_error(false).proxy(None).build().into());

/// A collector at a free port that ends with the test.
pub(crate) struct Running {
    collector: Option<Collector>,
    runtime: Runtime,
    pub(crate) url: String,
}

impl Running {
    pub(crate) fn start() -> Self {
        Self::with(Settings::default())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        Self::at(Settings { listen: "127.0.0.1:0".parse().unwrap(), ..settings })
    }

    pub(crate) fn at(settings: Settings) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let collector = runtime.block_on(Collector::start(settings)).unwrap();
        Self { url: collector.url(), collector: Some(collector), runtime }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("{}/log", self.url)
    }

    /// Status and text of the answer.
    pub(crate) fn post(&self, headers: &[(&str, &str)], body: &[u8]) -> (u16, String) {
        answer(self.posted(headers, body))
    }

    pub(crate) fn posted(&self, headers: &[(&str, &str)], body: &[u8]) -> Response<ureq::Body> {
        let mut request = AGENT.post(self.endpoint());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send(body).unwrap()
    }

    pub(crate) fn post_as(&self, content_type: &str, body: &str) -> (u16, String) {
        self.post(&[("Content-Type", content_type)], body.as_bytes())
    }

    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        answer(self.response(path, headers))
    }

    pub(crate) fn response(&self, path: &str, headers: &[(&str, &str)]) -> Response<ureq::Body> {
        let mut request = AGENT.get(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.call().unwrap()
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        let (status, text) = self.get(path, &[]);
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// How many records match a query like `text=x&fields=a%3Db`.
    pub(crate) fn count(&self, query: &str) -> usize {
        self.json(&format!("/api/search?{query}"))["ids"].as_array().unwrap().len()
    }

    pub(crate) fn record(&self, id: usize) -> Value {
        self.json(&format!("/api/records/{id}"))
    }

    pub(crate) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(collector) = self.collector.take() {
            self.runtime.block_on(collector.stop()).unwrap();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

fn answer(mut response: Response<ureq::Body>) -> (u16, String) {
    (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
}

/// The fields of a record: keys, and values as JSON.
pub(crate) fn fields(record: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    record["fields"].as_array().unwrap().iter().map(|field| (text(&field["key"]), text(&field["json"]))).collect()
}

/// The field of a record, the first of that key, as it is read: a text without quotation marks.
pub(crate) fn field(record: &Value, key: &str) -> String {
    let json = fields(record).into_iter().find(|(found, _)| found == key).map(|(_, json)| json);
    read(&json.unwrap_or_else(|| panic!("no {key} in {record}")))
}

/// A value as it is read: a text without quotation marks, or other JSON.
pub(crate) fn read(json: &str) -> String {
    serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_owned())
}
