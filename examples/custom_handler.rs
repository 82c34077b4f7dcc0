//! A destination of one's own: a file in a directory that is not there yet, as on a disk that is mounted late.
//!
//! ```text
//! cargo run --example custom_handler
//! ```

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::process;
use std::sync::mpsc;
use std::time::Duration;

use log::{info, warn};
use logpost::{Batch, EmitError, Handler, LogRecord};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(10);

/// Appends a line for each record.
struct FileHandler {
    path: PathBuf,
    file: Option<File>,
}

impl Handler for FileHandler {
    /// One attempt. When to make the next one is for the listener to decide, by the kind of error.
    fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
        let mut lines = String::new();
        for record in records {
            let _ = writeln!(lines, "{:5} {}", record.level(), record.message());
        }
        let file = match &mut self.file {
            Some(file) => file,
            // `?` makes a transient error of an I/O error: the same records will be offered again.
            empty => empty.insert(File::options().append(true).create(true).open(&self.path)?),
        };
        // One write for all of them: after an error all are offered again.
        file.write_all(lines.as_bytes())?;
        Ok(())
    }

    fn batch(&self) -> Batch {
        Batch::default().max_records(64).linger(Duration::ZERO)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let directory = env::temp_dir().join(format!("logpost-example-{}", process::id()));
    let path = directory.join("app.log");
    let (failed, failures) = mpsc::channel();
    let guard = logpost::builder()
        .handler(FileHandler { path: path.clone(), file: None })
        .on_error(move |failure| {
            println!("on_error: {failure}, {:?}", failure.action());
            let _ = failed.send(());
        })
        .init()?;

    info!("logged before there is a directory");
    warn!("so is this");
    failures.recv_timeout(LONG)?;

    fs::create_dir(&directory)?;
    info!("logged after that");
    guard.flush(LONG)?; // doesn't wait out the delay: the listener tries at once

    let written = fs::read_to_string(&path)?;
    fs::remove_dir_all(&directory)?;
    print!("{written}");
    println!("{}", guard.stats());
    if written.lines().count() != 3 {
        return Err("a record is missing".into());
    }
    Ok(())
}
