//! Measures logpost beside its peers, in one run, and prints the tables of `../README.md`.
//!
//! This file has the command line and the rounds. Each backend and each sender runs in a child process of its own: this
//! program again, with `--child`.

mod backends;
mod caller;
mod delivery;
mod process;
mod report;
mod results;
mod senders;
mod server;

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::caller::Amount;
use crate::process::Figures;
use crate::results::Results;
use crate::server::Server;

const USAGE: &str = "\
usage: logpost-peers [--rounds N] [--only NAME,...] [--parts PART,...] [--smoke] [--list]
  --rounds N     rounds, of which the medians are printed (5)
  --only NAMES   of the backends and senders, only these and what they are compared with
  --parts PARTS  of caller, memory, idle and delivery, only these
  --smoke        logpost and the floor only, one short round: to see that it works
  --list         the names";

/// A child that takes longer is stuck.
const AT_MOST: Duration = Duration::from_mins(1);

pub(crate) struct Options {
    pub(crate) rounds: usize,
    only: Option<Vec<String>>,
    parts: Option<Vec<String>>,
    pub(crate) smoke: bool,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self { rounds: 5, only: None, parts: None, smoke: false };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match &**argument {
                "--rounds" => options.rounds = value()?.parse().map_err(|_| "--rounds needs a number".to_owned())?,
                "--only" => options.only = Some(value()?.split(',').map(str::to_owned).collect()),
                "--parts" => options.parts = Some(value()?.split(',').map(str::to_owned).collect()),
                "--smoke" => options.smoke = true,
                _ => return Err(format!("what is {argument}?")),
            }
        }
        if options.smoke {
            options.rounds = 1;
            options.only.get_or_insert_with(|| ["us", "us-lines", "us-1000"].map(str::to_owned).to_vec());
        }
        Ok(options)
    }

    fn part(&self, part: &str) -> bool {
        self.parts.as_ref().is_none_or(|parts| parts.iter().any(|wanted| wanted == part))
    }

    /// Whether `name` runs; `always` is what the others are compared with.
    pub(crate) fn wants(&self, name: &str, always: bool) -> bool {
        always || self.only.as_ref().is_none_or(|only| only.iter().any(|wanted| wanted == name))
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("--child") => return child(&arguments[1..]),
        Some("--list") => {
            for backend in backends::BACKENDS {
                println!("{:12} {}", backend.name, backend.about);
            }
            for sender in senders::SENDERS {
                println!("{:12} {}", sender.name, sender.about);
            }
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    match Options::parse(&arguments) {
        Ok(options) => run(&options),
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            ExitCode::FAILURE
        }
    }
}

/// Everything that was measured.
#[derive(Default)]
pub(crate) struct Measured {
    pub(crate) caller: Results,
    pub(crate) memory: Results,
    pub(crate) idle: Results,
    pub(crate) delivery: Results,
    /// Once, at a server that counts records.
    pub(crate) counted: Results,
}

impl Measured {
    fn failures(&self) -> usize {
        [&self.caller, &self.memory, &self.idle, &self.delivery, &self.counted].iter().map(|part| part.failures).sum()
    }
}

fn run(options: &Options) -> ExitCode {
    let start = Instant::now();
    let scratch = Scratch::new();
    let server = Server::start(&scratch.0);
    let mut measured = Measured::default();
    if options.part("caller") {
        caller_rounds(options, &server, &scratch, &mut measured.caller);
    }
    if options.part("memory") {
        memory(options, &scratch, &mut measured.memory);
    }
    if options.part("idle") {
        idle(options, &server, &scratch, &mut measured.idle);
    }
    if options.part("delivery") {
        delivery::rounds(options, &server, &mut measured.delivery);
        delivery::count(options, &mut measured.counted);
    }
    println!("{}", report::machine(options, &server.about(), start.elapsed()));
    println!("{}", report::tables(&measured));
    if measured.failures() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn caller_rounds(options: &Options, server: &Server, scratch: &Scratch, results: &mut Results) {
    let mut names = backends(options, |_| true);
    for round in 0..options.rounds {
        fastrand::shuffle(&mut names);
        for name in &names {
            progress("caller", round, name);
            results.add(round, name, run_child("caller", name, &server.base(), scratch, options.smoke));
        }
    }
}

fn memory(options: &Options, scratch: &Scratch, results: &mut Results) {
    for name in backends(options, |backend| backend.queues) {
        progress("memory", 0, name);
        results.add(0, name, run_child("memory", name, "", scratch, options.smoke));
    }
}

/// All at once, since they mostly sleep; each starts a little later than the one before.
fn idle(options: &Options, server: &Server, scratch: &Scratch, results: &mut Results) {
    progress("idle", 0, "all of them");
    let names = backends(options, |_| true);
    let base = server.base();
    let figures: Vec<_> = std::thread::scope(|scope| {
        let start = |(slot, name): (usize, &'static str)| {
            let base = &base;
            scope.spawn(move || {
                let slot = u32::try_from(slot).expect("a few");
                std::thread::sleep(Duration::from_millis(60) * slot);
                (name, run_child("idle", name, base, scratch, options.smoke))
            })
        };
        let children: Vec<_> = names.into_iter().enumerate().map(start).collect();
        children.into_iter().map(|child| child.join().expect("it does not panic")).collect()
    });
    for (name, figures) in figures {
        results.add(0, name, figures);
    }
}

fn backends(options: &Options, which: impl Fn(&backends::Backend) -> bool) -> Vec<&'static str> {
    let compared = |name: &str| name == backends::FLOOR || name == backends::NOOP;
    let wanted = backends::BACKENDS.iter().filter(|backend| which(backend));
    wanted.map(|backend| backend.name).filter(|name| options.wants(name, compared(name))).collect()
}

pub(crate) fn progress(part: &str, round: usize, name: &str) {
    eprintln!("{part}, round {}: {name}", round + 1);
}

fn run_child(part: &str, name: &str, base: &str, scratch: &Scratch, smoke: bool) -> Result<Figures, String> {
    let directory = scratch.0.join(format!("{part}-{name}"));
    fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
    let mut command = this_program("--child", part, name);
    command.arg(format!("{base}/log")).arg(&directory).arg(if smoke { "smoke" } else { "full" });
    let figures = process::run(&mut command, AT_MOST);
    let _ = fs::remove_dir_all(&directory);
    figures
}

pub(crate) fn this_program(child: &str, part: &str, name: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("it runs"));
    command.args([child, part, name]);
    command
}

/// `--child PART NAME URL DIRECTORY AMOUNT`, or `--child send NAME URL RECORDS`.
fn child(arguments: &[String]) -> ExitCode {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["send", name, url, records] => {
            let sender = senders::SENDERS.iter().find(|sender| sender.name == name).expect("a sender's name");
            let senders::Program::Rust(send) = sender.program else { panic!("{name} is not in this program") };
            send(url, records.parse().expect("a number"));
            wait_for_the_end()
        }
        [part, name, url, directory, amount] => {
            let backend = backends::find(name).expect("a backend's name");
            let amount = Amount::new(amount == "smoke");
            let directory = PathBuf::from(directory);
            let _running = match part {
                "caller" => caller::latencies(backend, url, directory, amount),
                "memory" => caller::memory(backend, directory, amount),
                "idle" => caller::idle(backend, url, directory, amount),
                _ => panic!("what is {part}?"),
            };
            wait_for_the_end()
        }
        _ => panic!("this is for the program itself"),
    }
}

/// The parent ends this process: no logger's way of ending is measured here, and some would wait.
fn wait_for_the_end() -> ! {
    process::report_end();
    loop {
        std::thread::park();
    }
}

/// A directory in memory, where there is one; removed in the end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let memory = PathBuf::from("/dev/shm");
        let parent = if memory.is_dir() { memory } else { env::temp_dir() };
        let directory = parent.join(format!("logpost-peers-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory for temporary files");
        Self(directory)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
