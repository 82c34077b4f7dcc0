//! logforth: its asynchronous appender is unbounded by default.

use log::LevelFilter;
use logforth::append::asynchronous::AsyncBuilder;
use logforth::layout::TextLayout;
use logforth::record::Record;
use logforth::{Append, Diagnostic, Error, Layout};

use super::{Running, Setup, Sink};

#[derive(Debug)]
struct Discard {
    layout: TextLayout,
    sink: Sink,
}

impl Append for Discard {
    fn append(&self, record: &Record<'_>, diagnostics: &[Box<dyn Diagnostic>]) -> Result<(), Error> {
        self.layout.format(record, diagnostics)?;
        self.sink.add(1);
        Ok(())
    }

    fn flush(&self) -> Result<(), Error> {
        Ok(())
    }
}

pub(super) fn start(setup: &Setup) -> Running {
    let discard = Discard { layout: TextLayout::default().no_color(), sink: setup.sink.clone() };
    let asynchronous = AsyncBuilder::new("logforth").append(discard).build();
    logforth::starter_log::builder().dispatch(|dispatch| dispatch.append(asynchronous)).apply();
    log::set_max_level(LevelFilter::Info);
    Running::new(&setup.sink, (), |()| log::logger().flush())
}
