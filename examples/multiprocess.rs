//! Several processes, one listener: children send what they log to their parent, and only the parent talks to the
//! web server. A child needs neither the server's address nor its password, nor a connection.
//!
//! ```text
//! cargo run --example multiprocess --features serde,testing
//! ```

#[cfg(unix)]
#[path = "multiprocess/socket.rs"]
mod socket;

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next() {
        Some(path) => unix::child(path.into()),
        None => unix::parent(),
    }
}

#[cfg(not(unix))]
fn main() {
    println!("this example is about Unix domain sockets");
}

#[cfg(unix)]
mod unix {
    use std::collections::BTreeMap;
    use std::error::Error;
    use std::os::unix::fs::DirBuilderExt as _;
    use std::path::PathBuf;
    use std::process::Command;
    use std::time::Duration;
    use std::{env, fs, process, thread};

    use log::info;
    use logpost::testing::Server;
    use logpost::{HttpHandler, Pipeline, QueueListener, Retry};

    use super::socket::{Socket, SocketHandler};

    const CHILDREN: usize = 3;
    const RECORDS: usize = 100;
    /// Longer than anything here takes.
    const LONG: Duration = Duration::from_secs(30);

    /// One queue, one listener, one handler for all of them.
    pub(super) fn parent() -> Result<(), Box<dyn Error>> {
        let server = Server::start()?;
        // Nobody else may send records here, or listen in our place.
        let directory = env::temp_dir().join(format!("logpost-multiprocess-{}", process::id()));
        fs::DirBuilder::new().mode(0o700).create(&directory)?;
        let path = directory.join("log.sock");

        let (socket, receiver) = Socket::listen(&path)?;
        let listener = QueueListener::new(receiver).handler(HttpHandler::new(server.url())?);
        listener.start()?;

        let children: Vec<_> =
            (0..CHILDREN).map(|_| Command::new(env::current_exe()?).arg(&path).spawn()).collect::<Result<_, _>>()?;
        for mut child in children {
            if !child.wait()?.success() {
                return Err("a child has failed".into());
            }
        }
        let broken = socket.broken();
        drop(socket);
        println!("{}, {broken} records broken off", listener.stop(LONG));
        fs::remove_dir_all(&directory)?;

        // `process` and `thread` are the children's own.
        let mut counts = BTreeMap::<_, usize>::new();
        for form in server.wait_for(CHILDREN * RECORDS, LONG)? {
            let of = |key| form.get(key).unwrap_or_default().to_owned();
            *counts.entry((of("process"), of("processName"), of("threadName"))).or_default() += 1;
        }
        for ((process, name, thread), count) in &counts {
            println!("process {process} ({name}), thread {thread}: {count} records");
        }
        if counts.len() != CHILDREN || counts.values().any(|&count| count != RECORDS) {
            return Err(format!("{CHILDREN} children with {RECORDS} records each were expected").into());
        }
        Ok(())
    }

    /// To the program it is a logger as any other, bounded, counted and flushed at exit.
    pub(super) fn child(path: PathBuf) -> Result<(), Box<dyn Error>> {
        // On one machine, trying again soon costs nothing.
        let retry = Retry::default().first_delay(Duration::from_millis(10)).max_delay(Duration::from_millis(500));
        let guard = logpost::builder().handler(Pipeline::new(SocketHandler::new(path)).retry(retry)).init()?;
        let work = || (0..RECORDS).for_each(|number| info!(number = number; "step {number} of {RECORDS}"));
        thread::Builder::new().name("worker".to_owned()).spawn(work)?.join().map_err(|_| "the worker panicked")?;
        guard.flush(LONG)?;
        Ok(())
    }
}
