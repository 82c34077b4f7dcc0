//! The least that one request after the other can cost: one write, one read.

use std::io::{Read, Write};
use std::net::TcpStream;

/// What logpost sends for one record, in length and form.
const BODY: &str = "name=bench&msg=request+12345+took+4711+us+from+10.0.0.1&levelname=INFO&levelno=20\
    &pathname=src%2Fsenders.rs&filename=senders.rs&module=logpost_peers%3A%3Asenders&lineno=91\
    &created=1795413094.560612&msecs=560&relativeCreated=24.794&thread=1&threadName=main\
    &processName=logpost-peers&process=4613";

pub(super) fn send(url: &str, records: usize) {
    let address = url.strip_prefix("http://").and_then(|rest| rest.split('/').next()).expect("an http URL");
    let mut stream = TcpStream::connect(address).expect("the server runs");
    stream.set_nodelay(true).expect("a socket");
    let request = format!(
        "POST /log HTTP/1.1\r\nHost: {address}\r\nUser-Agent: raw\r\nAccept: */*\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\
         Idempotency-Key: 0123456789abcdef0123456789abcdef-12345\r\n\r\n{BODY}",
        BODY.len()
    );
    let all = || {
        for _ in 0..records {
            stream.write_all(request.as_bytes()).expect("the server runs");
            read_answer(&mut stream);
        }
    };
    super::measure(records, all, || {});
}

fn read_answer(stream: &mut TcpStream) {
    let mut answer = [0; 1024];
    let mut filled = 0;
    while !answer[..filled].ends_with(b"\r\n\r\n") {
        let read = stream.read(&mut answer[filled..]).expect("the server runs");
        assert!(read > 0, "the server closed the connection");
        filled += read;
    }
    assert!(answer.starts_with(b"HTTP/1.1 204"), "{}", String::from_utf8_lossy(&answer[..filled]));
}
