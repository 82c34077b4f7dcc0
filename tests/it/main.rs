//! Behaviour, against a web server of our own and against Python.

mod batches;
mod bounds;
mod corpus;
mod deliver;
mod faults;
mod house;
mod interop;
mod panics;
mod payload;
mod pipelines;
mod property;
mod queue;
mod regressions;
mod testing;
#[cfg(feature = "rustls")]
mod tls;
mod workers;
