//! The programs in `programs/`, running.

use std::path::{Path, PathBuf};
use std::process::Command;

use logpost_test_support::{Program, have};
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
        let python = python.to_str().expect("a path of letters");
        have(python, "--version").then(|| Self::announced(Command::new(python).arg("-u").arg(program(script))))
    }

    /// One of Node's, with the packages of `package.json`; none where they are not installed.
    pub(crate) fn node(script: &str) -> Option<Self> {
        let modules = installed().join("node_modules");
        let express = modules.join("express/package.json");
        let found = have("node", "--version") && have("test", "-e") && express.exists();
        assert!(found || std::env::var_os("CI").is_none(), "{} is missing, and CI is set", express.display());
        if !found {
            eprintln!("skipped: this test needs {}", express.display());
            return None;
        }
        Some(Self::announced(Command::new("node").env("NODE_PATH", modules).arg(program(script))))
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
