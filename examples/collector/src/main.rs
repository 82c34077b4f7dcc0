//! A collector to try logpost with, and to look at: prints the URL of its page, and runs until Ctrl-C.

mod args;
mod demo;

use std::env;
use std::process::ExitCode;

use args::{Command, HELP};
use logpost_collector::{Collector, Settings};

fn main() -> ExitCode {
    match args::parse(env::args_os().skip(1), env::var("LOGPOST_COLLECTOR_TOKEN").ok()) {
        Ok(Command::Help) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Ok(Command::Run { settings, demo }) => match run(settings, demo) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("logpost-collector: {error}");
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            eprintln!("logpost-collector: {error}\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

#[tokio::main]
async fn run(settings: Settings, demo: bool) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    if settings.token.is_none() && !settings.listen.ip().is_loopback() {
        eprintln!("logpost-collector: everybody who reaches {} can post and read: see --token", settings.listen);
    }
    let token = settings.token.clone();
    let collector = Collector::start(settings).await?;
    println!("page      {}/\nendpoint  {}/log\nCtrl-C ends it", collector.url(), collector.url());
    let demo = if demo { Some(demo::start(&format!("{}/log", collector.url()), token)?) } else { None };
    tokio::signal::ctrl_c().await?;
    if let Some(demo) = demo {
        tokio::task::spawn_blocking(move || demo.stop()).await?;
    }
    collector.stop().await
}
