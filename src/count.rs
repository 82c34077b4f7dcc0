//! How many records, in words.

use std::fmt;

/// A number of records: "1 record", "2 records".
pub(crate) struct Records<N>(pub(crate) N);

impl<N: fmt::Display> fmt::Display for Records<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.to_string();
        write!(f, "{count} record{}", if count == "1" { "" } else { "s" })
    }
}
