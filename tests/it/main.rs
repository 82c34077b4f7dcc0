//! Behaviour, against a web server of our own and against Python.

mod batches;
mod bounds;
mod corpus;
mod cpython;
mod deliver;
mod docs;
mod faults;
mod forwarding;
mod heads;
mod house;
mod interop;
#[cfg(feature = "json")]
mod json;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod mutual_tls;
mod outcome_attacks;
mod outcomes;
mod panics;
mod payload;
mod pipelines;
#[cfg(feature = "json")]
mod presets;
mod property;
mod proxy;
mod queue;
mod queue_attacks;
mod queues;
mod regressions;
mod requests;
mod same_program;
mod testing;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod tls;
mod token;
mod told;
mod workers;
