//! Which records are wanted: a level, or directives in the syntax of `RUST_LOG`.

#[cfg(feature = "env-filter")]
mod directives;
#[cfg(not(feature = "env-filter"))]
#[path = "no_directives.rs"]
mod directives;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering, fence};

use log::{LevelFilter, Metadata};

use self::directives::{Current, Directives};
use crate::sync::{Mutex, lock};

/// A level, or directives.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    /// The most detailed level that any record can have.
    widest: LevelFilter,
    directives: Option<Arc<Directives>>,
}

/// What a filter says of a record before its message is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Refused,
    Taken,
    /// `takes_message` has the last word.
    UpToMessage,
}

impl From<LevelFilter> for Filter {
    fn from(level: LevelFilter) -> Self {
        Self { widest: level, directives: None }
    }
}

impl Filter {
    pub(crate) fn widest(&self) -> LevelFilter {
        self.widest
    }

    pub(crate) fn verdict(&self, metadata: &Metadata<'_>) -> Verdict {
        if metadata.level() > self.widest {
            return Verdict::Refused;
        }
        self.directives.as_ref().map_or(Verdict::Taken, |directives| directives.verdict(metadata))
    }

    /// Whether there are records of which it can't tell without their message.
    pub(crate) fn reads_messages(&self) -> bool {
        self.directives.as_ref().is_some_and(|directives| directives.reads_messages())
    }

    /// Whether it takes a record with this message, which it has not refused before.
    pub(crate) fn takes_message(&self, metadata: &Metadata<'_>, message: &str) -> bool {
        self.directives.as_ref().is_none_or(|directives| directives.takes_message(metadata, message))
    }
}

/// A filter that may be replaced while others ask it. Asking takes no lock.
#[derive(Debug)]
pub(crate) struct LiveFilter {
    /// The widest level, and whether there are directives: all there is to look at where there are none.
    state: AtomicU8,
    directives: Current,
    /// So that of several replacements one is the last for everybody.
    replacing: Mutex<()>,
}

const LEVEL: u8 = 0b0111;
const HAS_DIRECTIVES: u8 = 0b1000;

impl LiveFilter {
    pub(crate) fn new(filter: Filter) -> Self {
        let live = Self { state: AtomicU8::new(0), directives: Current::default(), replacing: Mutex::default() };
        live.replace(filter, || {});
        live
    }

    /// Takes another filter's place, and calls `then` before yet another one can take its own.
    pub(crate) fn replace(&self, filter: Filter, then: impl FnOnce()) {
        let _turn = lock(&self.replacing);
        let mut state = filter.widest as u8;
        // A plain level leaves the directives before it in place: nobody looks at them unless the state says so.
        if let Some(directives) = filter.directives {
            self.directives.set(directives);
            state |= HAS_DIRECTIVES;
        }
        self.state.store(state, Ordering::Release);
        then();
    }

    pub(crate) fn verdict(&self, metadata: &Metadata<'_>) -> Verdict {
        let state = self.state.load(Ordering::Relaxed);
        if metadata.level() as usize > usize::from(state & LEVEL) {
            return Verdict::Refused;
        }
        if state & HAS_DIRECTIVES == 0 {
            return Verdict::Taken;
        }
        // Pairs with the store of the state: the directives are those that it came with, or newer.
        fence(Ordering::Acquire);
        self.directives.verdict(metadata)
    }

    /// As [`Filter::takes_message`].
    pub(crate) fn takes_message(&self, metadata: &Metadata<'_>, message: &str) -> bool {
        self.directives.takes_message(metadata, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::Level;

    fn metadata(level: Level, target: &str) -> Metadata<'_> {
        Metadata::builder().level(level).target(target).build()
    }

    #[test]
    fn a_level_takes_itself_and_what_is_graver() {
        for level in LevelFilter::iter() {
            let (fixed, live) = (Filter::from(level), LiveFilter::new(level.into()));
            for of_record in Level::iter() {
                let expected = if of_record <= level { Verdict::Taken } else { Verdict::Refused };
                assert_eq!(fixed.verdict(&metadata(of_record, "app")), expected, "{of_record} by {level}");
                assert_eq!(live.verdict(&metadata(of_record, "app")), expected, "{of_record} by {level}");
            }
        }
    }

    #[test]
    fn a_level_that_is_replaced() {
        let live = LiveFilter::new(LevelFilter::Off.into());
        let mut called = false;
        live.replace(LevelFilter::Debug.into(), || called = true);
        assert!(called);
        assert_eq!(live.verdict(&metadata(Level::Debug, "app")), Verdict::Taken);
        assert_eq!(live.verdict(&metadata(Level::Trace, "app")), Verdict::Refused);
    }

    #[cfg(feature = "env-filter")]
    mod with_directives {
        use super::*;
        use std::sync::Barrier;
        use std::thread;

        fn parsed(directives: &str) -> Filter {
            Filter::parse(directives).unwrap()
        }

        #[test]
        fn the_longest_target_that_fits_decides() {
            let filter = parsed("info,my_app::db=debug,noisy=off");
            let live = LiveFilter::new(filter.clone());
            for (level, target, expected) in [
                (Level::Debug, "my_app::db::pool", Verdict::Taken),
                (Level::Trace, "my_app::db", Verdict::Refused),
                (Level::Info, "my_app", Verdict::Taken),
                (Level::Debug, "my_app", Verdict::Refused),
                (Level::Error, "noisy", Verdict::Refused),
            ] {
                assert_eq!(filter.verdict(&metadata(level, target)), expected, "{level} {target}");
                assert_eq!(live.verdict(&metadata(level, target)), expected, "{level} {target}");
            }
            assert_eq!(filter.widest(), LevelFilter::Debug);
        }

        #[test]
        fn a_plain_level_is_no_directive() {
            for text in ["warn", "WARN", " warn "] {
                let filter = parsed(text);
                assert_eq!((filter.widest(), filter.directives.is_none()), (LevelFilter::Warn, true), "{text}");
            }
            assert!(parsed("warn,app=info").directives.is_some());
        }

        #[test]
        fn what_is_behind_the_slash_must_be_in_the_message() {
            let filter = parsed("info,quiet=off/needle");
            let live = LiveFilter::new(filter.clone());
            let asked = metadata(Level::Info, "app");
            assert_eq!(filter.verdict(&asked), Verdict::UpToMessage);
            assert_eq!(live.verdict(&asked), Verdict::UpToMessage);
            for (message, expected) in [("hay, needle, hay", true), ("hay", false), ("", false)] {
                assert_eq!(filter.takes_message(&asked, message), expected, "{message}");
                assert_eq!(live.takes_message(&asked, message), expected, "{message}");
            }
            assert_eq!(filter.verdict(&metadata(Level::Info, "quiet")), Verdict::Refused);
        }

        #[test]
        fn directives_that_do_not_parse_are_shown() {
            for directives in ["my_app=loud", "a=info=b", "info/a/b", "", " , ", "/needle"] {
                let problem = Filter::parse(directives).unwrap_err();
                assert!(problem.starts_with(&format!("{directives:?}")), "{problem}");
            }
            assert!(Filter::parse("my_app=loud").unwrap_err().contains("invalid logging spec 'loud'"));
        }

        #[test]
        fn directives_and_levels_replace_each_other() {
            let live = LiveFilter::new(LevelFilter::Trace.into());
            live.replace(parsed("warn,app=debug"), || {});
            assert_eq!(live.verdict(&metadata(Level::Debug, "app")), Verdict::Taken);
            assert_eq!(live.verdict(&metadata(Level::Info, "other")), Verdict::Refused);
            live.replace(LevelFilter::Info.into(), || {});
            assert_eq!(live.verdict(&metadata(Level::Debug, "app")), Verdict::Refused);
            assert_eq!(live.verdict(&metadata(Level::Info, "other")), Verdict::Taken);
            live.replace(parsed("off,other=trace"), || {});
            assert_eq!(live.verdict(&metadata(Level::Error, "app")), Verdict::Refused);
            assert_eq!(live.verdict(&metadata(Level::Trace, "other")), Verdict::Taken);
        }

        /// No reader may see a state without the directives that belong to it: none of these filters takes `app` at Debug.
        #[test]
        fn a_reader_never_sees_half_of_a_replacement() {
            const ROUNDS: usize = 2000;
            let live = LiveFilter::new(LevelFilter::Info.into());
            let start = Barrier::new(3);
            thread::scope(|scope| {
                for directives in ["info,other=trace", "warn,third=trace,fourth=trace"] {
                    let (live, start, filter) = (&live, &start, parsed(directives));
                    scope.spawn(move || {
                        start.wait();
                        for _ in 0..ROUNDS {
                            live.replace(filter.clone(), || {});
                            live.replace(LevelFilter::Info.into(), || {});
                        }
                    });
                }
                start.wait();
                for _ in 0..ROUNDS {
                    assert_eq!(live.verdict(&metadata(Level::Debug, "app")), Verdict::Refused);
                    assert_eq!(live.verdict(&metadata(Level::Error, "app")), Verdict::Taken);
                }
            });
            assert_eq!(live.verdict(&metadata(Level::Info, "app")), Verdict::Taken);
        }
    }
}
