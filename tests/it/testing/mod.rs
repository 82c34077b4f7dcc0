//! What users test with.

mod capture;
#[cfg(feature = "testing")]
mod server;
