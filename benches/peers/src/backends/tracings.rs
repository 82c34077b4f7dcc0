//! tracing-subscriber's formatter into tracing-appender's non-blocking writer (128,000 lines by default).

use tracing::Level;

use super::{Call, Running, Setup};

pub(super) fn native(setup: &Setup) -> Running {
    Running { call: Call::Tracing, ..through_log(setup) }
}

pub(super) fn through_log(setup: &Setup) -> Running {
    let (writer, guard) = tracing_appender::non_blocking(setup.sink.clone());
    // This installs tracing-log's logger, too.
    tracing_subscriber::fmt().with_max_level(Level::INFO).with_ansi(false).with_writer(writer).init();
    log::set_max_level(log::LevelFilter::Info);
    Running::new(&setup.sink, guard, |_| {})
}
