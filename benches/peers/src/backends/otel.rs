//! OpenTelemetry's bridge from log, and its batch processor.

use log::LevelFilter;
use opentelemetry_appender_log::OpenTelemetryLogBridge;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{BatchConfigBuilder, BatchLogProcessor, LogBatch, LogExporter, SdkLoggerProvider};

use super::{CAPACITY, Running, Setup, Sink};

#[derive(Debug)]
struct Discard(Sink);

impl LogExporter for Discard {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        self.0.add(batch.iter().count());
        Ok(())
    }
}

pub(super) fn start(setup: &Setup) -> Running {
    let provider = install(Discard(setup.sink.clone()), CAPACITY);
    Running::new(&setup.sink, provider, |provider| drop(provider.force_flush()))
}

/// Batches of 512, the default, from a queue with more room than its default of 2048.
pub(crate) fn install(exporter: impl LogExporter + 'static, capacity: usize) -> SdkLoggerProvider {
    let config = BatchConfigBuilder::default().with_max_queue_size(capacity).build();
    let processor = BatchLogProcessor::builder(exporter).with_batch_config(config).build();
    let provider = SdkLoggerProvider::builder().with_log_processor(processor).build();
    log::set_boxed_logger(Box::new(OpenTelemetryLogBridge::new(&provider))).expect("the first logger");
    log::set_max_level(LevelFilter::Info);
    provider
}
