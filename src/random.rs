//! Random numbers, which need not be secret.

/// From 0 up to 1.
pub(crate) fn fraction() -> f64 {
    fastrand::f64()
}

/// 32 hexadecimal digits that nobody else comes upon.
pub(crate) fn unique() -> String {
    format!("{:032x}", fastrand::u128(..))
}
