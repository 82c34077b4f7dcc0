//! spdlog-rs with its thread pool, reached through log; a pool with more room than its default of 8192.

use std::num::NonZeroUsize;
use std::sync::Arc;

use log::LevelFilter;
use spdlog::sink::{AsyncPoolSink, WriteSink};
use spdlog::{Logger, ThreadPool};

use super::{CAPACITY, Running, Setup};

pub(super) fn start(setup: &Setup) -> Running {
    let capacity = NonZeroUsize::new(CAPACITY).expect("not zero");
    let pool = Arc::new(ThreadPool::builder().capacity(capacity).build().expect("a pool"));
    let write = WriteSink::builder().target(setup.sink.clone()).build_arc().expect("a sink");
    let sink = AsyncPoolSink::builder().sink(write).thread_pool(pool).build_arc().expect("a sink");
    let logger = Logger::builder().sink(sink).build_arc().expect("a logger");
    spdlog::init_log_crate_proxy().expect("the first logger");
    spdlog::log_crate_proxy().set_logger(Some(Arc::clone(&logger)));
    log::set_max_level(LevelFilter::Info);
    Running::new(&setup.sink, logger, |logger| logger.flush())
}
