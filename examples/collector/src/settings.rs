//! What can be set, and what it is otherwise.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// 127.0.0.1:9020: this machine and nobody else, at the port that Python's documentation has in its example.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9020);
/// The file in the working directory that records are kept in.
pub const DEFAULT_DATABASE: &str = "logpost-collector.sqlite";
/// How many records are kept.
pub const DEFAULT_KEEP: u32 = 100_000;
/// How large the database may be: 1 GiB.
pub const DEFAULT_KEEP_BYTES: u64 = 1024 * 1024 * 1024;
/// The most that can be kept: what a browser can still scroll through, a row below the other.
pub const MAX_KEEP: u32 = 300_000;
/// The largest body, as it arrives and once more when it is decompressed: 4 MiB.
pub const DEFAULT_MAX_BODY_BYTES: u32 = 4 * 1024 * 1024;
/// The most that a body's limit can be: 64 MiB.
pub const MAX_MAX_BODY_BYTES: u32 = 64 * 1024 * 1024;

/// How a collector is to run.
#[derive(Clone)]
pub struct Settings {
    /// Where to listen. Defaults to [`DEFAULT_LISTEN`]; port 0 is any that is free.
    pub listen: SocketAddr,
    /// The database. Defaults to none: a temporary file, gone with the collector.
    pub database: Option<PathBuf>,
    /// What `Authorization` has to have, as a bearer token or as a password. Defaults to none: everybody may post and read.
    pub token: Option<String>,
    /// How many records are kept, the newest. Defaults to [`DEFAULT_KEEP`].
    pub keep: u32,
    /// How large the database may be before the oldest records go, however few they are. Defaults to [`DEFAULT_KEEP_BYTES`].
    pub keep_bytes: u64,
    /// The largest body in bytes, decompressed too. Defaults to [`DEFAULT_MAX_BODY_BYTES`].
    pub max_body_bytes: u32,
    /// Names that `Host` may have beside `localhost` and addresses. Defaults to none.
    pub host_names: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: DEFAULT_LISTEN,
            database: None,
            token: None,
            keep: DEFAULT_KEEP,
            keep_bytes: DEFAULT_KEEP_BYTES,
            max_body_bytes: DEFAULT_MAX_BODY_BYTES,
            host_names: Vec::new(),
        }
    }
}

impl std::fmt::Debug for Settings {
    /// Without the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("listen", &self.listen)
            .field("database", &self.database)
            .field("token", &self.token.as_ref().map(|_| "..."))
            .field("keep", &self.keep)
            .field("keep_bytes", &self.keep_bytes)
            .field("max_body_bytes", &self.max_body_bytes)
            .field("host_names", &self.host_names)
            .finish()
    }
}
