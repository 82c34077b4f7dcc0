//! env_logger, which formats and writes on the caller's thread.

use env_logger::{Builder, Target};
use log::LevelFilter;

use super::{Running, Setup};

pub(super) fn start(setup: &Setup) -> Running {
    Builder::new().filter_level(LevelFilter::Info).target(Target::Pipe(Box::new(setup.sink.clone()))).init();
    Running::new(&setup.sink, (), |()| {})
}
