//! Which process a record comes from, where that is another one.
//!
//! Few records have one, so it takes no room in the others: it is kept as a pair that is none of the key-values, before them.

/// The letter of this pair in the index.
pub(super) const ORIGIN: &str = "@";

/// A process other than this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin<'a> {
    pub(crate) id: u32,
    /// When logpost started there, in nanoseconds since the epoch.
    pub(crate) started: u64,
    pub(crate) name: Option<&'a str>,
}

impl<'a> Origin<'a> {
    /// From the text that [`to_text`](Self::to_text) makes.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (numbers, name) = match text.split_once('/') {
            Some((numbers, name)) => (numbers, Some(name)),
            None => (text, None),
        };
        let (id, started) = numbers.split_once(' ')?;
        Some(Self { id: id.parse().ok()?, started: started.parse().ok()?, name })
    }

    pub(super) fn to_text(self) -> String {
        let Self { id, started, name } = self;
        name.map_or_else(|| format!("{id} {started}"), |name| format!("{id} {started}/{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        for name in [None, Some(""), Some("a b/c"), Some("ü;,")] {
            let origin = Origin { id: u32::MAX, started: u64::MAX, name };
            assert_eq!(Origin::parse(&origin.to_text()), Some(origin));
        }
    }
}
