//! Behaviour, against a web server of our own.

mod deliver;
mod house;
mod queue;
