//! The collector as its users meet it: over HTTP, and in a browser.

mod browser;
mod command;
mod corpus;
mod driver;
mod http;
mod scene;
mod senders;
mod support;
