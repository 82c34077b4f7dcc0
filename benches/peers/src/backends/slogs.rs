//! slog-async, reached through slog-stdlog; a channel that is large and blocks, where its default of 128 drops.

use slog::{Drain, Logger, Never, OwnedKVList, Record, o};
use slog_async::{Async, OverflowStrategy};

use super::{CAPACITY, Running, Setup, Sink};

struct Discard(Sink);

impl Drain for Discard {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, _: &OwnedKVList) -> Result<(), Never> {
        drop(record.msg().to_string());
        self.0.add(1);
        Ok(())
    }
}

pub(super) fn start(setup: &Setup) -> Running {
    let builder =
        Async::new(Discard(setup.sink.clone())).chan_size(CAPACITY).overflow_strategy(OverflowStrategy::Block);
    let (drain, guard) = builder.build_with_guard();
    let scope = slog_scope::set_global_logger(Logger::root(drain.fuse(), o!()));
    slog_stdlog::init_with_level(log::Level::Info).expect("the first logger");
    Running::new(&setup.sink, (guard, scope), |_| {})
}
