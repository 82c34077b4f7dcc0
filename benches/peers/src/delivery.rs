//! Delivery from end to end: records a second, and the sender's CPU time.

use std::env;

use crate::process::{self, Figures};
use crate::results::Results;
use crate::senders::{Program, RAW, SENDERS, Sender};
use crate::server::{Counting, Server};
use crate::{AT_MOST, Options, progress, this_program};

/// In smoke runs only so many.
const SMOKE: usize = 2000;

pub(crate) fn rounds(options: &Options, server: &Server, results: &mut Results) {
    let mut senders: Vec<&'static Sender> = wanted(options);
    for round in 0..options.rounds {
        fastrand::shuffle(&mut senders);
        for sender in &senders {
            progress("delivery", round, sender.name);
            let before = server.requests();
            let figures = send(sender, &server.base(), options.smoke).map(|mut figures| {
                let (records, requests) = (figures["records"], (server.requests() - before) as f64);
                figures.insert("rate".to_owned(), records / figures["seconds"]);
                figures.insert("cpu".to_owned(), figures["cpu_us"] / records);
                figures.insert("caller".to_owned(), figures["caller_us"] / records);
                figures.insert("per_request".to_owned(), records / requests);
                figures
            });
            skip_or_add(results, round, sender.name, figures);
        }
    }
}

/// What arrives, and how large it is: once, not timed, at a server that looks into the bodies.
pub(crate) fn count(options: &Options, results: &mut Results) {
    for sender in wanted(options) {
        progress("counting", 0, sender.name);
        let server = Counting::start();
        let figures = send(sender, &server.base(), options.smoke).map(|mut figures| {
            let counts = server.counts();
            figures.insert("arrived".to_owned(), (counts.marks / sender.copies) as f64);
            figures.insert("bytes".to_owned(), counts.bytes as f64 / figures["records"]);
            figures
        });
        skip_or_add(results, 0, sender.name, figures);
    }
}

fn wanted(options: &Options) -> Vec<&'static Sender> {
    SENDERS.iter().filter(|sender| options.wants(sender.name, sender.name == RAW)).collect()
}

fn send(sender: &Sender, base: &str, smoke: bool) -> Result<Figures, Failure> {
    let url = format!("{base}{}", sender.path);
    let records = if smoke { SMOKE.min(sender.records) } else { sender.records };
    let mut command = match sender.program {
        Program::Rust(_) => {
            let mut command = this_program("--child", "send", sender.name);
            command.arg(url).arg(records.to_string());
            command
        }
        Program::Script(command) => {
            let program = env::current_exe().expect("it runs");
            command(program.parent().expect("a directory"), &url, records).map_err(Failure::Skipped)?
        }
    };
    process::run(&mut command, AT_MOST).map_err(Failure::Failed)
}

enum Failure {
    /// It cannot run on this machine.
    Skipped(String),
    Failed(String),
}

fn skip_or_add(results: &mut Results, round: usize, name: &'static str, figures: Result<Figures, Failure>) {
    match figures {
        Ok(figures) => results.add(round, name, Ok(figures)),
        Err(Failure::Failed(error)) => results.add(round, name, Err(error)),
        Err(Failure::Skipped(reason)) => eprintln!("{name}: skipped, since {reason}"),
    }
}
