//! flexi_logger, asynchronous: for files only, so into one in memory (or into a pipe that nobody reads).

use std::fs::{self, File, OpenOptions};
use std::process::Command;
use std::sync::Arc;

use flexi_logger::{FileSpec, Logger, LoggerHandle, WriteMode};

use super::{Call, Running, Setup, newlines};

pub(super) fn start(setup: &Setup) -> Running {
    let path = setup.scratch.join("flexi.log");
    let _ = fs::remove_file(&path);
    let stall = setup.sink.is_stalled().then(|| {
        assert!(Command::new("mkfifo").arg(&path).status().is_ok_and(|status| status.success()), "mkfifo");
        OpenOptions::new().read(true).write(true).open(&path).expect("a pipe")
    });
    let logger = Logger::try_with_str("info").expect("a level");
    let logger = logger.log_to_file(FileSpec::try_from(&path).expect("a file")).append().write_mode(WriteMode::Async);
    let keep: Arc<(LoggerHandle, Option<File>)> = Arc::new((logger.start().expect("the first logger"), stall));
    Running {
        call: Call::Log,
        flush: Box::new(move || keep.0.flush()),
        delivered: Some(Box::new(move || fs::read(&path).map_or(0, |lines| newlines(&lines) as u64))),
    }
}
