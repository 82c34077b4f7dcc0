//! Random numbers, which need not be secret.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::SystemTime;

/// From 0 up to 1.
pub(crate) fn fraction() -> f64 {
    fastrand::f64()
}

/// 32 hexadecimal digits that nobody else comes upon.
///
/// Not by `fastrand`, whose generator a program may seed with the same number in each run. The standard library's keys
/// come from the system; the process and the time tell a forked child from its parent, which has the same keys.
pub(crate) fn unique() -> String {
    let half = || {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u32(std::process::id());
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        hasher.write_u128(since_epoch.as_nanos());
        hasher.finish()
    };
    format!("{:016x}{:016x}", half(), half())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unique_even_where_the_program_seeds_its_generator() {
        fastrand::seed(42);
        let first = unique();
        fastrand::seed(42);
        assert_ne!(first, unique());
        assert_eq!(first.len(), 32);
    }
}
