//! fast_log: its channel is unbounded by default.

use fast_log::Config;
use fast_log::appender::{Command, FastLogRecord, LogAppender};
use log::LevelFilter;

use super::{Running, Setup, Sink};

struct Discard(Sink);

impl LogAppender for Discard {
    fn do_logs(&mut self, records: &[FastLogRecord]) {
        self.0.add(records.iter().filter(|record| matches!(record.command, Command::CommandRecord)).count());
    }
}

pub(super) fn start(setup: &Setup) -> Running {
    let config = Config::new().level(LevelFilter::Info).custom(Discard(setup.sink.clone()));
    fast_log::init(config).expect("the first logger");
    Running::new(&setup.sink, (), |()| log::logger().flush())
}
