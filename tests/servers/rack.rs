//! Rack, which Rails and Sinatra read forms with.

use std::process::Command;

use logpost::HttpHandler;
use logpost_test_support::have;
use serde_json::json;

use crate::application::{Application, program};
use crate::delivery::deliver;

fn start() -> Option<Application> {
    have("ruby", "-rrack").then(|| Application::announced(Command::new("ruby").arg(program("rack_app.rb"))))
}
