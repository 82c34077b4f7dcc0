//! nginx before an application, with the limits that it has unless told otherwise.

use std::process::Command;

use logpost::{Batch, FormLines, HttpHandler, Method};
use logpost_test_support::{Server, have};

use crate::application::Configured;
use crate::delivery::{deliver, form_size};

/// `client_max_body_size`, "1m"
const LARGEST_BODY: usize = 1024 * 1024;
/// The second number of `large_client_header_buffers`, "4 8k": what a request line may have.
const LONGEST_LINE: usize = 8 * 1024;

/// 413: the batch is halved until the one record that is too large by itself is alone, and that one is rejected.
#[test]
fn a_batch_above_nginxs_limit_is_halved_and_the_guilty_record_rejected() {
    let behind = Server::start();
    let Some(nginx) = start(&behind) else { return };
    let handler = HttpHandler::builder(format!("http://{}/log", nginx.address))
        .encoding(FormLines)
        .batch(Batch::default().max_bytes(16 * 1024 * 1024));
    let sent = deliver(handler, |logger| {
        for number in 0..30 {
            let length = if number == 17 { LARGEST_BODY } else { 100_000 };
            log::info!(logger: logger, number; "{}", "x".repeat(length));
        }
    });
    assert_eq!((sent.stats.delivered, sent.stats.rejected), (29, 1), "{:?}", sent.failures);
    assert!(sent.failures.iter().all(|failure| failure.contains("413")), "{:?}", sent.failures);
    let requests = behind.requests();
    assert!((requests.len() as u64) < sent.stats.attempts, "{}", sent.stats);
    let lines = requests.iter().flat_map(|request| request.body.split_inclusive(|byte| *byte == b'\n'));
    let numbers: Vec<usize> = lines.map(number_in).collect();
    assert_eq!(numbers, (0..30).filter(|number| *number != 17).collect::<Vec<_>>());
}

/// 414: a query is a request line.
#[test]
fn a_query_above_nginxs_limit_is_rejected_and_the_others_delivered() {
    let behind = Server::start();
    let Some(nginx) = start(&behind) else { return };
    let handler = HttpHandler::builder(format!("http://{}/log", nginx.address)).method(Method::Get);
    let sent = deliver(handler, |logger| {
        for number in 0..10 {
            let length = if number == 4 { LONGEST_LINE } else { LONGEST_LINE - 1000 };
            log::info!(logger: logger, number; "{}", "x".repeat(length));
        }
    });
    let taken = sent.taken("414", |fields| form_size(fields) > LONGEST_LINE);
    assert_eq!(taken.len(), 9);
    let requests = behind.requests();
    let numbers: Vec<_> = requests.iter().map(|request| request.field("number").unwrap()).collect();
    assert_eq!(numbers, ["0", "1", "2", "3", "5", "6", "7", "8", "9"]);
}

fn start(behind: &Server) -> Option<Configured> {
    let behind = behind.address().to_string();
    have("nginx", "-v").then(|| {
        Configured::start("nginx.conf", &[("BEHIND", &behind)], |configuration| {
            let mut nginx = Command::new("nginx");
            nginx.arg("-e").arg("stderr").arg("-c").arg(configuration);
            nginx
        })
    })
}

/// The field `number` of a line that is a form.
fn number_in(line: &[u8]) -> usize {
    let line = std::str::from_utf8(line).unwrap();
    let (_, number) = line.trim_end().rsplit_once("&number=").unwrap();
    number.parse().unwrap()
}
