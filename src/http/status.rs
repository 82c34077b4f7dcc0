//! What an answer means for the records that it is about.

use crate::handler::ErrorClass;

/// Whether an answer with `status` means delivered, or else which class of failure.
///
/// | class | answers |
/// |---|---|
/// | delivered | 2xx |
/// | transient | 408, 425, 429, 5xx but 501 and 505 |
/// | payload | 400, 413, 414, 415, 422, 431 |
/// | endpoint | everything else: redirects (never followed: the next request would be another one), 401, 403, 404, ... |
pub(super) fn classify(status: u16) -> Result<(), ErrorClass> {
    match status {
        200..=299 => Ok(()),
        408 | 425 | 429 | 500 | 502..=504 | 506..=599 => Err(ErrorClass::Transient),
        400 | 413 | 414 | 415 | 422 | 431 => Err(ErrorClass::Payload),
        _ => Err(ErrorClass::Endpoint),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(classify(status), Ok(()), "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504, 507, 599] {
            assert_eq!(classify(status), Err(ErrorClass::Transient), "{status}");
        }
        for status in [
            101, 300, 301, 302, 303, 304, 307, 308, 401, 403, 404, 405, 407, 410, 501, 505, 999,
        ] {
            assert_eq!(classify(status), Err(ErrorClass::Endpoint), "{status}");
        }
        for status in [400, 413, 414, 415, 422, 431] {
            assert_eq!(classify(status), Err(ErrorClass::Payload), "{status}");
        }
    }
}
