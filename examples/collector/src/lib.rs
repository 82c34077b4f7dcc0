//! A collector to try logpost with: it receives what logpost sends, keeps it in `SQLite`, and shows it on a page.
//!
//! ```text
//!              intake                  store/writer
//! POST /log -> bound, gunzip, decode =bounded queue=> one transaction for many requests -> SQLite
//!                    <-- 204, once it is committed --/        | how far it is
//!                                                             v
//! page.html <- api: what matches, rows, events <------ store/reader, watch
//! ```
//!
//! An example and a tool for development, not a product. Memory is bounded: what arrives while the store is behind waits
//! within [`BUDGET_BYTES`], and is then answered 503.

mod api;
mod collector;
mod connections;
mod decode;
mod filter;
mod gate;
mod intake;
mod page;
mod record;
mod refusal;
mod senders;
mod settings;
mod store;
mod value;

pub use collector::Collector;
pub use intake::BUDGET_BYTES;
pub use settings::{
    DEFAULT_DATABASE, DEFAULT_KEEP, DEFAULT_KEEP_BYTES, DEFAULT_LISTEN, DEFAULT_MAX_BODY_BYTES, MAX_KEEP,
    MAX_MAX_BODY_BYTES, Settings,
};
