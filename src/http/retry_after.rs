//! The header `Retry-After`: RFC 9110, section 10.2.3.

use std::time::{Duration, SystemTime};

/// The delay that `value` asks for: a number of seconds, or a date (that may have passed). Anything else asks for
/// nothing.
pub(super) fn parse(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More seconds than fit are as good as the most that do: whoever waits has a limit of their own.
        return Some(value.parse().map_or(Duration::MAX, Duration::from_secs));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    fn asks(value: &str) -> Option<u64> {
        // Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110.
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        parse(value, now).map(|delay| delay.as_secs())
    }

    #[test]
    fn seconds() {
        assert_eq!(asks("120"), Some(120));
        assert_eq!(asks(" 0 "), Some(0));
        assert_eq!(asks("31536000"), Some(31_536_000));
        assert_eq!(asks("99999999999999999999999999"), Some(u64::MAX));
    }

    #[test]
    fn dates_in_all_three_formats() {
        assert_eq!(asks("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
        assert_eq!(asks("Sunday, 06-Nov-94 08:50:37 GMT"), Some(60));
        assert_eq!(asks("Sun Nov  6 08:50:37 1994"), Some(60));
        assert_eq!(asks("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0), "in the past");
    }

    #[test]
    fn what_can_not_be_parsed_asks_for_nothing() {
        for value in ["", "soon", "-5", "1.5", "0x10", "Sun, 99 Nov 1994 08:49:37 GMT", "١٢"] {
            assert_eq!(asks(value), None, "{value}");
        }
    }
}
