//! Senders in other languages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const HERE: &str = env!("CARGO_MANIFEST_DIR");

pub(super) fn python(_: &Path, url: &str, records: usize) -> Result<Command, String> {
    need("python3", "--version")?;
    let mut command = Command::new("python3");
    command.arg(Path::new(HERE).join("python/send.py")).arg(url).arg(records.to_string());
    Ok(command)
}

/// Its packages are installed once, beside the build.
pub(super) fn winston(target: &Path, url: &str, records: usize) -> Result<Command, String> {
    need("node", "--version")?;
    let directory = target.join("winston");
    install(&directory)?;
    let mut command = Command::new("node");
    command.arg(directory.join("send.js")).arg(url).arg(records.to_string());
    Ok(command)
}

fn install(directory: &PathBuf) -> Result<(), String> {
    let source = Path::new(HERE).join("winston");
    fs::create_dir_all(directory).map_err(|error| error.to_string())?;
    for file in ["package.json", "package-lock.json", "send.js"] {
        fs::copy(source.join(file), directory.join(file)).map_err(|error| format!("{file}: {error}"))?;
    }
    if directory.join("node_modules/winston").exists() {
        return Ok(());
    }
    need("npm", "--version")?;
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--silent"]).current_dir(directory).stdout(Stdio::null());
    match npm.status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err("npm could not install winston".to_owned()),
    }
}

fn need(program: &str, argument: &str) -> Result<(), String> {
    let found = Command::new(program).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_ok_and(|status| status.success()) { Ok(()) } else { Err(format!("{program} is missing")) }
}
