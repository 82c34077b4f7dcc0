//! OpenTelemetry: the bridge from log, the batch processor, OTLP over HTTP with protobuf.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry_otlp::{Protocol, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, LogExporter};

use super::{log_all, measure};
use crate::backends::otel::install;
use crate::process::report;

pub(super) fn send(url: &str, records: usize) {
    let exporter = opentelemetry_otlp::LogExporter::builder().with_http().with_protocol(Protocol::HttpBinary);
    let exporter = exporter.with_endpoint(url).build().expect("an exporter");
    let delivered = Arc::new(AtomicU64::new(0));
    let provider = install(Acknowledged { exporter, delivered: Arc::clone(&delivered) }, records);
    measure(records, || log_all(records), || provider.force_flush().expect("the server takes all"));
    report("delivered", delivered.load(Ordering::SeqCst) as f64);
}

/// Counts the records of the batches that were taken.
#[derive(Debug)]
struct Acknowledged {
    exporter: opentelemetry_otlp::LogExporter,
    delivered: Arc<AtomicU64>,
}

impl LogExporter for Acknowledged {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let records = batch.iter().count() as u64;
        self.exporter.export(batch).await?;
        self.delivered.fetch_add(records, Ordering::SeqCst);
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
