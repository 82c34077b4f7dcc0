//! `RUST_LOG`'s syntax: the one file that knows `env_filter` and `arc_swap`.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use env_filter::Builder;
use log::{LevelFilter, Metadata, Record};

use super::{Filter, Verdict};

/// Levels by target, and perhaps what a message must contain.
#[derive(Debug)]
pub(super) struct Directives {
    filter: env_filter::Filter,
    reads_messages: bool,
}

impl Filter {
    /// What `directives` say, or what is wrong with them.
    pub(crate) fn parse(directives: &str) -> Result<Self, String> {
        // A level is compared faster than directives are matched.
        if let Ok(level) = directives.trim().parse::<LevelFilter>() {
            return Ok(level.into());
        }
        let levels = directives.split('/').next().unwrap_or_default();
        if levels.split(',').all(|directive| directive.trim().is_empty()) {
            // `env_filter` would let errors through, which is hardly what somebody means who says nothing.
            return Err(format!(r#"{directives:?} has no directive, such as "info" or "my_app=debug""#));
        }
        let filter = Builder::new().try_parse(directives).map_err(|error| format!("{directives:?}: {error}"))?.build();
        let reads_messages = directives.contains('/');
        Ok(Self { widest: filter.filter(), directives: Some(Arc::new(Directives { filter, reads_messages })) })
    }
}

impl Directives {
    pub(super) fn verdict(&self, metadata: &Metadata<'_>) -> Verdict {
        if !self.filter.enabled(metadata) {
            return Verdict::Refused;
        }
        if self.reads_messages { Verdict::UpToMessage } else { Verdict::Taken }
    }

    pub(super) fn reads_messages(&self) -> bool {
        self.reads_messages
    }

    pub(super) fn takes_message(&self, metadata: &Metadata<'_>, message: &str) -> bool {
        if !self.reads_messages {
            return true;
        }
        // `env_filter` formats the message of a record. This one is formatted already, so that no code of the user's
        // runs a second time, nor any whose error would be a panic there.
        let record = &mut Record::builder();
        self.filter.matches(&record.metadata(metadata.clone()).args(format_args!("{message}")).build())
    }
}

/// The directives that hold at present, if there have been any.
#[derive(Debug, Default)]
pub(super) struct Current(ArcSwapOption<Directives>);

impl Current {
    pub(super) fn set(&self, directives: Arc<Directives>) {
        self.0.store(Some(directives));
    }

    pub(super) fn verdict(&self, metadata: &Metadata<'_>) -> Verdict {
        self.0.load().as_ref().map_or(Verdict::Taken, |directives| directives.verdict(metadata))
    }

    pub(super) fn takes_message(&self, metadata: &Metadata<'_>, message: &str) -> bool {
        // They may be others by now than those that said it was up to the message.
        self.0.load().as_ref().is_none_or(|directives| match directives.verdict(metadata) {
            Verdict::Refused => false,
            Verdict::Taken => true,
            Verdict::UpToMessage => directives.takes_message(metadata, message),
        })
    }
}
