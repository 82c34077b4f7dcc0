//! ftlog, unbounded.

use log::LevelFilter;

use super::{Running, Setup};

pub(super) fn start(setup: &Setup) -> Running {
    let builder = ftlog::builder().max_log_level(LevelFilter::Info).utc().unbounded().root(setup.sink.clone());
    let guard = builder.try_init().expect("the first logger");
    Running::new(&setup.sink, guard, |_| log::logger().flush())
}
