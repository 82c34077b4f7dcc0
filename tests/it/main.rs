//! Behaviour, against a web server of our own and against Python.

mod corpus;
mod deliver;
mod house;
mod interop;
mod property;
mod queue;
