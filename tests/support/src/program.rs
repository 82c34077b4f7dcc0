//! Programs that tests talk to.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::{LONG, wait_until};

/// A program that is running; it ends at the latest when this is dropped. What it has said on stderr is shown if the test
/// fails.
#[derive(Debug)]
pub struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    complaints: Arc<Mutex<Vec<u8>>>,
}

impl Program {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = mpsc::channel();
        // A program whose output nobody reads would stop. These end with the output.
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let complaints = Arc::new(Mutex::new(Vec::new()));
        let mut stderr = child.stderr.take().expect("a pipe");
        let all = Arc::clone(&complaints);
        thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = stderr.read(&mut part) {
                all.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&part[..length]);
            }
        });
        Self { child, stdin, lines, complaints }
    }

    /// Waits until it listens there.
    ///
    /// # Panics
    ///
    /// If it ends instead.
    pub fn wait_for(&mut self, address: SocketAddr) {
        wait_until("the program listens", || {
            let ended = self.child.try_wait().expect("a child of ours");
            assert!(ended.is_none(), "it has ended: {ended:?}");
            TcpStream::connect(address).is_ok()
        });
    }

    /// Writes a line to its input.
    ///
    /// # Panics
    ///
    /// If it does not read.
    pub fn send(&mut self, line: &[u8]) {
        let stdin = self.stdin.as_mut().expect("open until the end");
        stdin.write_all(&[line, b"\n"].concat()).expect("a program that reads");
    }

    /// The next line of its output.
    ///
    /// # Panics
    ///
    /// If none comes.
    pub fn line(&self) -> String {
        self.lines.recv_timeout(LONG).expect("a line of output")
    }

    /// The lines of its output that nobody has read yet, as far as they have come.
    pub fn lines_so_far(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    /// Ends it at once.
    pub fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Ends its input, and returns the rest of its output.
    ///
    /// # Panics
    ///
    /// If it does not end by itself, or not well.
    pub fn finish(mut self) -> Vec<String> {
        self.stdin = None;
        let mut rest = Vec::new();
        loop {
            match self.lines.recv_timeout(LONG) {
                Ok(line) => rest.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the program does not end"),
            }
        }
        assert!(self.child.wait().expect("a child of ours").success());
        rest
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end();
        if thread::panicking() {
            let complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
            eprintln!("{}", String::from_utf8_lossy(&complaints));
        }
    }
}
