//! The program.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use logpost_test_support::wait_until;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_logpost-collector");

#[test]
fn demo_prints_its_url_logs_and_ends_in_good_order() {
    let arguments = ["--demo", "--listen", "127.0.0.1:0", "--token", "secret"];
    let mut child = Command::new(PROGRAM).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    let page = line.trim().strip_prefix("page").unwrap().trim();
    let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
    let search = || {
        let request =
            agent.get(format!("{page}api/search?fields=order&target=shop")).header("Authorization", "Bearer secret");
        let text = request.call().unwrap().body_mut().read_to_string().unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["ids"].as_array().unwrap().len()
    };
    wait_until("the demo has logged", || search() > 2);
    // Ctrl-C.
    let interrupted = Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap();
    assert!(interrupted.success());
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success(), "{rest}");
    assert!(rest.contains("pending 0, rejected 0, abandoned 0, dropped 0"), "{rest}");
}

#[test]
fn mistakes_are_told_with_the_usage() {
    let output = Command::new(PROGRAM).args(["--keep", "0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.starts_with("logpost-collector: --keep 0: not from 1 to 300000\n\n") && told.contains("usage: "),
        "{told}"
    );

    let occupied = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = occupied.local_addr().unwrap().to_string();
    let output = Command::new(PROGRAM).args(["--listen", &address, "--demo"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.starts_with(&format!("logpost-collector: listen at {address}: ")), "{told}");
}
