//! In place of `directives.rs` without the feature `env-filter`: there are levels only.

use std::sync::Arc;

use log::Metadata;

use super::Verdict;

/// There are none.
#[derive(Debug)]
pub(super) enum Directives {}

impl Directives {
    pub(super) fn verdict(&self, _: &Metadata<'_>) -> Verdict {
        match *self {}
    }

    pub(super) fn reads_messages(&self) -> bool {
        match *self {}
    }

    pub(super) fn takes_message(&self, _: &Metadata<'_>, _: &str) -> bool {
        match *self {}
    }
}

#[derive(Debug, Default)]
pub(super) struct Current(());

#[expect(clippy::unused_self, clippy::needless_pass_by_value, reason = "as the ones that they stand in for")]
impl Current {
    pub(super) fn set(&self, directives: Arc<Directives>) {
        match *directives {}
    }

    pub(super) fn verdict(&self, _: &Metadata<'_>) -> Verdict {
        Verdict::Taken
    }

    pub(super) fn takes_message(&self, _: &Metadata<'_>, _: &str) -> bool {
        true
    }
}
