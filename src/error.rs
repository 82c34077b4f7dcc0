//! What can go wrong before the first record: a setting, the process's logger, a thread.

use std::fmt;
use std::io;

use crate::count::Records;

/// Why a handler, a queue or a logger could not be built, a logger not be installed, or a listener not be started.
///
/// The text names the setting and shows its value; passwords and the like are left out.
///
/// ```
/// let error = logpost::HttpHandler::new("ftp://example.com/log").unwrap_err();
/// assert_eq!(error.setting(), Some("url"));
/// assert_eq!(error.to_string(), r#"url: the scheme must be http or https, but is "ftp""#);
/// assert_eq!(format!("{error:?}"), error.to_string());
/// ```
pub struct Error {
    kind: Kind,
}

enum Kind {
    Setting { name: &'static str, problem: String },
    AlreadyInitialized,
    AlreadyStarted,
    Thread(io::Error),
}

impl Error {
    /// The setting that has a wrong value, by the name of its method (`"url"`, `"capacity"`) or of its environment variable
    /// (`"LOGPOST_URL"`), if that is what is wrong.
    pub fn setting(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Setting { name, .. } => Some(name),
            _ => None,
        }
    }

    /// Whether the process has a logger already: one of ours or another backend's.
    pub fn is_already_initialized(&self) -> bool {
        matches!(self.kind, Kind::AlreadyInitialized)
    }

    /// Whether a [`QueueListener`](crate::QueueListener) that is started was to be started again.
    pub fn is_already_started(&self) -> bool {
        matches!(self.kind, Kind::AlreadyStarted)
    }

    pub(crate) fn invalid(name: &'static str, problem: impl Into<String>) -> Self {
        let problem = problem.into();
        Self { kind: Kind::Setting { name, problem } }
    }

    /// The same, where the setting was made under another name.
    pub(crate) fn by_another_name(mut self, other: &'static str) -> Self {
        if let Kind::Setting { name, .. } = &mut self.kind {
            *name = other;
        }
        self
    }

    pub(crate) fn already_initialized() -> Self {
        Self { kind: Kind::AlreadyInitialized }
    }

    pub(crate) fn already_started() -> Self {
        Self { kind: Kind::AlreadyStarted }
    }

    pub(crate) fn thread(source: io::Error) -> Self {
        Self { kind: Kind::Thread(source) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Setting { name, problem } => write!(f, "{name}: {problem}"),
            Kind::AlreadyInitialized => f.write_str("init: the process already has a logger"),
            Kind::AlreadyStarted => f.write_str("start: the listener is started already"),
            Kind::Thread(_) => f.write_str("the listener's thread could not be started"),
        }
    }
}

/// The text, and what is behind it: this is what is printed of an error that `main` returns.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Thread(source) => write!(f, "{self}: {source}"),
            _ => write!(f, "{self}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            Kind::Thread(source) => Some(source),
            _ => None,
        }
    }
}

/// A flush that ran into its deadline: so many of the records accepted before it have no outcome yet.
///
/// None of them is lost: their delivery goes on, or will when the [`QueueListener`](crate::QueueListener) is started that they
/// wait for. The exception is a process that was forked after the logger was made: it has no listener, so that what it logs
/// goes nowhere.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FlushError {
    pending: u64,
    reason: Reason,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    Deadline,
    Forked,
    NotListening,
}

impl FlushError {
    pub(crate) fn new(pending: u64) -> Self {
        Self { pending, reason: Reason::Deadline }
    }

    pub(crate) fn forked() -> Self {
        Self { pending: 0, reason: Reason::Forked }
    }

    pub(crate) fn not_listening(pending: u64) -> Self {
        Self { pending, reason: Reason::NotListening }
    }

    /// How many records were waited for in vain, as far as is known: in a forked process 0, and those in a queue that is not
    /// ours are not among them until its listener has taken them out.
    pub fn pending(&self) -> u64 {
        self.pending
    }
}

/// The text, for a `main` that returns it.
impl fmt::Debug for FlushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for FlushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pending = Records(self.pending);
        match self.reason {
            Reason::Deadline => write!(f, "{pending} still pending when the flush's time was up"),
            Reason::Forked => {
                f.write_str("the logger was made before this process was forked, and delivers nothing in it")
            }
            Reason::NotListening => write!(f, "the queue's listener is not started ({pending} pending)"),
        }
    }
}

impl std::error::Error for FlushError {}
