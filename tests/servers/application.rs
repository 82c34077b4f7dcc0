//! The programs in `programs/`, running.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use logpost_test_support::{Port, Program, have, have_file};
use serde_json::Value;

/// A web application that prints what it has understood of each request.
pub(crate) struct Application {
    program: Program,
    address: String,
}

impl Application {
    /// One of Python's, with the packages of `requirements.txt`; none where they are not installed.
    pub(crate) fn python(script: &str) -> Option<Self> {
        let python = installed().join("venv/bin/python");
        have_file([python]).map(|python| Self::announced(Command::new(python).arg(program(script))))
    }

    /// One of Node's, with the packages of `package.json`; none where they are not installed.
    pub(crate) fn node(script: &str) -> Option<Self> {
        let modules = installed().join("node/node_modules");
        let express = have_file([modules.join("express")]).is_some() && have("node", "--version");
        express.then(|| Self::announced(Command::new("node").env("NODE_PATH", modules).arg(program(script))))
    }

    /// One whose first line says on which port it listens.
    pub(crate) fn announced(command: &mut Command) -> Self {
        let program = Program::start(command);
        let hello: Value = serde_json::from_str(&program.line()).expect("a line of JSON");
        Self { program, address: format!("127.0.0.1:{}", hello["port"]) }
    }

    /// One that has been told where to listen.
    pub(crate) fn at(program: Program, address: String) -> Self {
        Self { program, address }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it has understood of the next request.
    pub(crate) fn understood(&self) -> Value {
        serde_json::from_str(&self.program.line()).expect("a line of JSON")
    }

    /// That it has printed nothing more.
    pub(crate) fn assert_no_more(&self) {
        assert_eq!(self.program.lines_so_far(), [""; 0]);
    }
}

/// A file in `programs/`.
pub(crate) fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/programs").join(name)
}

/// Where `tests/servers/install` puts things: beside Cargo's own folder for temporary files.
fn installed() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("servers")
}

/// A server that reads a configuration, and keeps its files in a folder of its own.
pub(crate) struct Configured {
    program: Program,
    pub(crate) address: SocketAddr,
    _port: Port,
    directory: PathBuf,
}

impl Configured {
    /// Starts it with a configuration of `programs/`, in which `PORT`, `DIRECTORY` and what `more` says are filled in.
    pub(crate) fn start(configuration: &str, more: &[(&str, &str)], command: impl FnOnce(&Path) -> Command) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("server-{}-{number}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let port = Port::reserve_for_program();
        let address = port.address();
        let (number, folder) = (address.port().to_string(), directory.to_str().expect("a path of letters"));
        let mut text = fs::read_to_string(program(configuration)).unwrap();
        for (name, value) in [("PORT", &*number), ("DIRECTORY", folder)].iter().chain(more) {
            text = text.replace(name, value);
        }
        let file = directory.join("config").with_extension(Path::new(configuration).extension().unwrap());
        fs::write(&file, text).unwrap();
        let mut program = Program::start(command(&file).current_dir(&directory));
        program.wait_for(address);
        Self { program, address, _port: port, directory }
    }
}

impl Drop for Configured {
    fn drop(&mut self) {
        self.program.end();
        let _ = fs::remove_dir_all(&self.directory);
    }
}
