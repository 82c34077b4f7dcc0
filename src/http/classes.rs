//! What the end of a request means for the records in it: one table for answers, one for errors.

use crate::handler::ErrorClass;

/// Whether an answer with `status` means delivered, or else which class of failure.
///
/// | class | answers |
/// |---|---|
/// | delivered | 2xx |
/// | transient | 408, 425, 429, 5xx but 501 and 505 |
/// | payload | 400, 413, 414, 415, 422, 431 |
/// | endpoint | everything else: redirects (never followed: the next request would be another one), 401, 403, 404, ... |
pub(super) fn of_status(status: u16) -> Result<(), ErrorClass> {
    match status {
        200..=299 => Ok(()),
        408 | 425 | 429 | 500 | 502..=504 | 506..=599 => Err(ErrorClass::Transient),
        400 | 413 | 414 | 415 | 422 | 431 => Err(ErrorClass::Payload),
        _ => Err(ErrorClass::Endpoint),
    }
}

/// Whether an answer with `status` says that the server has not taken the records. What answers 5xx may have taken them
/// before it failed.
pub(super) fn is_refusal(status: u16) -> bool {
    (300..=499).contains(&status)
}

/// The class of a request that got no answer.
///
/// | class | errors |
/// |---|---|
/// | endpoint | a certificate that either side does not trust, TLS that can't be agreed on, a proxy that refuses, settings |
/// | transient | everything else: the network, the resolver, time-outs, answers that are not HTTP |
pub(super) fn of_error(error: &ureq::Error) -> ErrorClass {
    match error {
        ureq::Error::Tls(_)
        | ureq::Error::TlsRequired
        | ureq::Error::BadUri(_)
        | ureq::Error::Http(_)
        | ureq::Error::InvalidProxyUrl
        | ureq::Error::RequireHttpsOnly(_) => ErrorClass::Endpoint,
        ureq::Error::ConnectProxyFailed(reason) => of_proxy(reason),
        error if is_refused_by_tls(error) => ErrorClass::Endpoint,
        _ => ErrorClass::Transient,
    }
}

/// The class of what a proxy says instead of making a tunnel. Its status is in the text only. It has not seen the records,
/// so whatever it says is not about them.
fn of_proxy(reason: &str) -> ErrorClass {
    let status = reason.strip_prefix("proxy server responded ").and_then(|rest| rest.get(..3)?.parse().ok());
    match status.map(of_status) {
        None | Some(Err(ErrorClass::Transient)) => ErrorClass::Transient,
        Some(_) => ErrorClass::Endpoint,
    }
}

/// Whether a handshake failed for a reason that will last.
pub(super) fn is_refused_by_tls(error: &ureq::Error) -> bool {
    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    return super::tls::is_refused(error);
    #[cfg(not(any(feature = "rustls", feature = "native-tls")))]
    matches!(error, ureq::Error::Tls(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_answers() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(of_status(status), Ok(()), "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504, 507, 599] {
            assert_eq!(of_status(status), Err(ErrorClass::Transient), "{status}");
        }
        for status in [101, 300, 301, 302, 303, 304, 307, 308, 401, 403, 404, 405, 407, 410, 501, 505, 999] {
            assert_eq!(of_status(status), Err(ErrorClass::Endpoint), "{status}");
        }
        for status in [400, 413, 414, 415, 422, 431] {
            assert_eq!(of_status(status), Err(ErrorClass::Payload), "{status}");
        }
    }

    #[test]
    fn only_3xx_and_4xx_say_that_nothing_was_taken() {
        assert!([301, 400, 429].into_iter().all(is_refusal));
        assert!(![200, 500, 503].into_iter().any(is_refusal));
    }

    #[test]
    fn the_table_of_errors() {
        let io = |kind| ureq::Error::Io(std::io::ErrorKind::into(kind));
        assert_eq!(of_error(&io(std::io::ErrorKind::ConnectionRefused)), ErrorClass::Transient);
        assert_eq!(of_error(&ureq::Error::HostNotFound), ErrorClass::Transient);
        assert_eq!(of_error(&ureq::Error::Timeout(ureq::Timeout::Global)), ErrorClass::Transient);
        assert_eq!(of_error(&ureq::Error::InvalidProxyUrl), ErrorClass::Endpoint);
    }

    #[test]
    fn what_a_proxy_answers_is_never_the_records_fault() {
        let proxy = |reason: &str| of_error(&ureq::Error::ConnectProxyFailed(reason.to_owned()));
        for status in [408, 429, 500, 502, 503, 504] {
            assert_eq!(proxy(&format!("proxy server responded {status}/{status}")), ErrorClass::Transient, "{status}");
        }
        for status in [204, 302, 400, 403, 407, 413, 501] {
            assert_eq!(proxy(&format!("proxy server responded {status}/{status}")), ErrorClass::Endpoint, "{status}");
        }
        assert_eq!(proxy("proxy server did not respond"), ErrorClass::Transient);
    }

    #[cfg(feature = "rustls")]
    #[test]
    fn a_bad_certificate_is_the_endpoints_fault_and_a_broken_handshake_is_not() {
        let wrapped = |error| ureq::Error::Io(std::io::Error::new(std::io::ErrorKind::InvalidData, error));
        let expired = rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
        assert_eq!(of_error(&ureq::Error::Rustls(expired.clone())), ErrorClass::Endpoint);
        assert_eq!(of_error(&wrapped(expired)), ErrorClass::Endpoint);
        assert_eq!(of_error(&wrapped(rustls::Error::DecryptError)), ErrorClass::Transient);
        let alert = |alert| of_error(&wrapped(rustls::Error::AlertReceived(alert)));
        assert_eq!(alert(rustls::AlertDescription::CertificateRequired), ErrorClass::Endpoint);
        assert_eq!(alert(rustls::AlertDescription::UnknownCA), ErrorClass::Endpoint);
        assert_eq!(alert(rustls::AlertDescription::DecryptError), ErrorClass::Endpoint);
        assert_eq!(alert(rustls::AlertDescription::InternalError), ErrorClass::Transient);
    }
}
